"""The check of an answer in a notebook."""

import time
from dataclasses import replace
from inspect import isclass
from math import isfinite

from torch import Generator
from torch.nn import Module

from bnlib import language
from bnlib.learn import record
from bnlib.learn.attempt import SECONDS
from bnlib.learn.diagnosis import Finding, diagnose
from bnlib.learn.exercise import CodeExercise, Inputs
from bnlib.learn.exercises import load, names
from bnlib.learn.outcome import Failure, Outcome, look
from bnlib.learn.question import Question
from bnlib.learn.report import Report, report

SECONDS_IN_ALL = 20.0


def check(name: str, answer: object, seed: int | None = None) -> Report:
    """Check an answer to an exercise, and say what is wrong with it; the report shows itself at the end of a cell.

    An answer in code is called on small inputs and on random ones, each time with a time limit. Whatever it does,
    nothing is raised; what it prints is dropped, and torch's modes and random numbers are afterwards as they were. An
    answer that replaces functions of torch may change them for good; where the course's own answer then fails as well,
    the report says so. The result is noted for `progress`, on this machine alone.

    Args:
        name: of the exercise.
        answer: the function or the class itself, not what it returns; to a question, the name of an option or several
            of them, a number, or the names of the items in order.
        seed: of the random inputs; without it they are others each time.

    Raises:
        ValueError: for a name that no exercise has.
        KeyboardInterrupt: the reader's own Ctrl-C.
    """
    if name not in names():
        raise ValueError(language.message("exercise.unknown", name=repr(name), names=", ".join(names())))
    exercise = load(name)
    if isinstance(exercise, Question):
        return _kept(report(exercise, exercise.judge(answer)), exercise.read(answer))
    result = _checked(exercise, answer, seed)
    return result if result.kind == "torch_changed" else _kept(result)  # nothing was learned about the answer


def _checked(exercise: CodeExercise, answer: object, seed: int | None) -> Report:
    if not callable(answer) or (isclass(exercise.right) and isinstance(answer, Module)):
        return report(exercise, Finding("not_callable", values={"got": type(answer).__name__}))
    seed = Generator().seed() % 2**31 if seed is None else seed
    try:
        finding = diagnose(exercise, _looker(exercise, answer), seed)
    except Exception as error:
        if _sound(exercise):
            raise  # a fault of the checker
        finding = Finding("torch_changed", values={"error": f"{type(error).__name__}: {error}"[:300]})
    return report(exercise, finding)


def _sound(exercise: CodeExercise) -> bool:
    """Whether the course's own answer passes in this session."""
    try:
        return diagnose(exercise, _looker(exercise, exercise.right), 0).kind == "passed"
    except Exception:
        return False


def _kept(result: Report, plain: list[str] | float | None = None) -> Report:
    """Note the result in the learner's file, to a question with the answer; where that fails, the report says so."""
    plain = None if isinstance(plain, float) and not isfinite(plain) else plain  # no number that JSON has
    trouble = record.note_try(result.exercise, result.passed, result.diagnosis or result.kind, plain)
    return replace(result, sentences=(*result.sentences, trouble)) if trouble else result


def _looker(exercise: CodeExercise, answer: object):
    spent = 0.0  # seconds of the answer's own; what it is compared with does not count

    def look_at(inputs: Inputs) -> Outcome:
        nonlocal spent
        left = SECONDS_IN_ALL - spent
        start = time.monotonic()
        outcome = look(exercise, answer, inputs, min(SECONDS, left)) if left > 0 else None
        spent += time.monotonic() - start
        if outcome is None or (outcome.failure and outcome.failure.kind == "late" and left < SECONDS):
            return Outcome({}, Failure("slow", {"seconds": f"{SECONDS_IN_ALL:g}"}))
        return outcome

    return look_at
