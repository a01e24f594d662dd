"""The style and the shape of figures: panels beside each other, each drawn for the width of a phone.

A panel is a subfigure as wide as a phone's column, so that a page can put panels below each other where there is no
room for two. Margins are fixed, nothing is measured: the file doesn't depend on the fonts of the machine that made it.
Text is drawn in the reader's own fonts, Chinese included.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation

from bnlib.drawing.look import GRID_COLOUR, INK_COLOUR, Look

WIDTH, HEIGHT = 360, 260  # of a panel, in points of 1/72 inch, which are the SVG's units
FONT = 13  # 12.4 pixels on a phone of 390, where a panel is 342 wide
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 32, 46  # around the axes of a panel
LINE = 17  # from one line of text to the next
KEY, GAP = 15, 7  # from the end of a line to its label's marker; from there to the text

_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "bnlib",
    "figure.dpi": 72,
    "font.family": ["DejaVu Sans"],  # comes with matplotlib; svg.py names the reader's fonts
    "font.size": FONT,
    "text.color": INK_COLOUR,
    "axes.labelcolor": INK_COLOUR,
    "axes.edgecolor": INK_COLOUR,
    "axes.facecolor": "none",
    "axes.titlesize": FONT,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": GRID_COLOUR,
    "xtick.color": INK_COLOUR,
    "ytick.color": INK_COLOUR,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "image.cmap": "cividis",  # the same to all eyes, and in lightness alone
}


@contextmanager
def styled() -> Iterator[None]:
    """Within it, figures are drawn in the course's style, whatever the session's own settings; these come back after.

    Make figures by `panels` there, never by pyplot: those belong to the session, and pile up in it.
    """
    with matplotlib.style.context(["default", _STYLE]):
        yield


def panels(names: Sequence[tuple[str, str]], right: float = RIGHT, height: float = HEIGHT) -> tuple[Figure, list[Axes]]:
    """A figure of panels from left to right, and their axes.

    Args:
        names: for each panel what its x axis and its y axis measure, with units. The latter stands above the panel.
        right: of each panel's width, what its axes leave free (`end_margin`).
        height: of the figure. It and `right` are in units of the SVG.
    """
    count = len(names)
    figure = Figure(figsize=(count * WIDTH / 72, height / 72), layout=None)
    parts = figure.subfigures(1, count, squeeze=False, wspace=0)[0]
    found = []
    for number, (part, (x, y)) in enumerate(zip(parts, names, strict=True)):
        part.set_gid(f"panel-{number}")
        inner = (WIDTH - LEFT - right) / WIDTH, (height - TOP - BOTTOM) / height
        axes = part.add_axes((LEFT / WIDTH, BOTTOM / height, *inner))
        axes.set_xlabel(x)
        axes.annotate(y, (0, 1), xycoords="axes fraction", xytext=(4 - LEFT, 14), textcoords="offset points")
        found.append(axes)
    return figure, found


def label_ends(axes: Axes, ends: Sequence[tuple[Look, str, float, float]]) -> None:
    """Name lines where they end: look, name and last point of each. Call it when the axes have their limits.

    Names that would touch are moved apart, and a thin line then leads from the end of the line to its name.
    """
    drawn = [end for end in ends if math.isfinite(end[2]) and math.isfinite(end[3])]
    places = [axes.transData.transform(end[2:])[1] for end in drawn]
    low, high = axes.transAxes.transform([(0, 0), (0, 1)])[:, 1]
    for (look, name, x, y), place, apart in zip(drawn, places, _apart(places, low, high), strict=True):
        up = apart - place
        moved = axes.transData + ScaledTranslation(KEY / 72, up / 72, axes.figure.dpi_scale_trans)
        axes.plot([x], [y], **look.points(), transform=moved, clip_on=False)
        offset = {"xycoords": "data", "textcoords": "offset points", "annotation_clip": False}
        axes.annotate(name, (x, y), xytext=(KEY + GAP, up - 0.36 * FONT), **offset)
        if abs(up) > 2:
            arrow = {"arrowstyle": "-", "color": look.colour, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0}
            axes.annotate("", (x, y), xytext=(KEY - look.size / 2, up), **offset, arrowprops=arrow)


def _apart(places: Sequence[float], low: float, high: float) -> list[float]:
    """The places, moved as little as needed to be a line of text apart, none above the upper end of the axis."""
    order = sorted(range(len(places)), key=places.__getitem__)
    moved = [min(max(places[number], low), high) for number in order]
    for _ in range(200):
        for lower, upper in pairwise(range(len(moved))):
            lack = LINE - (moved[upper] - moved[lower])
            if lack > 0:
                moved[lower], moved[upper] = moved[lower] - lack / 2, moved[upper] + lack / 2
        over = max(0.0, moved[-1] - high) if moved else 0.0
        moved = [place - over for place in moved]
    return [place for _, place in sorted(zip(order, moved, strict=True))]


def end_margin(names: Sequence[str]) -> float:
    """What panels leave free on the right for the names that `label_ends` writes."""
    return KEY + GAP + max(map(text_width, names)) + 2


def text_width(text: str) -> float:
    """About as wide as a reader's font draws it, rather too much: Chinese characters are square."""
    return FONT * sum(1.0 if ord(character) > 0x2E7F else 0.57 for character in text)
