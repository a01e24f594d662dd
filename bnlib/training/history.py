"""What a run of training leaves behind: one row per epoch, and what it was run on."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bnlib.language import message

if TYPE_CHECKING:  # pandas is imported when a table is asked for
    import pandas as pd

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

    def write_csv(self, path: str | Path) -> Path:
        """Write `table()` to a file, replaced in one go: a reader meets the old file or the new one, whole.

        Returns:
            The path.

        Raises:
            OSError: the file cannot be written; an older one is then unharmed.
        """
        path = Path(path)
        text = self.table().to_csv(index=False, lineterminator="\n")
        if path.exists() and not path.is_file():  # a pipe, say: nothing to replace
            path.write_text(text, encoding="utf-8")
            return path
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            draft.write_text(text, encoding="utf-8")
            os.replace(draft, path)
        finally:
            draft.unlink(missing_ok=True)
        return path

    def __str__(self) -> str:
        head = message("training.ran", data=self.data, device=self.device, **asdict(self.config))
        speed = message("training.speed", rate=self.examples_per_second, device=self.device)
        return "\n".join([head, *map(str, self.rows), *([speed] if self.rows else [])])
