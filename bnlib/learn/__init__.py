"""Widgets that teach: live in a notebook's kernel, and in the built page without one."""

from bnlib.learn.axes import SharedStatistics
from bnlib.learn.modes import WhichMode
from bnlib.learn.noise_dial import NoiseDial
from bnlib.learn.normalize import NormalizeBatch
from bnlib.learn.playground import Playground
from bnlib.learn.projection import BackwardProjection

__all__ = ["BackwardProjection", "NoiseDial", "NormalizeBatch", "Playground", "SharedStatistics", "WhichMode"]
