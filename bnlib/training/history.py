"""What a run of training leaves behind: one row per epoch, and what it was run on."""

import os
import platform
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from bnlib.language import message

if TYPE_CHECKING:  # pandas is imported when a table is asked for, matplotlib for a curve
    import pandas as pd

    from bnlib.drawing import Drawing
    from bnlib.training.config import TrainConfig
    from bnlib.training.scoring import Scores


@dataclass(frozen=True)
class EpochRow:
    """One epoch: mean loss (nats per example) and accuracy while training, and the test accuracy (0 ... 1).

    `seconds` is the wall time of its steps, their callbacks and the test scoring.
    """

    epoch: int
    loss: float
    train_accuracy: float
    test_accuracy: float
    seconds: float

    def __str__(self) -> str:
        return message("training.row", **asdict(self))


def _versions() -> tuple[tuple[str, str], ...]:
    return ("python", platform.python_version()), ("torch", str(torch.__version__))


@dataclass(frozen=True)
class History:
    """The rows of a run with its configuration, the name of its data, its device and its number of examples.

    `print(history)` shows it in the current language.
    """

    rows: tuple[EpochRow, ...]
    config: "TrainConfig"
    data: str  # "fashion-mnist" or "fashion-mnist-subset"
    device: str
    examples: int  # training examples of one epoch
    path: str = "eager"  # how the steps were run
    scores: "tuple[Scores, ...]" = ()  # of TrainConfig.score_every
    interrupted: bool = False  # before the last epoch came to its end
    norm: str = ""  # the normalization of a LeNet; "" for another model
    versions: tuple[tuple[str, str], ...] = field(default_factory=_versions)  # of the software that ran it

    @property
    def examples_per_second(self) -> float:
        """Training examples by wall time, test scoring included; nan where no epoch came to its end."""
        seconds = sum(row.seconds for row in self.rows)
        return len(self.rows) * self.examples / seconds if seconds else float("nan")

    def table(self) -> "pd.DataFrame":
        """A table of the rows: epoch, loss, train_accuracy, test_accuracy, seconds, data."""
        import pandas as pd

        columns = [*EpochRow.__dataclass_fields__, "data"]
        return pd.DataFrame([{**asdict(row), "data": self.data} for row in self.rows], columns=columns)

    def curve(self) -> "Drawing":
        """A figure of loss and accuracy by epoch, which a notebook shows.

        Raises:
            ValueError: no epoch came to its end.
        """
        if not self.rows:
            raise ValueError(message("training.no_epoch"))
        from bnlib.training.curve import learning_curve

        return learning_curve(self.rows, self.config.epochs)

    def write_csv(self, path: str | Path) -> Path:
        """Write `table()` to a file, replaced in one go: a reader meets the old file or the new one, whole.

        Returns:
            The path.

        Raises:
            OSError: the file cannot be written; an older one is then unharmed.
        """
        return replace_file(Path(path), self.table().to_csv(index=False, lineterminator="\n"))

    def write_jsonl(self, path: str | Path) -> Path:
        """Write all of it as JSON, an object a line, replaced in one go; `History.read` reads it back exactly.

        The first line holds what is said once: configuration, data, device, path, versions. Then comes a line for each
        epoch, and one for each of the scores.

        Returns:
            The path.

        Raises:
            OSError: the file cannot be written; an older one is then unharmed.
        """
        from bnlib.training import json_lines

        return replace_file(Path(path), json_lines.text(self))

    @classmethod
    def read(cls, path: str | Path) -> "History":
        """The history in a file of `write_jsonl`, equal to the one written.

        Raises:
            OSError: the file cannot be read.
            ValueError: it is something else, or from another version.
        """
        from bnlib.training import json_lines

        return json_lines.read(Path(path))

    def write_tensorboard(self, folder: str | Path) -> Path:
        """Write loss, accuracies and seconds by epoch, and the hyperparameters, for `tensorboard --logdir`.

        Args:
            folder: of this run alone; what an earlier call wrote there is replaced.

        Returns:
            The folder.

        Raises:
            ModuleNotFoundError: the package tensorboard is not installed.
            OSError: the folder cannot be written.
        """
        from bnlib.training.tensorboard import write

        return write(self, Path(folder))

    def _repr_pretty_(self, printer, cycle: bool) -> None:
        """What a notebook shows where `train` is the last line of a cell: the same as print."""
        printer.text(str(self))

    def __str__(self) -> str:
        facts = {**asdict(self.config), "data": self.data, "device": self.device, "path": self.path}
        head = message("training.ran", **facts)
        speed = message("training.speed", rate=self.examples_per_second, device=self.device)
        return "\n".join([head, *map(str, self.rows), *([speed] if self.rows else [])])


def replace_file(path: Path, text: str) -> Path:
    """Write a file whole or not at all: whoever reads meets the old one or the new one. Returns the path.

    Raises:
        OSError: it cannot be written; an older one is then unharmed.
    """
    if path.exists() and not path.is_file():  # a pipe, say: nothing to replace
        path.write_text(text, encoding="utf-8")
        return path
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8", newline="\n")
        os.replace(draft, path)
    except OSError as error:
        error.filename = str(path)  # the system names the draft, or nothing where the disk is full
        raise
    finally:
        draft.unlink(missing_ok=True)
    return path
