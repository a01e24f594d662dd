"""A history for TensorBoard: loss, accuracies and seconds by epoch, and the hyperparameters to compare runs by."""

import os
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from bnlib.language import message

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

    from bnlib.training.history import History

# tag -> column of a row; tags with an equal beginning share a section
TAGS = {
    "loss/train": "loss",
    "accuracy/train": "train_accuracy",
    "accuracy/test": "test_accuracy",
    "seconds/epoch": "seconds",
}
_OURS = ".bnlib"  # how the names of our event files end


def write(history: "History", folder: Path) -> Path:
    """Write a history's scalars, one step an epoch, and its hyperparameters into one event file.

    TensorBoard's relative time is the time of training: the last epoch ends now, the others so much earlier as they
    did.

    Args:
        folder: of this run alone; made if need be. Event files that this function wrote there before are replaced,
            everything else stays.

    Returns:
        The folder.

    Raises:
        ModuleNotFoundError: the package tensorboard is not installed.
        OSError: the folder cannot be written.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
        from torch.utils.tensorboard.summary import hparams
    except ModuleNotFoundError as error:
        if error.name != "tensorboard":
            raise
        raise ModuleNotFoundError(message("training.tensorboard_missing"), name="tensorboard") from None
    folder.mkdir(parents=True, exist_ok=True)
    older = list(folder.glob(f"events.out.tfevents.*{_OURS}"))
    with tempfile.TemporaryDirectory(dir=folder) as draft:
        with SummaryWriter(draft, filename_suffix=_OURS) as writer:
            _add(history, writer, hparams(_hyperparameters(history), dict.fromkeys(TAGS, 0.0)))
            writer.flush()  # here an error of the disk shows
        for path in Path(draft).iterdir():
            os.replace(path, folder / path.name)
    for path in older:
        path.unlink(missing_ok=True)
    return folder


def _add(history: "History", writer: "SummaryWriter", hyperparameters: tuple) -> None:
    for summary in hyperparameters:  # `writer.add_hparams` would begin another run, in a folder below this one
        writer.file_writer.add_summary(summary)
    at = time.time() - sum(row.seconds for row in history.rows)
    for row in history.rows:
        at += row.seconds
        for tag, column in TAGS.items():
            writer.add_scalar(tag, getattr(row, column), row.epoch, walltime=at)


def _hyperparameters(history: "History") -> dict[str, str | int | float]:
    facts = {"path": history.path, "norm": history.norm, "data": history.data, "device": history.device}
    return {**asdict(history.config), **facts}
