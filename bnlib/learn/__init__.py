"""Widgets that teach: live in a notebook's kernel, and in the built page without one."""

from bnlib.learn.frontier import LearningRateFrontier
from bnlib.learn.lag import MovingAverageLag
from bnlib.learn.normalize import NormalizeBatch

__all__ = ["LearningRateFrontier", "MovingAverageLag", "NormalizeBatch"]
