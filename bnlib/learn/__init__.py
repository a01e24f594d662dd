"""Widgets that teach, live in a notebook's kernel and in the built page without one; and exercises that answer back."""

from bnlib.learn.axes import SharedStatistics
from bnlib.learn.board import Board, progress
from bnlib.learn.card import Exercise
from bnlib.learn.checker import check
from bnlib.learn.frontier import LearningRateFrontier
from bnlib.learn.lag import MovingAverageLag
from bnlib.learn.modes import WhichMode
from bnlib.learn.noise_dial import NoiseDial
from bnlib.learn.normalize import NormalizeBatch
from bnlib.learn.playground import Playground
from bnlib.learn.projection import BackwardProjection

__all__ = [
    "check",
    "progress",
    "BackwardProjection",
    "Board",
    "Exercise",
    "LearningRateFrontier",
    "MovingAverageLag",
    "NoiseDial",
    "NormalizeBatch",
    "Playground",
    "SharedStatistics",
    "WhichMode",
]
