"""What came of asking an answer once: what it did, or how it failed, as plain data that can leave a process."""

import contextlib
import linecache
import os
import sys
import sysconfig
import traceback
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from bnlib.learn.attempt import SECONDS, attempt
from bnlib.learn.exercise import CodeExercise, Inputs, Seen, Unfit

CLOSE = 1e-4  # how far two numbers may lie apart, in parts of the larger and at least of 1, to count as the same
_COMPARED = (  # dtypes; the others, quantized or of 8 bits, have no arithmetic of their own
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128),
    *(torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
)
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

    kind: "raises", "late", "slow" (all calls together), or that of an Unfit. values: the fields of the sentence.
    line: of the answer, where it raised, as "3: mean = X.mean(1)"; empty if it was not in the answer.
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
    """Ask an answer once, without harm; all that `torch_as_usual` names is afterwards as it was.

    Raises:
        KeyboardInterrupt: the reader's own Ctrl-C, nothing else because of the answer.
    """
    before = {name: value.clone() for name, value in inputs.items() if isinstance(value, Tensor)}
    with torch_as_usual():
        found = attempt(lambda: plain(exercise.ask(answer, inputs)), seconds)
    changed = tuple(name for name, value in before.items() if not _as_before(value, inputs[name]))
    if found.returned:
        return Outcome(found.value, None, changed)
    if found.late:
        return Outcome({}, Failure("late", {"seconds": f"{seconds:.2g}"}), changed)
    return Outcome({}, _failure(found.error), changed)


def _as_before(value: Tensor, now: Tensor) -> bool:
    """Whether an input still has its numbers; an answer can have made anything of it."""
    return attempt(lambda: same(value, _dense("", now))).value is True


@contextlib.contextmanager
def torch_as_usual():
    """A block in torch's usual modes with random numbers of its own; afterwards all is as it was.

    Put back are torch's modes, its default dtype and device, its random numbers, its number of threads, whether it is
    deterministic and looks for anomalies; Python's limit of recursion and the working directory.
    """
    back = _settings()
    recursion = sys.getrecursionlimit()
    usual = contextlib.nullcontext() if torch.get_default_device().type == "cpu" else torch.device("cpu")
    try:
        with usual, torch.inference_mode(False), torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as all that an answer prints
            torch.default_generator.manual_seed(0)
            torch.set_default_dtype(torch.float32)
            torch.set_grad_enabled(True)
            yield
    finally:
        sys.setrecursionlimit(recursion)
        for get, put, before in back:
            if get() != before:
                put(before)


def _settings() -> list[tuple[Callable, Callable, object]]:
    """How each setting is read and written, and what it is."""
    deterministic = torch.are_deterministic_algorithms_enabled, torch.is_deterministic_algorithms_warn_only_enabled
    settings = [
        (torch.is_grad_enabled, torch.set_grad_enabled),
        (torch.get_default_dtype, torch.set_default_dtype),
        (torch.get_default_device, lambda device: torch.set_default_device(None if device.type == "cpu" else device)),
        (torch.get_num_threads, torch.set_num_threads),
        (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
        (
            lambda: [is_set() for is_set in deterministic],
            lambda modes: torch.use_deterministic_algorithms(modes[0], warn_only=modes[1]),
        ),
        (_folder, _enter),
    ]
    return [(get, put, get()) for get, put in settings]


def _folder() -> str | None:
    """The working directory; None where it has been deleted."""
    with contextlib.suppress(FileNotFoundError):
        return os.getcwd()
    return None


def _enter(folder: str | None) -> None:
    with contextlib.suppress(OSError, TypeError):  # what the answer has deleted can't be entered again
        os.chdir(folder)


def plain(seen: Seen) -> Seen:
    """The same as copies without history or classes of the answer's own.

    Raises:
        Unfit: if something is neither a tensor nor a number, a truth value or words.
    """
    return {name: _plain(name, value) for name, value in seen.items()}


def _plain(name: str, value: object) -> object:
    if isinstance(value, Tensor):
        return _dense(name, value)
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return float(value) if kind is int else kind(value)  # a whole number without end is an error here
    if value is None:
        raise Unfit("nothing", name=name)
    raise Unfit("type", name=name, got=type(value).__name__, expected="Tensor")


def _dense(name: str, value: Tensor) -> Tensor:
    """A copy with numbers that can be compared: a sparse tensor written out, others than dense ones are refused."""
    value = value.detach()
    form = "nested" if value.is_nested else value.device if value.is_meta else value.dtype
    if value.is_nested or value.is_meta or value.dtype not in _COMPARED:
        raise Unfit("type", name=name, got=f"Tensor ({form})", expected="Tensor")
    dense = value if value.layout == torch.strided else value.to_dense()
    return dense.as_subclass(Tensor).cpu().resolve_conj().resolve_neg().clone()


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
