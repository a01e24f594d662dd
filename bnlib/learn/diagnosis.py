"""What is wrong with an answer: a known mistake, a general failure, or a law that it breaks, with the smallest input.

It works on outcomes alone. Whoever has the answer elsewhere, as in another process, passes a `look` that asks there.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import takewhile

import torch
from torch import Tensor

from bnlib.learn.exercise import CodeExercise, Inputs, Seen
from bnlib.learn.outcome import Outcome, alike, look, plain, same, torch_as_usual
from bnlib.learn.show import show_difference, show_inputs

Look = Callable[[Inputs], Outcome]


@dataclass(frozen=True)
class Finding:
    """What to tell the learner.

    kind: "passed", "mistake", "property", "differs", "changed", "shape", "type", "dtype", "nan", or that of a Failure.
    name: of the mistake or of the property. also: mistakes seen besides it. values: the fields of a general sentence.
    line: of the answer, where it raised. input, got, expected: as they are shown; empty where there is none.
    """

    kind: str
    name: str = ""
    also: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    line: str = ""
    input: str = ""
    got: str = ""
    expected: str = ""


@dataclass(frozen=True)
class Case:
    """One input, what a right answer does with it, and what this answer did."""

    make: Callable[[], Inputs]
    right: Outcome
    outcome: Outcome

    @property
    def fails(self) -> bool:
        return not alike(self.right, self.outcome)

    def finding(self, kind: str, key: str = "", **more) -> Finding:
        """A finding that shows this input, and what came and should have come under a key."""
        shown = ("", "")
        if key and not self.outcome.failure:
            shown = show_difference(key, self.outcome.seen[key], self.right.seen[key])
        return Finding(kind, input=show_inputs(self.make()), got=shown[0], expected=shown[1], **more)


class _Broken(Exception):  # noqa: N818 - ends a law's check where the answer fails in another way
    def __init__(self, finding: Finding) -> None:
        self.finding = finding


@torch_as_usual()
def diagnose(exercise: CodeExercise, look_at: Look, seed: int) -> Finding:
    """Compare an answer with the right one and the wrong ones, then try the laws.

    Args:
        exercise: with the answers to compare with.
        look_at: inputs -> what the answer did with them.
        seed: of the random inputs that come on top of those that are always the same.
    """
    cases = []
    for make in _makers(exercise, seed):
        cases.append(Case(make, _truth(exercise, make()), look_at(make())))
        if cases[-1].outcome.failure and cases[-1].outcome.failure.kind in ("late", "slow"):
            return _in_order(cases)  # the rest would take as long again
    known = None
    if any(case.fails for case in cases):
        known = _mistake(exercise, cases) or _mistakes(exercise, cases)
    return known or _in_order(cases, lambda before: _law(exercise, look_at, before))


def _in_order(cases: list[Case], law: Callable[[list[Case]], Finding | None] = lambda before: None) -> Finding:
    """What is wrong on the first input that shows it: other numbers come before an exception on a later one."""
    before = list(takewhile(lambda case: not _general(case), cases))
    if len(before) < len(cases) and not any(case.fails for case in before):
        return _general(cases[len(before)])
    return law(before) or _rest(before)


def _truth(exercise: CodeExercise, inputs: Inputs) -> Outcome:
    return Outcome(plain(exercise.ask(exercise.right, inputs)))


def _makers(exercise: CodeExercise, seed: int) -> list[Callable[[], Inputs]]:
    """The inputs that are always the same, from the smallest; then others of the same forms."""

    def maker(make, number):
        return lambda: make(torch.Generator().manual_seed(number))

    return [maker(make, start + i) for start in (0, seed) for i, make in enumerate(exercise.inputs)]


def _mistake(exercise: CodeExercise, cases: list[Case]) -> Finding | None:
    """The mistake that does the same on all inputs."""
    for name, wrong in _known(exercise, cases):
        if all(alike(case.outcome, look(exercise, wrong, case.make())) for case in cases):
            case = next(case for case in cases if case.fails)
            if case.outcome.failure:
                return case.finding("mistake", name=name, line=case.outcome.failure.line)
            return case.finding("mistake", key=_different(case), name=name)
    return None


def _known(exercise: CodeExercise, cases: list[Case]) -> Iterator[tuple[str, Callable]]:
    """The mistakes by name; after these, what can be fitted to a whole and sound answer."""
    yield from exercise.mistakes.items()
    if not any(case.outcome.failure or _unfit_anywhere(case) for case in cases):
        for name, fit in exercise.fitted.items():
            wrong = fit([(case.make(), case.outcome.seen) for case in cases])
            if wrong:
                yield name, wrong


def _mistakes(exercise: CodeExercise, cases: list[Case]) -> Finding | None:
    """Mistakes made together: what is seen first to be wrong is wrong on all inputs just as with one of them.

    The broken program of a repair is none of them: half of what it does is not what it does.
    """
    if any(case.outcome.failure or _unfit_anywhere(case) for case in cases):
        return None
    wrong = [key for key in cases[0].right.seen if any(not _like(case, case.right, key) for case in cases)]
    parts = [name for name, answer in exercise.mistakes.items() if answer is not exercise.start]
    explained = {name: _explained(exercise, name, cases, wrong) for name in parts}
    chosen, left = [], set(wrong)
    while any(keys & left for keys in explained.values()):
        chosen.append(max(explained, key=lambda name: len(explained[name] & left)))
        left -= explained[chosen[-1]]
    first = [name for name in chosen if wrong[0] in explained[name]]
    if not first:
        return None
    case = next(case for case in cases if not _like(case, case.right, wrong[0]))
    also = tuple(name for name in chosen if name != first[0])
    return case.finding("mistake", key=wrong[0], name=first[0], also=also)


def _explained(exercise: CodeExercise, name: str, cases: list[Case], wrong: list[str]) -> set[str]:
    """What is seen to be wrong just as with a known mistake, on all inputs.

    Nothing, if that would do more harm, if what is telling of it is not among it, or if it leaves sound what is wrong.
    """
    others = [look(exercise, exercise.mistakes[name], case.make()) for case in cases]
    pairs = list(zip(cases, others, strict=True))
    harm = {key for key in cases[0].right.seen if any(not _like(case, other, key, case.right) for case, other in pairs)}
    if not harm <= set(wrong) or set(wrong) & set(exercise.sound.get(name, ())):
        return set()
    found = {key for key in wrong if all(_like(case, other, key) for case, other in pairs)}
    return found if found.issuperset(exercise.telling.get(name, harm if exercise.start else ())) else set()


def _unfit_anywhere(case: Case) -> bool:
    return any(_unfit(key, case.outcome.seen, right) for key, right in case.right.seen.items())


def _like(case: Case, other: Outcome, key: str, one: Outcome | None = None) -> bool:
    """Whether something is seen of another outcome as of the answer's, or of a third."""
    return key in other.seen and same((one or case.outcome).seen[key], other.seen[key])


def _different(case: Case) -> str:
    """What was seen otherwise than with the right answer: the first by name."""
    seen, right = case.outcome.seen, case.right.seen
    return next((key for key in right if key in seen and not same(seen[key], right[key])), "")


def _general(case: Case) -> Finding | None:
    """The failure that any answer can have, if there is one on this input."""
    failure = case.outcome.failure
    if failure:
        return case.finding(failure.kind, values=failure.values, line=failure.line)
    for key, right in case.right.seen.items():
        found = _unfit(key, case.outcome.seen, right)
        if found:
            return case.finding(found[0], key=key if found[0] == "nan" else "", values=found[1])
    if case.outcome.changed:
        return case.finding("changed", values={"name": case.outcome.changed[0]})
    return None


def _unfit(key: str, seen: Seen, right: object) -> tuple[str, dict[str, str]] | None:
    """Whether something seen is of another type or shape than the right one, or no number."""
    if key not in seen:
        return "missing", {"name": key}
    got = seen[key]
    if isinstance(right, Tensor) != isinstance(got, Tensor):
        return "type", {"name": key, "got": type(got).__name__, "expected": type(right).__name__}
    if isinstance(right, Tensor):
        if got.is_floating_point() != right.is_floating_point():
            return "type", {"name": key, "got": str(got.dtype), "expected": str(right.dtype)}
        if got.shape != right.shape:
            return "shape", {"name": key, "got": str(tuple(got.shape)), "expected": str(tuple(right.shape))}
        if right.isfinite().all() and not got.isfinite().all():
            return "nan", {"name": key}
    return None


def _law(exercise: CodeExercise, look_at: Look, cases: list[Case]) -> Finding | None:
    """The first law that the answer breaks, on the smallest input that shows it."""

    def ask(inputs: Inputs) -> Seen:
        copies = [{name: _copy(value) for name, value in inputs.items()} for _ in range(3)]
        case = Case(lambda: copies[0], _truth(exercise, copies[1]), look_at(copies[2]))
        unfit = _general(case)
        if unfit:
            raise _Broken(unfit)
        return case.outcome.seen

    for law in exercise.properties:
        for case in cases:
            try:
                broken = law.broken(ask, case.make())
            except _Broken as other:
                if any(case.fails for case in cases):
                    continue  # what is wrong on one of the inputs themselves comes first
                return other.finding
            if broken:
                return Finding("property", law.name, input=show_inputs(case.make()), got=broken)
    return None


def _copy(value: object) -> object:
    return value.clone() if isinstance(value, Tensor) else value


def _rest(cases: list[Case]) -> Finding:
    """What no law has found: other numbers than the right ones, or of another dtype; else the answer is right."""
    for case in cases:
        if case.fails:
            key = _different(case)
            return case.finding("differs", key=key, values={"name": key})
    for case in cases:
        for key, right in case.right.seen.items():
            if isinstance(right, Tensor) and case.outcome.seen[key].dtype != right.dtype:
                dtypes = {"got": str(case.outcome.seen[key].dtype), "expected": str(right.dtype)}
                return case.finding("dtype", values={"name": key, **dtypes})
    return Finding("passed")
