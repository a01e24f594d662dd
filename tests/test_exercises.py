"""The exercises in code: the wrong answers that each knows are its checker's tests, and right ones in many styles pass.

A new exercise needs no line here: its answers stand in tests/answers/NAME.py.
"""

import re
import time
from importlib import import_module
from inspect import getsource
from itertools import combinations

import pytest
import torch

from bnlib import language
from bnlib.learn import check
from bnlib.learn.exercises import load
from bnlib.learn.exercises import names as of_kinds
from bnlib.learn.outcome import alike, look, same

SEED = 12


def names():
    """Of the exercises in code; the questions are in test_question.py."""
    return of_kinds("code")


MISTAKES = [(name, mistake) for name in names() for mistake in load(name).mistakes]
ANSWERS = {name: import_module(f"answers.{name}") for name in names()}
RIGHT = [(name, answer) for name in names() for answer in ANSWERS[name].RIGHT]
REPAIRS = [name for name in names() if name.startswith("repair_")]
UNKNOWN = [(name, answer, finding) for name in names() for answer, finding in ANSWERS[name].UNKNOWN.items()]


pytestmark = pytest.mark.usefixtures("english")


def inputs_of(exercise):
    return [make(torch.Generator().manual_seed(i)) for i, make in enumerate(exercise.inputs)]


@pytest.mark.parametrize(("name", "mistake"), MISTAKES)
def test_each_mistake_is_diagnosed_as_itself(name, mistake):
    report = check(name, load(name).mistakes[mistake], seed=SEED)
    assert (report.passed, report.kind, report.diagnosis, report.also) == (False, "mistake", mistake, ())
    assert report.sentences == (language.message(f"exercise_{name}.mistake_{mistake}"),)
    assert report.input and (report.line or report.got != report.expected)


@pytest.mark.parametrize("name", names())
def test_no_two_mistakes_look_alike(name):
    exercise = load(name)
    done = {
        mistake: [look(exercise, answer, inputs) for inputs in inputs_of(exercise)]
        for mistake, answer in {"right": exercise.right, **exercise.mistakes}.items()
    }
    assert len(exercise.mistakes) >= 5
    assert not [pair for pair in combinations(done, 2) if all(map(alike, done[pair[0]], done[pair[1]]))]
    assert not [mistake for mistake, outcomes in done.items() if all(outcome.failure for outcome in outcomes)]


@pytest.mark.parametrize("name", names())
def test_what_is_telling_of_a_mistake_is_wrong_with_it(name):
    exercise = load(name)
    for mistake, keys in exercise.telling.items():
        seen = [
            [look(exercise, a, i).seen for a in (exercise.right, exercise.mistakes[mistake])]
            for i in inputs_of(exercise)
        ]
        assert keys and not [key for key in keys if all(same(right[key], wrong[key]) for right, wrong in seen)]


@pytest.mark.parametrize("name", names())
def test_the_smallest_input_comes_first_and_can_be_printed(name):
    sizes = [sum(getattr(value, "numel", lambda: 1)() for value in each.values()) for each in inputs_of(load(name))]
    assert sizes[0] == min(sizes) and sizes[0] <= 12


@pytest.mark.parametrize("name", names())
def test_the_right_answer_passes_in_a_moment(name):
    check(name, load(name).right, seed=SEED)  # what torch sets up on first use is not counted
    begin = time.process_time()  # of this process alone, on a machine that others use as well
    report = check(name, load(name).right, seed=SEED)
    assert report.passed and report.kind == "passed" and not report.diagnosis
    assert time.process_time() - begin < 1


@pytest.mark.parametrize("name", names())
def test_what_is_to_be_repaired_has_a_broken_program(name):
    exercise = load(name)
    assert (exercise.start is not None) == (name in REPAIRS)
    if exercise.start is not None:
        assert next(iter(exercise.mistakes.items())) == ("unchanged", exercise.start)


@pytest.mark.parametrize("name", REPAIRS)
def test_the_broken_program_runs_as_it_is_shown_and_is_known_as_unchanged(name):
    exercise = load(name)
    source = getsource(exercise.start)
    assert len(source.splitlines()) <= 12 and "#" not in source
    cell = {"torch": torch, "nn": torch.nn}
    exec(source, cell)
    answer = cell[exercise.call.partition("(")[0]]
    assert [look(exercise, answer, inputs).failure for inputs in inputs_of(exercise)] == [None] * len(exercise.inputs)
    report = check(name, answer, seed=SEED)
    assert (report.kind, report.diagnosis) == ("mistake", "unchanged") and report.got != report.expected


@pytest.mark.parametrize("name", of_kinds("code"))
def test_the_solution_needs_no_more_than_torch(name):
    exercise = load(name)
    cell = {"torch": torch, "nn": torch.nn}
    exec(getsource(exercise.right), cell)
    assert check(name, cell[exercise.right.__name__], seed=SEED).passed


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("name", "answer"), RIGHT, ids=lambda value: getattr(value, "__name__", value))
def test_right_answers_in_other_styles_pass(name, answer, seed):
    assert check(name, answer, seed=seed).passed, check(name, answer, seed=seed)


@pytest.mark.parametrize("name", names())
def test_there_are_answers_of_several_styles(name):
    assert len(ANSWERS[name].RIGHT) >= 3 and len(ANSWERS[name].UNKNOWN) >= 1


@pytest.mark.parametrize(("name", "answer", "finding"), UNKNOWN, ids=lambda value: value if type(value) is str else "")
def test_an_unknown_wrong_answer_gets_what_it_breaks_and_a_counterexample(name, answer, finding):
    report = check(name, answer, seed=SEED)
    if report.kind == "property":
        assert report.diagnosis == finding and " ≠ " in report.got
        assert language.message(f"exercise_{name}.property_{finding}") in report.sentences[0]
    else:
        assert report.kind == finding
    assert not report.passed and report.input


@pytest.mark.parametrize("name", names())
def test_each_property_holds_for_right_answers_and_is_broken_by_a_wrong_one(name):
    exercise = load(name)
    wrong = [*exercise.mistakes.values(), *ANSWERS[name].UNKNOWN]
    for law in exercise.properties:
        for inputs in inputs_of(exercise):
            assert law.broken(lambda i: look(exercise, exercise.right, i).seen, inputs) is None
        assert any(breaks(law, exercise, answer) for answer in wrong), law.name


def breaks(law, exercise, answer):
    inputs = inputs_of(exercise)[-1]
    right, seen = look(exercise, exercise.right, inputs).seen, look(exercise, answer, inputs).seen
    fits = seen and all(getattr(seen[key], "shape", 0) == getattr(right[key], "shape", 0) for key in right)
    return fits and law.broken(lambda i: look(exercise, answer, i).seen, inputs) is not None


@pytest.mark.parametrize("code", language.LANGUAGES)
@pytest.mark.parametrize("name", names())
def test_each_word_exists_and_none_is_left_over(name, code):
    language.set_language(code)
    exercise, words = load(name), language.messages(f"exercise_{name}")
    always = {"title", "task", "hint_1", "hint_2", "hint_3", "solution_text"}
    mistakes = {f"mistake_{mistake}" for mistake in exercise.mistakes}
    laws = {f"property_{law.name}" for law in exercise.properties}
    assert words.keys() == always | mistakes | laws
    assert exercise.name == name and exercise.call.partition("(")[0] in words["task"]
    assert not [text for text in words.values() if text.count("`") % 2 or re.search(r"[{}]", text)]
