"""Widgets that teach: live in a notebook's kernel, and in the built page without one."""

from bnlib.learn.axes import SharedStatistics
from bnlib.learn.modes import WhichMode
from bnlib.learn.normalize import NormalizeBatch

__all__ = ["NormalizeBatch", "SharedStatistics", "WhichMode"]
