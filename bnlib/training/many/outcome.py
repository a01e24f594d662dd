"""One run of a sweep carried out, what came of it, and that as JSON and as rows of a table."""

import math
import traceback
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from bnlib.training.config import TrainConfig
from bnlib.training.divergence import DivergedError
from bnlib.training.fashion_mnist import FashionMNIST
from bnlib.training.history import EpochRow, History
from bnlib.training.lenet import LeNet
from bnlib.training.many.grid import Plan
from bnlib.training.scoring import Scores
from bnlib.training.trainer import Moment, train


@dataclass(frozen=True)
class Divergence:
    """Where a run diverged: the epoch and the step, both from 1, the step over the whole run; the layer, or ""."""

    epoch: int
    step: int
    layer: str


@dataclass(frozen=True)
class Outcome:
    """What came of a run; one that diverged keeps the epochs it finished before."""

    history: History
    diverged: Divergence | None = None


@dataclass(frozen=True)
class Failure:
    """Why nothing came of a run."""

    reason: str


def carry_out(plan: Plan, data: FashionMNIST, device: str | torch.device, advance: Callable[[int], None]) -> Outcome:
    """What one does by hand: seed, make the model, train it.

    torch's global generator is seeded, as it is by hand.

    Args:
        advance: called after every step with the number of its examples.

    Raises:
        KeyboardInterrupt: Ctrl-C, on which `train` alone would return what there is.
        Exception: whatever `train` raises; divergence is an outcome.
    """
    config, examples = plan.config, len(data.train_labels)
    steps = math.ceil(examples / config.batch_size)

    def count(moment: Moment) -> None:
        if moment.kind == "step":
            before = (moment.step - 1) % steps * config.batch_size  # in this epoch
            advance(min(config.batch_size, examples - before))

    torch.manual_seed(config.seed)
    model = LeNet(plan.norm)
    try:
        history = train(model, data, config, device=device, progress=False, callback=count)
    except DivergedError as error:
        step = (error.epoch - 1) * steps + error.step
        return Outcome(error.history, Divergence(error.epoch, step, error.layer))
    if history.interrupted:
        raise KeyboardInterrupt
    return Outcome(history)


def in_words(error: Exception) -> str:
    """An exception in one line: its type, the first line of what it says, and where it was raised."""
    said = str(error).strip().partition("\n")[0]
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {said}{where}" if said else f"{type(error).__name__}{where}"


def to_json(outcome: Outcome) -> dict:
    """What json.dumps takes; numbers keep every bit."""
    return asdict(outcome)


def from_json(values: dict) -> Outcome:
    """The outcome that `to_json` was given.

    Raises:
        KeyError, TypeError, ValueError: it was something else.
    """
    history = {
        **values["history"],
        "rows": tuple(EpochRow(**row) for row in values["history"]["rows"]),
        "config": TrainConfig(**values["history"]["config"]),
        "scores": tuple(Scores(**{**score, "lags": tuple(score["lags"])}) for score in values["history"]["scores"]),
    }
    history["versions"] = tuple(map(tuple, history["versions"]))
    diverged = values["diverged"]
    return Outcome(History(**history), None if diverged is None else Divergence(**diverged))


def columns(names: Iterable[str]) -> list[str]:
    """The columns of a sweep's table: what the grid names, then what was found.

    `path` is the path taken; where the grid names a path as well, that one is `path_asked`.
    """
    asked = ["path_asked" if name == "path" else name for name in names]
    return [*asked, *EpochRow.__dataclass_fields__, "path", "data", "diverged_step"]


def rows(plan: Plan, outcome: Outcome, names: Iterable[str]) -> list[list]:
    """The rows of a run under `columns(names)`: one per epoch, and one without numbers if none came to its end."""
    settings, history, diverged = plan.settings(), outcome.history, outcome.diverged
    step = None if diverged is None else diverged.step
    epochs = history.rows or [EpochRow(diverged.epoch, math.nan, math.nan, math.nan, math.nan)]
    found = [history.path, history.data, step]
    return [[*(settings[name] for name in names), *asdict(row).values(), *found] for row in epochs]
