"""The learning curve of a run: loss, and accuracy on training and test images, by epoch."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from bnlib.drawing import BLUE, ORANGE, Data, Drawing, Look, draw, end_margin, label_ends, panels, styled
from bnlib.language import message
from bnlib.training.history import EpochRow

_COLUMNS = ("loss", "train_accuracy", "test_accuracy")


def learning_curve(rows: Sequence[EpochRow], epochs: int) -> Drawing:
    """Draw the epochs so far, in the current language.

    Args:
        rows: of the epochs that are finished, at least one.
        epochs: as many as the run will have, so that the axes keep their length while the curve grows.
    """
    names = [message("figure.train"), message("figure.test")]
    with styled():
        across = message("figure.epoch")
        up = [(across, message("figure.loss")), (across, message("figure.accuracy"))]
        figure, (loss, accuracy) = panels(up, right=end_margin(names))
        for axes in (loss, accuracy):
            axes.set_xlim(0.5, epochs + 0.5)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        _line(loss, rows, "loss", BLUE, epochs)
        _line(accuracy, rows, "train_accuracy", BLUE, epochs)
        _line(accuracy, rows, "test_accuracy", ORANGE, epochs)
        loss.set_ylim(bottom=0)
        accuracy.set_ylim(_floor(rows), 1)
        last = rows[-1]
        ends = zip((BLUE, ORANGE), names, (last.train_accuracy, last.test_accuracy), strict=True)
        label_ends(accuracy, [(look, name, last.epoch, height) for look, name, height in ends])
        return draw(
            figure, title=message("figure.title_learning_curve"), description=_description(rows), data=_data(rows)
        )


def _line(axes: Axes, rows: Sequence[EpochRow], column: str, look: Look, epochs: int) -> None:
    apart = max(1, epochs // 20)  # markers that touch would hide the line
    x, y = [row.epoch for row in rows], [getattr(row, column) for row in rows]
    axes.plot(x, y, **look.line(), markevery=apart)


def _floor(rows: Sequence[EpochRow]) -> float:
    """Where the axis of accuracies begins: at a tenth below all of them, at 0.9 or lower."""
    found = [accuracy for row in rows for accuracy in (row.train_accuracy, row.test_accuracy)]
    return min([0.9, *(math.floor(accuracy * 10) / 10 for accuracy in found if math.isfinite(accuracy))])


def _data(rows: Sequence[EpochRow]) -> Data:
    return Data(
        (message("figure.epoch"), *(message(f"figure.{name}") for name in _COLUMNS)),
        tuple((str(row.epoch), *(f"{getattr(row, name):.4f}" for name in _COLUMNS)) for row in rows),
    )


def _description(rows: Sequence[EpochRow]) -> str:
    """In words; without the seconds, so that the same run gives the same drawing."""
    said = message("figure.learning_curve")
    for row in rows[:: max(1, len(rows) - 1)]:  # the first and the last
        facts = {"epoch": row.epoch, "loss": row.loss, "train": row.train_accuracy, "test": row.test_accuracy}
        said = message("figure.sentences", one=said, two=message("figure.learning_curve_epoch", **facts))
    return said
