"""A class's notebooks, graded: each is run in a process apart, and its answers are compared with the grader's own."""

from bnlib.learn.grading.channel import NotIsolated
from bnlib.learn.grading.confine import Limits
from bnlib.learn.grading.grade import Grade, grades
from bnlib.learn.grading.pages import page, table
from bnlib.learn.grading.sandbox import sandboxed

__all__ = ["Grade", "Limits", "NotIsolated", "grades", "page", "sandboxed", "table"]
