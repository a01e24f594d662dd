"""What questions read from recorded tables: means over runs, and figures."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from bnlib import lab

if TYPE_CHECKING:
    from bnlib.drawing import Drawing


def mean(experiment: str, column: str, **where: object) -> float:
    """The mean of a column over the rows that have these values; over their last epoch, where there are epochs.

    Raises:
        ValueError: no row has these values.
    """
    rows = lab.load(experiment)
    for name, value in where.items():
        rows = rows[rows[name] == value]
    if rows.empty:
        raise ValueError(f"expected rows of {experiment} with {where}; found none")
    if "epoch" in rows and "epoch" not in where:
        rows = rows[rows["epoch"] == rows["epoch"].max()]
    return float(rows[column].mean())


def figure(experiment: str, name: str = "") -> "Callable[[], Drawing]":
    """Draws an experiment's figure; name: of the function, where it is not that of the experiment."""

    def draw() -> "Drawing":
        from bnlib.lab import figures  # matplotlib, only to draw

        return getattr(figures, name or experiment)(lab.load(experiment))

    return draw
