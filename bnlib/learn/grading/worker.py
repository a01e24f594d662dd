"""The process that runs one learner's notebook and asks its answers: python -m bnlib.learn.grading.worker LIMITS.

It reads requests and writes answers, a line of JSON each, on the pipes it was started with. Whoever wrote the
notebook may have taken it over: nothing that it says is believed without being checked, and it holds no secret.
"""

import ast
import contextlib
import inspect
import json
import linecache
import os
import re
import sys

import torch
from torch import nn

import bnlib.learn.checker
from bnlib.learn import exercises, outcome
from bnlib.learn.attempt import attempt
from bnlib.learn.grading import proof
from bnlib.learn.grading.confine import Limits, confine
from bnlib.learn.grading.wire import decode_mapping, dump, encode, encode_outcome
from bnlib.learn.question import Question


def main(limits: Limits, target: str) -> None:
    requests, answers = _take_pipes()
    before = proof.before_confinement(json.loads(target)) if target else {}
    _import()
    confine(limits)
    if target:
        _say(answers, {"found": {**before, **proof.after_confinement(limits)}})
        return
    notebook = Notebook(limits)
    _say(answers, {"ready": True})
    os.dup2(0, 2)  # until here, errors of our own were to be read
    sys.stdout = sys.stderr = open(os.devnull, "w")  # kept open to the end
    for line in requests:
        request = json.loads(line)
        _say(answers, {"id": request["id"], **notebook.answer(request)})


def _take_pipes():
    """The two pipes under numbers of their own; what the notebook prints goes nowhere."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb", buffering=0)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    return requests, answers


def _import() -> None:
    """All that answers are likely to need, while the limit on memory does not count it."""
    import bnlib.lab
    import bnlib.lecture
    import bnlib.norm
    import bnlib.training  # noqa: F401

    torch.set_num_threads(1)
    for name in exercises.names():
        exercises.load(name)


def _say(answers, message: dict) -> None:
    line = dump(message)
    while line:
        line = line[answers.write(line) :]


PYTHON_MAGICS = ("%%time", "%%capture")  # what follows them is Python


class Notebook:
    """A notebook as far as it has been run: its names, and the answers that it gave to `check`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._names = {"__name__": "__main__", "get_ipython": lambda: None, "display": lambda *shown: None}
        self._answers: dict[str, object] = {}
        bnlib.learn.check = bnlib.learn.checker.check = self._collect

    def answer(self, request: dict) -> dict:
        if request["do"] == "cell":
            return self._run(request["number"], request["source"])
        if request["do"] == "answers":
            return {"answers": {name: self._told(name) for name in exercises.names() if name in self._answers}}
        return self._ask(request["exercise"], request["inputs"])

    def _told(self, name: str) -> dict[str, object]:
        """What of an answer can be told before it is asked: see `Given`."""
        exercise, answer = exercises.load(name), self._answers[name]
        plain = None
        if isinstance(exercise, Question):
            fits = (plain := exercise.read(answer)) is not None
        else:
            fits = callable(answer) and not (inspect.isclass(exercise.right) and isinstance(answer, nn.Module))
        return {"misfit": "" if fits else type(answer).__name__, "plain": encode(plain)}

    def _collect(self, name: str, answer: object, *_: object, **__: object) -> "Kept":
        self._answers[str(name)] = answer
        return Kept()

    def _run(self, number: int, source: str) -> dict:
        done = attempt(lambda: self._execute(number, source), self._limits.cell)
        if done.late:
            return {"trouble": "late", "error": "", "message": ""}
        if done.error is not None:
            said = attempt(lambda: str(done.error), 1).value
            return {"trouble": "raises", "error": type(done.error).__name__, "message": str(said or "")[:300]}
        return {"trouble": "", "error": "", "message": ""}

    def _execute(self, number: int, source: str) -> None:
        name = f"[{number}]"
        source = python(source)
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        exec(compile(source, name, "exec"), self._names)

    def _ask(self, exercise: str, inputs: dict) -> dict:
        found = outcome.look(
            exercises.load(exercise), self._answers[exercise], decode_mapping(inputs), self._limits.ask
        )
        return {"outcome": encode_outcome(found)}


class Kept:
    """What `check` gives while a notebook is graded: nothing is known yet."""

    passed = None

    def __repr__(self) -> str:
        return ""


def python(source: str) -> str:
    """A cell without what only IPython knows: cells of another language, lines that begin with % or !."""
    if source.lstrip().startswith("%%"):
        magic, _, rest = source.lstrip().partition("\n")
        return python(rest) if magic.split()[0] in PYTHON_MAGICS else ""
    with contextlib.suppress(SyntaxError, ValueError):
        ast.parse(source)
        return source
    return re.sub(r"^([ \t]*)[%!].*$", r"\1pass", source, flags=re.MULTILINE)


if __name__ == "__main__":
    main(Limits(**json.loads(sys.argv[1])), sys.argv[2] if len(sys.argv) > 2 else "")
