"""No answer can do anything to the notebook that checks it, nor to torch; and none that fits nothing passes."""

import os
import re
import signal
import sys
import time
import warnings
from dataclasses import replace

import nbformat
import pytest
import torch
from nbclient import NotebookClient
from torch.nn import functional as F

from bnlib.learn import check
from bnlib.learn.exercises import load, names

pytestmark = pytest.mark.usefixtures("english")


def right(X, eps):
    return F.batch_norm(X, None, None, training=True, eps=eps)


def loops_forever(X, eps):
    while True:
        pass


def sleeps(X, eps):
    time.sleep(60)


def run_in_a_notebook(cells):
    """The outputs of a kernel's cells, each as its text."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=60).execute()
    return [
        "".join(str(output.get("data", output).get("text/plain", output)) for output in cell.outputs)
        for cell in notebook.cells
    ]


def test_a_notebook_goes_on_whatever_the_answer_does():
    setup, raising, endless, leaving, good = run_in_a_notebook(
        [
            "from bnlib.learn import check",
            "def f(X, eps):\n    return X.nothing\n\ncheck('normalize', f)",
            "def f(X, eps):\n    while True:\n        print('x')\n\ncheck('normalize', f)",
            "check('normalize', lambda X, eps: exit())",
            "from bnlib.learn.exercises import load\ncheck('normalize', load('normalize').right)",
        ]
    )
    assert "Your line: 2: return X.nothing" in raising and "loop that never stops" in endless
    assert leaving.startswith("Not yet: ") and good.startswith("Right: Normalize a batch") and not setup


class Odd(torch.nn.Module):
    """A layer that keeps what it should, of another type."""

    def __init__(self, num_features, eps, momentum):
        super().__init__()
        for name in ("weight", "bias", "running_mean", "running_var"):
            self.register_buffer(name, torch.ones(num_features, dtype=torch.int64))

    def forward(self, X):
        return X * self.weight


ODD = [
    lambda *inputs: None,
    lambda *inputs: inputs,
    lambda *inputs: inputs[0],
    lambda *inputs: torch.ones(2, 1, dtype=torch.int64),
    lambda *inputs: torch.tensor(torch.inf),
    lambda *inputs: (torch.ones(()), "dgamma", {}),
    lambda *inputs: [torch.zeros(0)] * 3,
    lambda *inputs: torch.nn.Identity(),
    lambda: torch.ones(1),
    Odd,
    torch.nn.BatchNorm2d,
    object,
    print,
    len,
    type,
]


@pytest.mark.parametrize("name", names("code"))
@pytest.mark.parametrize("answer", ODD)
def test_no_odd_answer_passes_or_breaks_the_check(name, answer):
    report = check(name, answer, seed=0)
    assert not report.passed and report.sentences and report.input


@pytest.mark.parametrize("answer", [loops_forever, sleeps], ids=lambda f: f.__name__)
def test_what_never_ends_is_told_once(answer):
    begin = time.monotonic()
    report = check("normalize", answer)
    assert report.kind == "late" and re.search("after [45][.0-9]* seconds", report.sentences[0])
    assert time.monotonic() - begin < 15  # one call's limit of 5 seconds, on a busy machine


def test_what_it_prints_and_warns_is_dropped(capfd):
    def loud(X, eps):
        print("loud")
        print("louder", file=sys.stderr)
        warnings.warn("loudest", stacklevel=1)
        return right(X, eps)

    assert check("normalize", loud).passed
    assert capfd.readouterr() == ("", "")


def test_torch_is_as_it_was_afterwards():
    def settings():
        return [
            torch.get_default_device(),
            torch.get_num_threads(),
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
            torch.is_anomaly_enabled(),
            sys.getrecursionlimit(),
            os.getcwd(),
        ]

    def meddles(X, eps):
        normalized = right(X, eps)
        torch.set_default_dtype(torch.float64)
        torch.set_default_device("meta")
        torch.set_grad_enabled(False)
        torch.manual_seed(3)
        torch.set_num_threads(torch.get_num_threads() + 1)
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.autograd.set_detect_anomaly(True)
        sys.setrecursionlimit(10**6)
        os.chdir("/")
        return normalized

    before = settings()
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    assert check("normalize", meddles).passed
    assert torch.equal(torch.rand(1), expected)
    assert torch.get_default_dtype() == torch.float32 and torch.is_grad_enabled()
    assert settings() == before


def test_a_limit_of_recursion_that_leaves_no_room_is_put_back():
    def narrows(X, eps):
        for limit in range(20, 1000):
            try:
                sys.setrecursionlimit(limit)
            except RecursionError:
                continue
            return right(X, eps)

    before = sys.getrecursionlimit()
    assert check("normalize", narrows).kind in ("passed", "raises") and sys.getrecursionlimit() == before


def test_a_check_works_where_another_device_is_the_usual_one():
    with torch.device("meta"):
        assert check("normalize", right).passed
    torch.set_default_device("meta")
    try:
        assert check("batch_norm_layer", torch.nn.BatchNorm1d).passed and torch.get_default_device().type == "meta"
    finally:
        torch.set_default_device(None)


@pytest.mark.parametrize(("owner", "name"), [(torch, "sqrt"), (torch.Tensor, "abs"), (torch.Tensor, "clone")])
def test_a_changed_torch_is_told(owner, name, monkeypatch):
    monkeypatch.setattr(owner, name, getattr(owner, name))  # to be put back at the end

    def patches(X, eps):
        normalized = right(X, eps)
        setattr(owner, name, lambda *_: 1 / 0)
        return normalized

    for answer in (patches, right):
        report = check("normalize", answer)
        assert report.kind == "torch_changed" and not report.passed
        assert "(ZeroDivisionError: division by zero)" in report.sentences[0] and "Restart" in report.sentences[0]


def test_an_input_of_which_the_answer_has_made_something_else_is_told():
    def shrinks(X, eps):
        normalized = right(X, eps)
        X.data = torch.zeros(1, device="meta")
        return normalized

    assert check("normalize", shrinks).kind in ("changed", "raises")


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_check_sees_gradients_in_any_mode(mode):
    with mode():
        assert check("batch_norm_layer", torch.nn.BatchNorm1d).passed
        assert not torch.is_grad_enabled()


def test_a_check_in_another_default_dtype_passes():
    torch.set_default_dtype(torch.float64)
    try:
        assert check("normalize", right).passed and torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_ctrl_c_is_the_readers_own():
    def interrupted(X, eps):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)

    with pytest.raises(KeyboardInterrupt):
        check("normalize", interrupted)


def test_an_answer_cant_pretend_a_ctrl_c():
    def interrupted(X, eps):
        raise KeyboardInterrupt

    assert check("normalize", interrupted).sentences == ("Your answer raised KeyboardInterrupt.",)


def test_an_input_that_has_become_something_else_is_a_changed_one():
    class Trap(torch.Tensor):
        @classmethod
        def __torch_function__(cls, *_, **__):
            raise SystemExit

    def sets_a_trap(X, eps):
        result = right(X, eps)
        X.__class__ = Trap
        return result

    assert check("normalize", sets_a_trap).kind == "changed"


def test_a_right_answer_that_takes_too_long_in_all_is_told_so(monkeypatch):
    def slow(X, eps):
        time.sleep(0.3)
        return right(X, eps)

    monkeypatch.setattr("bnlib.learn.checker.SECONDS_IN_ALL", 1.0)
    report = check("normalize", slow)
    assert report.kind == "slow" and "took more than 1 seconds in all" in report.sentences[0]


def test_the_time_of_the_check_itself_is_not_the_answers(monkeypatch):
    compared = load("normalize").right

    def waits(X, eps):
        time.sleep(0.05)
        return compared(X, eps)

    monkeypatch.setattr("bnlib.learn.checker.SECONDS_IN_ALL", 1.0)
    monkeypatch.setattr("bnlib.learn.checker.load", lambda name: replace(load(name), right=waits))
    begin = time.monotonic()
    assert check("normalize", right).passed and time.monotonic() - begin > 1


def test_a_part_of_the_inputs_does_not_fool_it():
    def memorized(X, eps):  # right on the inputs that are always the same
        return right(X, eps) if X.sum().item() in seen else X

    seen = set()
    check("normalize", lambda X, eps: seen.add(X.sum().item()) or right(X, eps), seed=5)
    assert check("normalize", memorized, seed=5).passed and not check("normalize", memorized, seed=6).passed


def test_without_a_seed_the_random_inputs_are_others_each_time():
    seen = []
    for _ in range(2):
        check("normalize", lambda X, eps: seen.append(X.sum().item()) or right(X, eps))
    half = len(seen) // 2
    assert seen[:half] != seen[half:] and seen[:6] == seen[half : half + 6]  # the first six are always the same


def test_a_class_that_is_evil_about_itself():
    class Evil(torch.Tensor):
        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            raise ValueError("leave me alone")

    report = check("normalize", lambda X, eps: right(X, eps).as_subclass(Evil))
    assert report.kind == "raises" and "leave me alone" in report.sentences[0]
