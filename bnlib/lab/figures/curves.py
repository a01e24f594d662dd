"""What most figures of experiments are: curves over a number, each the mean of several runs with their reach.

A panel names its axes and its curves; bars, or bands where marks stand close, reach from the lowest run to the highest.
Numbers for the table of data and for the description come from the same runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from bnlib.drawing import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    Data,
    Drawing,
    Look,
    draw,
    end_margin,
    label_ends,
    panels,
    styled,
)
from bnlib.language import message

CLOSE = 24  # marks in a panel: with more of them a curve is a line with a band
ARMS = {"batch": BLUE, "none": ORANGE}  # with and without normalization, the same in all figures
MORE = (GREEN, PURPLE)  # for further arms


@dataclass(frozen=True)
class Curve:
    """look and name of a curve; runs: its x values as index, a column for each run, missing where a run has none."""

    look: Look
    name: str
    runs: pd.DataFrame

    def mean(self) -> pd.Series:
        return self.runs.mean(axis=1)


@dataclass(frozen=True)
class Panel:
    """x, y: what the axes measure, with units. ticks: on the x axis; None for matplotlib's.

    log: the logarithmic axes, "", "x", "y" or "xy"; an x of 0 stands a decade below the next. level: a height with its
    name, drawn as a thin line. floor: of y.
    """

    x: str
    y: str
    curves: tuple[Curve, ...]
    log: str = ""
    ticks: Sequence[float] | None = None
    level: tuple[float, str] | None = None
    floor: float | None = None


def runs(table: pd.DataFrame, x: str, y: str, run: str = "seed", **where: object) -> pd.DataFrame:
    """A column of a table as the runs of a curve: index x, a column per run.

    Args:
        where: columns with the value that a row has to have.

    Raises:
        ValueError: no row has these values.
    """
    for name, value in where.items():
        table = table[table[name] == value]
    if table.empty:
        raise ValueError(f"expected rows with {where}; found none")
    return table.pivot_table(index=x, columns=run, values=y)


def curves(title: str, description: str, shown: Sequence[Panel], experiment: str) -> Drawing:
    """The figure.

    Args:
        title: a few words; description: what one sees, with its numbers.
        experiment: whose recorded table holds every run.
    """
    names = [curve.name for panel in shown for curve in panel.curves]
    with styled():
        figure, found = panels([(panel.x, panel.y) for panel in shown], right=end_margin(names))
        for axes, panel in zip(found, shown, strict=True):
            _draw(axes, panel)
        return draw(figure, title=title, description=description, data=_data(shown, experiment))


def _draw(axes: Axes, panel: Panel) -> None:
    if "x" in panel.log:
        places = {float(x) for curve in panel.curves for x in curve.runs.index}
        threshold = {"linthresh": min(places - {0.0}), "linscale": 0.9} if 0 in places else {}  # 0.9: a decade
        axes.set_xscale("symlog" if threshold else "log", **threshold)
    if "y" in panel.log:
        axes.set_yscale("log")
        axes.yaxis.set_minor_locator(NullLocator())
    if panel.ticks is not None:
        axes.set_xticks(list(panel.ticks), labels=[f"{tick:g}" for tick in panel.ticks])
        axes.xaxis.set_minor_locator(NullLocator())
    ends = []
    for curve in panel.curves:
        low, high, mean = curve.runs.min(axis=1), curve.runs.max(axis=1), curve.mean()
        if len(mean) > CLOSE:
            axes.fill_between(mean.index, low, high, color=curve.look.colour, alpha=0.25, linewidth=0)
            axes.plot(mean.index, mean, **{**curve.look.line(), "marker": ""})
        else:
            axes.vlines(mean.index, low, high, color=curve.look.colour, linewidth=1.5)
            axes.plot(mean.index, mean, **curve.look.line())
        ends.append((curve.look, curve.name, mean.dropna().index[-1], mean.dropna().iloc[-1]))
    if panel.floor is not None:
        axes.set_ylim(bottom=panel.floor)
    if panel.level is not None:
        height, name = panel.level
        axes.axhline(height, **INK.line())
        place = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
        axes.annotate(name, (0, height), xytext=(4, 6), **place)
    axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim())  # names are placed by the limits, and must not move them
    label_ends(axes, ends)


def _data(shown: Sequence[Panel], experiment: str) -> Data:
    """A row per x; of each curve the mean, the lowest and the highest run, or the value where there is one run."""
    columns: dict[str, pd.Series] = {}
    for panel in shown:
        for curve in panel.curves:
            what = message("figure.of_panel", what=panel.y, name=curve.name)
            if curve.runs.shape[1] == 1:
                columns[what] = curve.runs.iloc[:, 0]
                continue
            found = {"mean": curve.mean(), "lowest": curve.runs.min(axis=1), "highest": curve.runs.max(axis=1)}
            for kind, values in found.items():
                columns[message("figure.column", what=what, kind=message(f"figure.{kind}"))] = values
    rows = pd.DataFrame(columns).sort_index()
    return Data(
        (shown[0].x, *columns),
        tuple((f"{x:g}", *("" if pd.isna(v) else f"{v:.4g}" for v in values)) for x, *values in rows.itertuples()),
        message("figure.every_run", name=experiment),
    )
