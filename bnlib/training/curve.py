"""The learning curve of a run: loss, and accuracy on training and test images, by epoch."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bnlib.drawing import BLUE, GREEN, ORANGE, Drawing, draw, styled
from bnlib.language import message
from bnlib.training.history import EpochRow


def learning_curve(rows: Sequence[EpochRow], epochs: int) -> Drawing:
    """Draw the epochs so far, in the current language.

    Args:
        rows: of the epochs that are finished, at least one.
        epochs: as many as the run will have, so that the axes keep their length while the curve grows.
    """
    with styled():
        figure = Figure(figsize=(8, 3.2), layout=None)
        loss, accuracy = figure.add_axes((0.09, 0.16, 0.38, 0.72)), figure.add_axes((0.59, 0.16, 0.38, 0.72))
        _line(loss, rows, "loss", ORANGE, "-^", epochs)
        _line(accuracy, rows, "train_accuracy", BLUE, "-o", epochs)
        _line(accuracy, rows, "test_accuracy", GREEN, "--s", epochs)
        lowest = min(min(row.train_accuracy, row.test_accuracy) for row in rows)
        loss.set_ylim(bottom=0)
        accuracy.set_ylim(min(0.9, math.floor(lowest * 10) / 10), 1)
        for axes, name in ((loss, "loss"), (accuracy, "accuracy")):
            axes.set_xlim(0.5, epochs + 0.5)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
            axes.set_xlabel(message("figure.epoch"))
            axes.set_ylabel(message(f"figure.{name}"))
        accuracy.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, borderaxespad=0)
        return draw(figure, _description(rows[-1]))


def _line(axes: Axes, rows: Sequence[EpochRow], column: str, colour: str, form: str, epochs: int) -> None:
    apart = max(1, epochs // 20)  # markers that touch would hide the line
    x, y = [row.epoch for row in rows], [getattr(row, column) for row in rows]
    name = message(f"figure.{column.removesuffix('_accuracy')}")
    axes.plot(x, y, form, color=colour, linewidth=2, markersize=5, markevery=apart, label=name)


def _description(last: EpochRow) -> str:
    """In words; without the seconds, so that the same run gives the same drawing."""
    facts = {"epoch": last.epoch, "loss": last.loss, "train": last.train_accuracy, "test": last.test_accuracy}
    return message("figure.learning_curve", **facts)
