"""What came of asking an answer once: what it did, or how it failed, as plain data that can leave a process."""

import linecache
import sysconfig
import traceback
import warnings
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from bnlib.learn.attempt import SECONDS, attempt
from bnlib.learn.exercise import CodeExercise, Inputs, Seen, Unfit

CLOSE = 1e-4  # how far two numbers may lie apart, in parts of the larger and at least of 1, to count as the same
_NOT_THE_ANSWER = (  # where a line is not the learner's: the checker, torch, Python's own, what is installed
    str(Path(__file__).parent),
    str(Path(torch.__file__).parent),
    sysconfig.get_path("stdlib"),
    sysconfig.get_path("purelib"),
    "<frozen",
)


@dataclass(frozen=True)
class Failure:
    """Why there is nothing to compare.

    kind: "raises", "late", or that of an Unfit. values: the fields of the sentence. line: of the answer, where it
    raised, as "3: mean = X.mean(1)"; empty if it was not in the answer.
    """

    kind: str
    values: Mapping[str, str] = field(default_factory=dict)
    line: str = ""


@dataclass(frozen=True)
class Outcome:
    """seen: what the answer did, empty after a failure. changed: the inputs that it wrote into."""

    seen: Seen
    failure: Failure | None = None
    changed: tuple[str, ...] = ()


def look(exercise: CodeExercise, answer: object, inputs: Inputs, seconds: float = SECONDS) -> Outcome:
    """Ask an answer once, without harm; torch's modes and random numbers are afterwards as they were.

    Raises:
        KeyboardInterrupt: the reader's own Ctrl-C, nothing else because of the answer.
    """
    before = {name: value.clone() for name, value in inputs.items() if isinstance(value, Tensor)}
    with torch_as_usual():
        found = attempt(lambda: plain(exercise.ask(answer, inputs)), seconds)
    changed = tuple(name for name, value in before.items() if not same(value, inputs[name]))
    if found.returned:
        return Outcome(found.value, None, changed)
    if found.late:
        return Outcome({}, Failure("late", {"seconds": f"{seconds:.2g}"}), changed)
    return Outcome({}, _failure(found.error), changed)


@contextmanager
def torch_as_usual():
    """A block in torch's usual modes with random numbers of its own; afterwards all is as it was."""
    grad, dtype = torch.is_grad_enabled(), torch.get_default_dtype()
    try:
        with torch.inference_mode(False), torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as all that an answer prints
            torch.default_generator.manual_seed(0)
            torch.set_default_dtype(torch.float32)
            torch.set_grad_enabled(True)
            yield
    finally:
        torch.set_grad_enabled(grad)
        torch.set_default_dtype(dtype)


def plain(seen: Seen) -> Seen:
    """The same as copies without history or classes of the answer's own.

    Raises:
        Unfit: if something is neither a tensor nor a number, a truth value or words.
    """
    return {name: _plain(name, value) for name, value in seen.items()}


def _plain(name: str, value: object) -> object:
    if isinstance(value, Tensor):
        dense = value.detach() if value.layout == torch.strided else value.detach().to_dense()
        return dense.as_subclass(Tensor).cpu().clone()
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return float(value) if kind is int else kind(value)  # a whole number without end is an error here
    if value is None:
        raise Unfit("nothing", name=name)
    raise Unfit("type", name=name, got=type(value).__name__, expected="Tensor")


def _failure(error: BaseException) -> Failure:
    if isinstance(error, Unfit):
        return Failure(error.kind, error.values)
    text = attempt(lambda: str(error), 1).value  # an exception of the answer's own may fail to say what it is
    words = " ".join(str(text or "").split())
    return Failure("raises", {"error": type(error).__name__, "message": words[:300]}, _line(error))


def _line(error: BaseException) -> str:
    """The innermost line of the answer's own on the way to the error."""
    found = ""
    for frame, number in traceback.walk_tb(error.__traceback__):
        name = frame.f_code.co_filename
        if not name.startswith(_NOT_THE_ANSWER):
            found = f"{number}: {linecache.getline(name, number).strip()}".rstrip(": ")
    return found


def same(a: object, b: object) -> bool:
    """Whether two things seen are the same up to rounding: shape, and numbers of any dtype; NaN is like NaN."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        if a.shape != b.shape or a.is_complex() or b.is_complex():
            return False
        a, b = a.detach().double(), b.detach().double()
        scale = torch.maximum(a.abs(), b.abs()).clamp(min=1)
        near = (a - b).abs() <= CLOSE * scale
        return bool(((near & a.isfinite() & b.isfinite()) | (a == b) | (a.isnan() & b.isnan())).all())
    if isinstance(a, float) and isinstance(b, float):
        return same(torch.tensor(a), torch.tensor(b))
    return type(a) is type(b) and a == b


def alike(a: Outcome, b: Outcome) -> bool:
    """Whether the second answer did all that the first did, or raised an error of the same kind."""
    if a.failure or b.failure:
        kinds = [(o.failure.kind, o.failure.values.get("error")) if o.failure else None for o in (a, b)]
        return kinds[0] == kinds[1]
    return all(name in b.seen and same(value, b.seen[name]) for name, value in a.seen.items())
