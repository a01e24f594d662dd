"""What all figures share: their looks and panels; SVG, the same bytes on every machine, with its words and data."""

from bnlib.drawing.drawing import Data, Drawing
from bnlib.drawing.look import BLUE, GREEN, INK, LOOKS, ORANGE, PURPLE, Look
from bnlib.drawing.panels import end_margin, label_ends, panels, styled
from bnlib.drawing.svg import draw

__all__ = [
    "BLUE",
    "GREEN",
    "INK",
    "LOOKS",
    "ORANGE",
    "PURPLE",
    "Data",
    "Drawing",
    "Look",
    "draw",
    "end_margin",
    "label_ends",
    "panels",
    "styled",
]
