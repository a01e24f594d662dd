"""Figures, each drawn from a table: SVG with text as text, the same bytes on every machine."""

import warnings
from dataclasses import dataclass
from io import StringIO

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from bnlib.language import message

# Text is measured in the font that matplotlib ships and drawn in the reader's own: the file doesn't depend on the
# fonts of the machine that made it, and Chinese needs none to be installed there.
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "bnlib",
    "font.family": ["DejaVu Sans"],
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
}
_READERS_FONTS = "'Helvetica Neue', Arial, 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', sans-serif"

# Okabe & Ito's palette, told apart by the colour-blind; line styles carry the same difference.
_BLUE, _ORANGE, _GREEN = "#0072B2", "#D55E00", "#009E73"


@dataclass(frozen=True)
class Drawing:
    """A figure as SVG text, shown by notebooks; `description` says in words what one sees."""

    svg: str
    description: str

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {"image/svg+xml": self.svg, "text/plain": self.description}


def moving_against_recalibrated(table: pd.DataFrame) -> Drawing:
    """Test accuracy of the same weights by epoch, with moving, recalibrated and batch statistics.

    Args:
        table: of the experiment moving_statistics; thin lines are seeds, thick ones their median.
    """
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(7, 4), layout=None)
        axes = figure.add_axes((0.1, 0.15, 0.87, 0.8))
        for column, colour, style in (
            ("recalibrated", _BLUE, "-"),
            ("batch", _GREEN, ":"),
            ("moving", _ORANGE, "--"),
        ):
            by_seed = table.pivot(index="epoch", columns="seed", values=column)
            axes.plot(by_seed.index, by_seed.to_numpy(), color=colour, linestyle=style, linewidth=0.8, alpha=0.45)
            axes.plot(
                by_seed.index,
                by_seed.median(axis=1),
                color=colour,
                linestyle=style,
                linewidth=2.5,
                label=message(f"figure.{column}"),
            )
        axes.set_xlabel(message("figure.epoch"))
        axes.set_ylabel(message("figure.test_accuracy"))
        axes.set_xticks(sorted(table["epoch"].unique()))
        axes.legend(loc="lower right", frameon=False)
        return _drawing(figure, message("figure.moving_against_recalibrated"))


def _drawing(figure: Figure, description: str) -> Drawing:
    text = StringIO()
    with warnings.catch_warnings():  # the measuring font has no Chinese; the reader's fonts, which draw it, do
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Title": description})
    return Drawing(text.getvalue().replace("'DejaVu Sans'", _READERS_FONTS), description)
