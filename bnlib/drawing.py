"""What all figures share: SVG with text as text, the same bytes on every machine, readable on light and dark pages."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO

import matplotlib.style
from matplotlib.figure import Figure

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

# Okabe & Ito's palette, told apart by the colour-blind; line styles and markers carry the same difference.
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"


@dataclass(frozen=True)
class Drawing:
    """A figure as SVG text, shown by notebooks; `description` says in words what one sees."""

    svg: str
    description: str

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {"image/svg+xml": self.svg, "text/plain": self.description}


@contextmanager
def styled() -> Iterator[None]:
    """Within it, figures are drawn in the course's style, whatever the session's own settings; these come back after.

    Make a `matplotlib.figure.Figure` there, never one of pyplot's: those belong to the session, and pile up in it.
    """
    with matplotlib.style.context(["default", _STYLE]):
        yield


def draw(figure: Figure, description: str) -> Drawing:
    """A figure, made inside of `styled`, as SVG on white ground."""
    text = StringIO()
    with warnings.catch_warnings():  # the measuring font has no Chinese; the reader's fonts, which draw it, do
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Title": description})
    return Drawing(text.getvalue().replace("'DejaVu Sans'", _READERS_FONTS), description)
