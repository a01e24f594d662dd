"""A check says what an answer does wrong: each failure that any answer can have, and several mistakes at once."""

import re
import sys

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from bnlib import language
from bnlib.learn import check
from bnlib.learn.exercises import names

pytestmark = pytest.mark.usefixtures("english")


def right(X, eps):
    return F.batch_norm(X, None, None, training=True, eps=eps)


def raises(X, eps):
    mean = X.mean(dim=0)
    return mean @ X.view(3, 7)


def divides_by_zero(X, eps):
    return X / (1 // 0)


def in_torch(X, eps):
    return F.batch_norm(X, None, None, training=False)


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
    (lambda X, eps: right(X, eps).to("meta"), "type", r"is of type Tensor \(meta\); expected Tensor."),
    (lambda X, eps: torch.nested.nested_tensor([right(X, eps)]), "type", r"is of type Tensor \(nested\); expected"),
    (lambda X, eps: torch.quantize_per_tensor(right(X, eps), 0.1, 0, torch.qint8), "type", r"Tensor \(torch.qint8\)"),
    (lambda X, eps: right(X, eps).to(torch.float8_e4m3fn), "type", r"Tensor \(torch.float8_e4m3fn\)"),
    (lambda X, eps: right(X, eps).to_mkldnn() * 0, "property", "The variance of every feature"),
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
    assert report.sentences[1:] == ((CALLED,) if "raised TypeError" in report.sentences[0] and not report.line else ())
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


def unbiased_and_float32(X, eps):
    X = X.float()
    return (X - X.mean(0)) / torch.sqrt(X.var(0) + eps)


class DeviationNotSaved(torch.nn.Module):
    """As without buffers, the deviation is forgotten; but it moves, and that tells it from what is known."""

    def __init__(self, num_features):
        super().__init__()
        self.register_buffer("mean", torch.zeros(num_features))
        self.register_buffer("std", torch.ones(num_features), persistent=False)

    def fit(self, X):
        self.mean.copy_(X.mean(0))
        self.std.copy_(X.std(0))

    def forward(self, X):
        return (X - self.mean) / self.std


def test_a_mistake_is_not_named_where_it_would_do_more_harm():
    report = check("repair_state", DeviationNotSaved)
    assert (report.kind, report.diagnosis, report.also) == ("property", "loaded_alike", ())


@pytest.mark.parametrize(
    ("name", "answer", "mistakes"),
    [
        ("moving_average", from_graph_and_biased, {"biased", "from_graph"}),
        ("batch_norm_layer", TwoAtOnce, {"swapped", "other_way_round"}),
        ("repair_half", unbiased_and_float32, {"unbiased", "returns_float32"}),
    ],
)
def test_several_mistakes_are_named_together(name, answer, mistakes):
    report = check(name, answer)
    assert report.kind == "mistake" and {report.diagnosis, *report.also} == mistakes
    assert len(report.sentences) == 2 and report.sentences[1].startswith("And one thing more: ")
