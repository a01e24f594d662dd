"""How series are told apart: each look is a colour, a dash and a marker together, so that colour is never alone.

The colours are Okabe & Ito's, told apart by the colour-blind; blue and purple are darker, to differ from green and from
each other in lightness too, and to stand out on white. A page on a dark ground has brighter ones in their places
(book/static/figures.css). Source: Okabe & Ito (2008), https://jfly.uni-koeln.de/color/.
"""

from dataclasses import dataclass

INK_COLOUR, GRID_COLOUR = "#1b1f24", "#d5dae0"


@dataclass(frozen=True)
class Look:
    """name: of the SVG class series-NAME. dash and marker: as matplotlib writes them, "" for no marker.

    hollow: whether the marker is an outline, so that another one shows within.
    """

    name: str
    colour: str
    dash: str | tuple
    marker: str
    size: float = 6
    hollow: bool = False

    def line(self) -> dict:
        """As keyword arguments of `axes.plot` and `axes.errorbar`: dash and marker."""
        return {"linestyle": self.dash, "linewidth": 2, "gid": f"series-{self.name}", **self.points()}

    def points(self) -> dict:
        """As keyword arguments of `axes.plot`: the marker alone."""
        return {
            "color": self.colour,
            "marker": self.marker,
            "markersize": self.size,
            "markerfacecolor": "none" if self.hollow else self.colour,
            "markeredgewidth": 1.6 if self.hollow else 0,
        }

    def thin(self) -> dict:
        """As keyword arguments of `axes.plot`: a line in the background, one of many."""
        return {"color": self.colour, "linestyle": self.dash, "linewidth": 0.8}


BLUE = Look("blue", "#00639c", "-", "o")
ORANGE = Look("orange", "#d55e00", (0, (4, 2)), "^", 7)
GREEN = Look("green", "#009e73", (0, (1, 1.2)), "s", 8, hollow=True)
PURPLE = Look("purple", "#a03070", (0, (5, 1.5, 1, 1.5)), "D", 6)
INK = Look("ink", INK_COLOUR, (0, (1, 2.5)), "")  # for a level, not for data
LOOKS = (BLUE, ORANGE, GREEN, PURPLE, INK)
