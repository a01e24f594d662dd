"""A check says what an answer does wrong, in both languages, and no answer can do anything to the notebook."""

import re
import sys
import time
import warnings
from html.parser import HTMLParser

import nbformat
import numpy as np
import pytest
import torch
from nbclient import NotebookClient
from torch.nn import functional as F

import bnlib
from bnlib import language
from bnlib.learn import check
from bnlib.learn.exercises import names


@pytest.fixture(autouse=True)
def english():
    language.set_language("en")
    yield
    language.set_language("en")


def right(X, eps):
    return F.batch_norm(X, None, None, training=True, eps=eps)


def raises(X, eps):
    mean = X.mean(dim=0)
    return mean @ X.view(3, 7)


def divides_by_zero(X, eps):
    return X / (1 // 0)


def in_torch(X, eps):
    return F.batch_norm(X, None, None, training=False)


def loops_forever(X, eps):
    while True:
        pass


def sleeps(X, eps):
    time.sleep(60)


def in_numpy(X, eps):
    return np.linalg.inv(np.zeros((2, 2)))


def exits(X, eps):
    sys.exit(3)


def recurses(X, eps):
    return recurses(X, eps)


class Unspeakable(Exception):
    def __str__(self):
        raise ValueError("no words")


def unspeakable(X, eps):
    raise Unspeakable


class Base(BaseException):
    pass


def base(X, eps):
    raise Base("from the depth")


def in_place(X, eps):
    X -= X.mean(dim=0)
    X /= torch.sqrt(X.var(dim=0, correction=0) + eps)
    return X


def in_place_and_wrong(X, eps):
    X += 1
    return X


def only_small(X, eps):
    return right(X, eps) if len(X) < 16 else None


CALLED = (
    "The error did not come from a line of yours. "
    "Your answer is called as `normalize(X, eps)`: does it take these arguments?"
)
GENERAL = [
    (raises, "raises", "Your answer raised RuntimeError: shape"),
    (divides_by_zero, "raises", "raised ZeroDivisionError: "),
    (in_torch, "raises", "Your answer raised "),
    (exits, "raises", "Your answer raised SystemExit: 3"),
    (recurses, "raises", "raised RecursionError: maximum recursion"),
    (unspeakable, "raises", "Your answer raised Unspeakable."),
    (base, "raises", "Your answer raised Base: from the depth"),
    (lambda X: X, "raises", "Your answer raised TypeError: .*takes 1 positional argument"),
    (lambda X, eps: undefined, "raises", "Your answer raised NameError: name 'undefined'"),  # noqa: F821
    (lambda X, eps: None, "nothing", "`normalized` is None. Is a `return` missing?"),
    (lambda X, eps: right(X, eps).tolist(), "type", "`normalized` is of type list; expected Tensor."),
    (lambda X, eps: right(X, eps).numpy(), "type", "`normalized` is of type ndarray; expected Tensor."),
    (lambda X, eps: np.float32(1), "type", "`normalized` is of type float32; expected Tensor."),
    (lambda X, eps: 10**400, "raises", "OverflowError"),
    (lambda X, eps: "X", "type", "`normalized` is of type str; expected Tensor."),
    (lambda X, eps: right, "type", "`normalized` is of type function; expected Tensor."),
    (lambda X, eps: right(X, eps)[:1], "shape", r"has the shape \(1, 1\); expected \(2, 1\)."),
    (lambda X, eps: right(X, eps).mean(), "shape", r"has the shape \(\); expected \(2, 1\)."),
    (lambda X, eps: right(X, eps).double(), "dtype", "dtype torch.float64; expected torch.float32"),
    (lambda X, eps: right(X, eps) * torch.nan, "nan", "holds nan or inf"),
    (lambda X, eps: right(X, eps) / 0, "nan", "holds nan or inf"),
    (lambda X, eps: right(X, eps).to("meta"), "raises", "NotImplementedError"),
    (lambda X, eps: right(X, eps) + 0j, "type", "is of type torch.complex64; expected torch.float32"),
    (lambda X, eps: right(X, eps).long(), "type", "is of type torch.int64; expected torch.float32"),
    (lambda X, eps: right(X, eps) > 0, "type", "is of type torch.bool; expected torch.float32"),
    (lambda X, eps: right(X, eps).to_sparse().half() * 0, "property", "The variance of every feature"),
    (in_place, "changed", "has written into its input `X`"),
    (in_place_and_wrong, "changed", "has written into its input `X`"),
    (only_small, "nothing", "`normalized` is None"),
    (
        lambda X, eps: right(X, eps) + 0.1,
        "property",
        "The mean of every feature of the output is 0. That does not hold",
    ),
    (lambda X, eps: right(X, eps) + torch.rand(1), "property", "mean of every feature"),
]


@pytest.mark.parametrize(("answer", "kind", "sentence"), GENERAL, ids=lambda value: getattr(value, "__name__", value))
def test_whatever_an_answer_does_is_a_report(answer, kind, sentence):
    report = check("normalize", answer, seed=0)
    assert (
        not report.passed
        and report.kind == kind
        and report.input.startswith("X = [[1], [3]]") != (answer is only_small)
    )
    assert re.search(sentence, report.sentences[0])
    assert report.sentences[1:] == (() if kind != "raises" or report.line else (CALLED,))
    assert report.sentences[0] in str(report) and "Not yet: Normalize a batch" in str(report)


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (raises, "return mean @ X.view(3, 7)"),
        (divides_by_zero, "return X / (1 // 0)"),
        (in_torch, "return F.batch_norm(X, None, None, training=False)"),
        (in_numpy, "return np.linalg.inv(np.zeros((2, 2)))"),
        (exits, "sys.exit(3)"),
        (lambda X: X, ""),
    ],
)
def test_the_line_of_the_answer_is_shown(answer, line):
    report = check("normalize", answer)
    number, _, text = report.line.partition(": ")
    assert text == line
    if line:
        assert int(number) > answer.__code__.co_firstlineno and f"Your line: {report.line}" in str(report)


def test_a_cells_line_is_found_where_there_is_no_file():
    cell = {}
    exec(compile("def f(X, eps):\n    return X.nothing", "<cell 3>", "exec"), cell)
    assert check("normalize", cell["f"]).line == "2"


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


@pytest.mark.parametrize("name", names())
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


@pytest.mark.parametrize("answer", [3, None, "normalize", torch.ones(2, 2)], ids=lambda value: type(value).__name__)
def test_a_result_in_place_of_the_function_is_told(answer):
    report = check("normalize", answer)
    assert report.kind == "not_callable" and not report.passed and not report.input
    assert type(answer).__name__ in report.sentences[0] and "`normalize(X, eps)`" in report.sentences[0]


def test_a_layer_in_place_of_its_class_is_told():
    report = check("batch_norm_layer", torch.nn.BatchNorm1d(3))
    assert report.kind == "not_callable" and "BatchNorm1d" in report.sentences[0]
    assert "`BatchNorm(num_features, eps, momentum)`" in report.sentences[0]


@pytest.mark.parametrize("name", ["normalise", "", None, "__init__", "_batch_norm_layer", 3])
@pytest.mark.parametrize("code", language.LANGUAGES)
def test_an_unknown_name_is_an_error_that_lists_the_names(name, code):
    language.set_language(code)
    with pytest.raises(ValueError, match=re.escape(repr(name))) as error:
        check(name, right)
    assert all(known in str(error.value) for known in names())


def test_what_it_prints_and_warns_is_dropped(capfd):
    def loud(X, eps):
        print("loud")
        print("louder", file=sys.stderr)
        warnings.warn("loudest", stacklevel=1)
        return right(X, eps)

    assert check("normalize", loud).passed
    assert capfd.readouterr() == ("", "")


def test_torch_is_as_it_was_afterwards():
    def meddles(X, eps):
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        torch.manual_seed(3)
        return right(X, eps)

    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    assert check("normalize", meddles).passed
    assert torch.equal(torch.rand(1), expected)
    assert torch.get_default_dtype() == torch.float32 and torch.is_grad_enabled()


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
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check("normalize", interrupted)


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


class TwoAtOnce(torch.nn.BatchNorm1d):
    """The momentum the other way round, and gamma and beta swapped."""

    def __init__(self, num_features, eps, momentum):
        super().__init__(num_features, eps, 1 - momentum)

    def forward(self, X):
        buffers = self.running_mean, self.running_var
        return F.batch_norm(X, *buffers, self.bias, self.weight, self.training, self.momentum, self.eps)


def from_graph_and_biased(running_mean, running_var, X, momentum, training):
    if training:
        running_mean.lerp_(X.mean(0), momentum)
        running_var.lerp_(X.var(0, correction=0), momentum)


@pytest.mark.parametrize(
    ("name", "answer", "mistakes"),
    [
        ("moving_average", from_graph_and_biased, {"biased", "from_graph"}),
        ("batch_norm_layer", TwoAtOnce, {"swapped", "other_way_round"}),
    ],
)
def test_several_mistakes_are_named_together(name, answer, mistakes):
    report = check(name, answer)
    assert report.kind == "mistake" and {report.diagnosis, *report.also} == mistakes
    assert len(report.sentences) == 2 and report.sentences[1].startswith("And one thing more: ")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("en", ["Not yet: Normalize a batch", "divides by n - 1", "Input: ", "Yours: ", "Expected: "]),
        ("zh", ["还不对：归一化一个小批量", "除以n - 1", "输入：", "你的结果：", "正确结果："]),
    ],
)
def test_the_report_speaks_the_language_of_the_moment(code, words):
    bnlib.set_language(code)
    report = bnlib.learn.check("normalize", lambda X, eps: (X - X.mean(0)) / torch.sqrt(X.var(0) + eps))
    assert all(word in str(report) for word in words) and repr(report) == str(report)
    assert "X = [[1], [3]], eps = 0.25" in str(report) and "normalized = [[-0.6667], [0.6667]]" in str(report)
    html = report._repr_html_()
    assert report.lang == code and f'<div lang="{code}"' in html and all(word in html for word in words)
    bnlib.set_language("en")
    assert words[0] in str(report)  # it stays as it was made


class Reader(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags, self.open, self.text = [], [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_what_comes_from_the_answer_is_text_in_the_page():
    def evil(X, eps):
        raise ValueError("<script>alert(1)</script> `<b>` & \"'")  # <img src=x onerror=alert(1)>

    report = check("normalize", evil)
    page = Reader(report._repr_html_())
    assert {tag for tag, _ in page.tags} == {"div", "p", "strong", "code"} and not page.open
    assert "<script>alert(1)</script> <b> & \"'" in page.text and "<img src=x" in page.text
    assert all(set(attributes) <= {"lang", "style"} for _, attributes in page.tags)


def test_the_html_keeps_the_hosts_colors():
    for answer in (right, raises):
        styles = [
            attributes.get("style", "") for _, attributes in Reader(check("normalize", answer)._repr_html_()).tags
        ]
        assert not [style for style in styles if re.search(r"(^|[; ])(color|background|font)", style)]


def test_a_class_that_is_evil_about_itself():
    class Evil(torch.Tensor):
        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            raise ValueError("leave me alone")

    report = check("normalize", lambda X, eps: right(X, eps).as_subclass(Evil))
    assert report.kind == "raises" and "leave me alone" in report.sentences[0]
