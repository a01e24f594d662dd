"""What is said of mistakes in other styles, of several at once, or half of one: each sentence is true of its answer.

The answers are in the table NAMED of tests/answers/NAME.py, with the names of the mistakes that are told.
"""

from importlib import import_module

import pytest
import torch

from bnlib.learn import check
from bnlib.learn.diagnosis import diagnose
from bnlib.learn.exercises import load, names
from bnlib.learn.outcome import Outcome, look
from bnlib.learn.show import show_inputs

NAMED = [
    (name, answer, mistakes)
    for name in names("code")
    for answer, mistakes in getattr(import_module(f"answers.{name}"), "NAMED", {}).items()
]

pytestmark = pytest.mark.usefixtures("english")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("name", "answer", "mistakes"), NAMED, ids=lambda value: getattr(value, "__name__", value))
def test_just_those_mistakes_are_named(name, answer, mistakes, seed):
    report = check(name, answer, seed=seed)
    assert report.kind == "mistake" and report.input
    assert {report.diagnosis, *report.also} == mistakes and len(report.sentences) == len(mistakes)


def another(value):
    """Something else of the same kind."""
    if isinstance(value, torch.Tensor):
        return value.nan_to_num(1.0) + 0.5
    return not value if isinstance(value, bool) else "[9]" if isinstance(value, str) else value + 0.5


BROKEN = [name for name in names("code") if load(name).start]
SEEN = [
    (name, key)
    for name in BROKEN
    for key in load(name).ask(load(name).right, load(name).inputs[0](torch.Generator().manual_seed(0)))
]


@pytest.mark.parametrize(("name", "key"), SEEN)
def test_the_broken_program_is_named_only_where_all_is_seen_that_it_does(name, key):
    exercise = load(name)

    def broken(inputs):
        return look(exercise, exercise.start, inputs)

    def all_but_one(inputs):
        seen = broken(inputs).seen
        return Outcome(seen | {key: another(seen[key])})

    assert diagnose(exercise, broken, 0).name == "unchanged"
    found = diagnose(exercise, all_but_one, 0)
    assert found.kind != "passed" and "unchanged" not in (found.name, *found.also)


def variances_averaged(batches):
    var = torch.stack([X.var((0, 2, 3)) for X in batches]).mean(0)
    return torch.cat(batches).mean((0, 2, 3)), var


def over_all_features(running_mean, running_var, X, momentum, training):
    if training:
        running_mean.lerp_(X.detach().mean(), momentum)
        running_var.lerp_(X.detach().var(), momentum)


@pytest.mark.parametrize(
    ("name", "answer"), [("recalibrate", variances_averaged), ("moving_average", over_all_features)]
)
def test_a_law_is_contradicted_by_an_input_by_hand(name, answer):
    reports = [check(name, answer, seed=seed) for seed in range(3)]
    assert {report.kind for report in reports} == {"property"} and len({report.input for report in reports}) == 1
    assert "…" not in reports[0].input
    by_hand = [make for make in load(name).inputs if make.__qualname__.startswith("by_hand.")]
    assert reports[0].input in [show_inputs(make(torch.Generator())) for make in by_hand]


def one_more_until_it_fails(X, eps):
    if X.shape[1] > 2:
        raise RuntimeError("three channels")
    return load("convolution_axes").right(X, eps) + 1


def turned_round_and_never_one_channel_of_three(X, eps):
    """The law of a channel by itself can't be tried on it with three images."""
    if X.shape[:2] == (3, 1):
        raise RuntimeError("one channel")
    return load("convolution_axes").right(X, eps).flip(0)


@pytest.mark.parametrize(
    ("answer", "law"),
    [(one_more_until_it_fails, "zero_mean"), (turned_round_and_never_one_channel_of_three, "like_torch")],
)
def test_wrong_numbers_come_before_an_exception_on_a_later_input(answer, law):
    report = check("convolution_axes", answer, seed=1)
    assert (report.kind, report.diagnosis) == ("property", law) and "…" not in report.input and not report.line
