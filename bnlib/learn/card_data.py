"""What the card of an exercise shows, as plain data: enough to ask and to answer a question without a kernel."""

import inspect
import re
from collections.abc import Callable
from textwrap import dedent

from bnlib import language
from bnlib.learn.exercise import CodeExercise
from bnlib.learn.question import Choice, Number, Order, Question


def card_data(exercise: CodeExercise | Question) -> dict:
    """An exercise in words of the current language.

    Each gives kind, name, title, task, hints (a list), solution. One in code adds `how` an answer is checked, the
    solution's `code`, and the program to `start` from, if there is one. A choice adds options (name, text, right, why);
    a number adds value, within (how far off an answer may be), low, high, step, log, unit, mistakes (name, value,
    within, sentence); an order adds items (name, text; in the right order), others (further right orders, of names) and
    pairs (first, then, sentence).
    """
    data = _asked(exercise) | {"solution": _say(exercise, "solution_text")}
    if isinstance(exercise, Question):
        return data | _judging(exercise)
    how = language.message("card.how", name=exercise.name, answer=called(exercise))
    return data | {"how": how, "code": source(exercise, exercise.right), **_start(exercise)}


def graded_data(exercise: CodeExercise | Question) -> dict:
    """The same of a graded task, with nothing in it that tells what is right.

    Its kind is "graded". `how` says where the answer goes, `choices` (name, text) what there is to choose from, or to
    put in order: by name.
    """
    data = {**_asked(exercise), "kind": "graded"}
    how = {"name": exercise.name}
    if isinstance(exercise, Number):
        how |= {"low": f"{exercise.low:.10g}", "high": f"{exercise.high:.10g}", "unit": exercise.say("unit")}
    data["how"] = language.message(f"handout.how_{exercise.kind}", **how)
    if isinstance(exercise, Choice):
        data["choices"] = [{"name": name, "text": exercise.say(f"option_{name}")} for name in exercise.options]
    if isinstance(exercise, Order):
        data["choices"] = [{"name": name, "text": exercise.say(f"item_{name}")} for name in sorted(exercise.items)]
    return data | (_start(exercise) if isinstance(exercise, CodeExercise) else {})


def called(exercise: CodeExercise) -> str:
    """The name that an answer has for the reader: "normalize"."""
    return exercise.call.partition("(")[0]


def source(exercise: CodeExercise, answer: Callable) -> str:
    """An answer as it stands in the exercise's file, under the name that the task asks for."""
    text = dedent(inspect.getsource(answer)).rstrip()
    return re.sub(rf"(?m)^(def|class) {answer.__name__}\b", rf"\1 {called(exercise)}", text)


def _start(exercise: CodeExercise) -> dict:
    return {"start": source(exercise, exercise.start)} if exercise.start else {}


def _say(exercise: CodeExercise | Question, key: str) -> str:
    return exercise.say(key) if isinstance(exercise, Question) else language.message(f"exercise_{exercise.name}.{key}")


def _asked(exercise: CodeExercise | Question) -> dict:
    words = {key: _say(exercise, key) for key in ("title", "task")}
    hints = [_say(exercise, f"hint_{i}") for i in (1, 2, 3)]
    return {"kind": exercise.kind, "name": exercise.name, **words, "hints": hints}


def _judging(question: Question) -> dict:
    say = question.say
    if isinstance(question, Choice):
        told = {name: {"text": say(f"option_{name}"), "why": say(f"why_{name}")} for name in question.options}
        return {"options": [{"name": name, "right": name in question.right, **told[name]} for name in told]}
    if isinstance(question, Order):
        pairs = [{"first": a, "then": b, "sentence": say(f"before_{a}_{b}")} for a, b in question.pairs]
        items = [{"name": name, "text": say(f"item_{name}")} for name in question.items]
        return {"items": items, "others": [list(order) for order in question.others], "pairs": pairs}

    def number(value: float) -> dict:
        return {"value": float(value), "within": question.within(value)}

    mistakes = question.mistakes
    slider = {key: getattr(question, key) for key in ("low", "high", "step", "log")}
    told = [{"name": name, **number(mistakes[name]()), "sentence": say(f"mistake_{name}")} for name in mistakes]
    return {**number(question.value()), **slider, "unit": say("unit"), "mistakes": told}
