"""The process that runs one learner's notebook and asks its answers: python -m bnlib.learn.grading.worker LIMITS.

It reads requests and writes answers, a line of JSON each, on the pipes it was started with. Whoever wrote the
notebook may have taken it over: nothing that it says is believed without being checked, and it holds no secret.
"""

import ast
import asyncio
import inspect
import json
import linecache
import os
import re
import sys

import torch
from torch import nn

import bnlib.learn.checker
from bnlib.language import message as sentence
from bnlib.learn import exercises
from bnlib.learn.attempt import attempt
from bnlib.learn.diagnosis import Finding
from bnlib.learn.grading import proof
from bnlib.learn.grading.confine import Limits, confine
from bnlib.learn.grading.unchanged import Watch
from bnlib.learn.grading.wire import decode_mapping, dump, encode, encode_outcome
from bnlib.learn.outcome import look
from bnlib.learn.question import Question
from bnlib.learn.report import Report, report


def main(limits: Limits, target: str) -> None:
    requests, answers = _take_pipes()
    before = proof.before_confinement(json.loads(target)) if target else {}
    _import()
    loop = asyncio.new_event_loop()  # it opens sockets, which can't be done later
    confine(limits)
    if target:
        _say(answers, {"found": {**before, **proof.after_confinement(limits)}})
        return
    answer, say = Notebook(limits, loop).answer, _say
    _say(answers, {"ready": True})
    os.dup2(0, 2)  # until here, errors of our own were to be read
    sys.stdout = sys.stderr = open(os.devnull, "w")  # kept open to the end
    for line in requests:
        request = json.loads(line)
        say(answers, {"id": request["id"], **answer(request)})


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

    def __init__(self, limits: Limits, loop: asyncio.AbstractEventLoop) -> None:
        self._limits, self._loop = limits, loop
        self._names = {"__name__": "__main__", "get_ipython": lambda: None, "display": lambda *shown: None}
        self._answers: dict[str, object] = {}
        self._exercises = {name: exercises.load(name) for name in exercises.names()}
        self._look, self._attempt, self._decode, self._encode = look, attempt, decode_mapping, encode_outcome
        bnlib.learn.check = bnlib.learn.checker.check = self._collect
        self._changed = Watch("bnlib.learn").changed

    def answer(self, request: dict) -> dict:
        if request["do"] == "cell":
            return self._run(request["number"], request["source"])
        if request["do"] == "answers":
            told = {name: self._told(name) for name in self._exercises if name in self._answers}
            return {"answers": told, "changed": self._changed()}
        return self._ask(request["exercise"], request["inputs"])

    def _told(self, name: str) -> dict[str, object]:
        """What of an answer can be told before it is asked: see `Given`."""
        exercise, answer = self._exercises[name], self._answers[name]
        plain = None
        if isinstance(exercise, Question):
            fits = (plain := exercise.read(answer)) is not None
        else:
            fits = callable(answer) and not (inspect.isclass(exercise.right) and isinstance(answer, nn.Module))
        return {"misfit": "" if fits else type(answer).__name__, "plain": encode(plain)}

    def _collect(self, name: str, answer: object, seed: int | None = None) -> Report:
        """What `check` is while a notebook is graded.

        The answer is kept, to be judged later. Until then the report is that of a right answer, so that a notebook
        goes on that asserts it, or prints its parts; it is shown nowhere.
        """
        if name not in self._exercises:
            known = ", ".join(self._exercises)
            raise ValueError(sentence("exercise.unknown", name=repr(name), names=known))
        self._answers[name] = answer
        exercise = self._exercises[name]
        return report(exercise, exercise.praise() if isinstance(exercise, Question) else Finding("passed"))

    def _run(self, number: int, source: str) -> dict:
        done = self._attempt(lambda: self._execute(number, source), self._limits.cell)
        if done.late:
            return {"trouble": "late", "error": "", "message": ""}
        if done.error is not None:
            said = self._attempt(lambda: str(done.error), 1).value
            return {"trouble": "raises", "error": type(done.error).__name__, "message": str(said or "")[:300]}
        return {"trouble": "", "error": "", "message": ""}

    def _execute(self, number: int, source: str) -> None:
        name = f"[{number}]"
        source = python(source)
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        code = compile(source, name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        done = eval(code, self._names)
        if code.co_flags & inspect.CO_COROUTINE:
            self._loop.run_until_complete(done)

    def _ask(self, exercise: str, inputs: dict) -> dict:
        found = self._look(self._exercises[exercise], self._answers[exercise], self._decode(inputs), self._limits.ask)
        return {"outcome": self._encode(found), "changed": self._changed()}


_ONLY_IPYTHON = (  # a line that Python can't read -> what stands for it
    (re.compile(r"([ \t]*)(?:[%!?]|\w[\w.]*\?\??\s*$).*"), r"\1pass"),
    (re.compile(r"([^=!%]*=)[ \t]*!.*"), r"\1 []"),  # the lines that a command prints: none
    (re.compile(r"([^=!%]*=)[ \t]*%.*"), r"\1 None"),
)


def python(source: str) -> str:
    """A cell without what only IPython knows: cells of another language, lines of magic, commands, help."""
    if source.lstrip().startswith("%%"):
        magic, _, rest = source.lstrip().partition("\n")
        return python(rest) if magic.split()[0] in PYTHON_MAGICS else ""
    lines = source.split("\n")
    for _ in lines:  # each time the line at which Python stops, so that none within a string is touched
        try:
            ast.parse("\n".join(lines))
        except SyntaxError as error:
            number = min(error.lineno or 1, len(lines)) - 1
            plain = next(
                (new.sub(to, lines[number]) for new, to in _ONLY_IPYTHON if new.fullmatch(lines[number])), None
            )
            if plain is None:
                return source
            lines[number] = plain
        except ValueError:  # a zero byte
            return source
        else:
            break
    return "\n".join(lines)


if __name__ == "__main__":
    main(Limits(**json.loads(sys.argv[1])), sys.argv[2] if len(sys.argv) > 2 else "")
