"""Exercises that ask a question: choose, predict a number, put into order. What is right is computed, or recorded."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import inf, isfinite
from numbers import Real
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor

from bnlib import language
from bnlib.learn.attempt import attempt
from bnlib.learn.diagnosis import Finding

if TYPE_CHECKING:
    from bnlib.drawing import Drawing

Facts = Mapping[str, float | str]
ROUNDING = 1e-9  # how much of itself a number may lose on its way through a slider, and still lie at the edge
SECONDS = 1.0  # to read an answer


@dataclass(frozen=True)
class Question:
    """What all questions share. The words are those of the table [exercise_NAME]: title, task, three hints, solution.

    Args:
        name: of the exercise, of its file and of its words.
        figure: draws what the question asks to read, from a recorded table; None where there is nothing to read.
        chapter: of the course, that it belongs to.
        facts: the measured or computed numbers that its sentences tell, by the names of their fields.
    """

    name: str
    figure: "Callable[[], Drawing] | None" = field(default=None, kw_only=True)
    chapter: int = field(default=0, kw_only=True)
    facts: Callable[[], Facts] = field(default=dict, kw_only=True)

    kind: ClassVar[str]

    def say(self, key: str) -> str:
        """A sentence of the question in the current language, its numbers filled in."""
        return language.message(f"exercise_{self.name}.{key}", **self.told)

    @cached_property
    def told(self) -> Facts:
        """The fields of the sentences."""
        return self.facts()

    def judge(self, answer: object) -> Finding:
        """What to tell the learner about an answer, whatever it is; nothing is raised because of it.

        Raises:
            KeyboardInterrupt: the reader's own Ctrl-C.
        """
        plain = self.read(answer)
        return self.misfit(type(answer).__name__) if plain is None else self._judge(plain)

    def read(self, answer: object) -> list[str] | float | None:
        """An answer as plain words or as a number; None where it is of another type."""
        done = attempt(lambda: self._read(answer), SECONDS)
        return done.value if done.returned else None

    def praise(self) -> Finding:
        """The finding about a right answer."""
        return Finding("passed")

    def misfit(self, got: str) -> Finding:
        """The finding about an answer of another type, by the type's name."""
        return Finding(f"{self.kind}_type", values={"got": got})

    def sentences(self, finding: Finding) -> tuple[str, ...]:
        """A finding in words: those of the question where it has some, else general ones."""
        return self._sentences(finding) or (language.message(f"exercise.{finding.kind}", **finding.values),)


@dataclass(frozen=True)
class Choice(Question):
    """One or several of a few options. Further words: option_X, and why_X, what to say to whoever chooses it.

    An answer is the name of an option, or several names where several are right.

    Args:
        options: their names, in the order in which they are shown.
        right: those that are to be chosen, all of them and no other.
    """

    options: tuple[str, ...]
    right: frozenset[str]

    kind: ClassVar[str] = "choice"

    _read = staticmethod(lambda answer: _names(answer))

    def _judge(self, chosen: list[str]) -> Finding:
        got = ", ".join(chosen)
        unknown = [name for name in chosen if name not in self.options]
        if unknown or not chosen:
            kind = "unknown_option" if unknown else "no_option"
            values = {"name": unknown[0] if unknown else "", "names": ", ".join(self.options)}
            return Finding(kind, values=values, got=got)
        if len(self.right) == 1 and len(set(chosen)) > 1:
            return Finding("only_one", got=got)
        wrong = [name for name in self.options if name in chosen and name not in self.right]
        if wrong:
            return Finding("mistake", wrong[0], also=tuple(wrong[1:]), got=got)
        if self.right - set(chosen):
            return Finding("incomplete", values={"missing": str(len(self.right - set(chosen)))}, got=got)
        return replace(self.praise(), got=got)

    def praise(self) -> Finding:
        return Finding("passed", also=tuple(name for name in self.options if name in self.right))

    def _sentences(self, finding: Finding) -> tuple[str, ...]:
        named = (finding.name, *finding.also) if finding.kind == "mistake" else finding.also
        return tuple(self.say(f"why_{name}") for name in named)


@dataclass(frozen=True)
class Number(Question):
    """A number to predict. Further words: unit, mistake_X; {value} in its sentences is the right number.

    Args:
        value: computes the right number, or reads it from a recorded table.
        tolerance: how far off an answer may be, counted as `relative` says; that goes for the mistakes' numbers, too.
        low, high: the smallest and the largest answer.
        step: between two positions of the slider: their difference, or with `log` their ratio.
        log: whether the slider is logarithmic.
        relative: whether the tolerance is a part of the number, and no difference.
        mistakes: name -> computes the number to which a wrong idea leads.
    """

    value: Callable[[], float]
    tolerance: float
    low: float
    high: float
    step: float
    mistakes: Mapping[str, Callable[[], float]]
    log: bool = False
    relative: bool = False

    kind: ClassVar[str] = "number"

    _read = staticmethod(lambda answer: _number(answer))

    @cached_property
    def told(self) -> Facts:
        return {"value": float(self.value()), **self.facts()}

    def within(self, value: float) -> float:
        """How far from this number an answer may lie."""
        return self.tolerance * (abs(value) if self.relative else 1) + ROUNDING * abs(value)

    def _judge(self, number: float) -> Finding:
        got = f"{number:.6g}"
        if not isfinite(number):
            return Finding("not_finite", values={"got": got}, got=got)
        if not self.low <= number <= self.high:
            values = {"got": got, "low": f"{self.low:.10g}", "high": f"{self.high:.10g}"}
            return Finding("out_of_range", values=values, got=got)
        value = self.value()
        if abs(number - value) <= self.within(value):
            return Finding("passed", got=got)
        for name, wrong in self.mistakes.items():
            if abs(number - wrong()) <= self.within(wrong()):
                return Finding("mistake", name, got=got)
        return Finding("too_low" if number < value else "too_high", got=got)

    def _sentences(self, finding: Finding) -> tuple[str, ...]:
        own = {"mistake": f"mistake_{finding.name}", "passed": "solution_text"}
        return (self.say(own[finding.kind]),) if finding.kind in own else ()


@dataclass(frozen=True)
class Order(Question):
    """Items to put into order. Further words: item_X; before_X_Y, why X comes before Y, for each of `pairs`.

    Args:
        items: their names, in the right order.
        pairs: two names (X, Y) with a sentence of their own for whoever puts Y before X; the first such pair is told.
        others: further orders that are right as well.
    """

    items: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...] = ()
    others: tuple[tuple[str, ...], ...] = ()

    kind: ClassVar[str] = "order"

    _read = staticmethod(lambda answer: None if isinstance(answer, (str, set, frozenset)) else _names(answer))

    def _judge(self, given: list[str]) -> Finding:
        got = ", ".join(given)
        unknown = [name for name in given if name not in self.items]
        missing = [name for name in self.items if name not in given]
        twice = [name for name in self.items if given.count(name) > 1]
        for kind, found in (("unknown_item", unknown), ("missing_item", missing), ("item_twice", twice)):
            if found:
                return Finding(kind, values={"name": found[0], "names": ", ".join(sorted(self.items))}, got=got)
        if tuple(given) in (self.items, *self.others):
            return Finding("passed", got=got)
        for first, then in self.pairs:
            if given.index(then) < given.index(first):
                return Finding("mistake", f"{first}_{then}", got=got)
        number = next(i for i, name in enumerate(given) if name != self.items[i])
        return Finding("wrong_order", values={"number": str(number + 1), "name": given[number]}, got=got)

    def _sentences(self, finding: Finding) -> tuple[str, ...]:
        own = {"mistake": f"before_{finding.name}", "passed": "solution_text"}
        return (self.say(own[finding.kind]),) if finding.kind in own else ()


def _names(answer: object) -> list[str] | None:
    """One name or several, as plain words; None for anything else."""
    if isinstance(answer, str):
        return [str.strip(answer)]
    if not isinstance(answer, (list, tuple, set, frozenset)):
        return None
    names = list(answer)
    return [str.strip(name) for name in names] if all(isinstance(name, str) for name in names) else None


def _number(answer: object) -> float | None:
    """A plain number, also from a tensor that holds one; None for anything else."""
    if isinstance(answer, Tensor) and answer.numel() == 1 and not answer.is_complex():
        answer = answer.item()
    if isinstance(answer, bool) or not isinstance(answer, Real):
        return None
    try:
        return float(answer)
    except OverflowError:  # a whole number that no float can hold
        return inf
