"""Widgets that teach: live in a notebook's kernel, and in the built page without one."""

from bnlib.learn.normalize import NormalizeBatch
from bnlib.learn.playground import Playground

__all__ = ["NormalizeBatch", "Playground"]
