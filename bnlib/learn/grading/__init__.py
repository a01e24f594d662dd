"""A class's notebooks, graded: each is run in a process apart, and its answers are compared with the grader's own.

What this can't tell: whose answer it was. A notebook runs in the same process as the questions that are then put to
its answers, and the library with its solutions lies in that process, too. So a notebook can always answer from a
copied solution, or have the questions answered by the library's. Functions that a notebook replaces in `bnlib.learn`
are not used any more once the worker has started, and changes to them are told (`unchanged`), as is the name of the
module with the solutions; whoever hides either is not found out. While a notebook runs, its `check` reports a right
answer whatever it is given, so that no assertion stops the notebook; the judgement comes later, in the grader.
"""

from bnlib.learn.grading.channel import NotIsolated
from bnlib.learn.grading.confine import Limits
from bnlib.learn.grading.grade import Grade, grades
from bnlib.learn.grading.pages import page, table
from bnlib.learn.grading.sandbox import sandboxed

__all__ = ["Grade", "Limits", "NotIsolated", "grades", "page", "sandboxed", "table"]
