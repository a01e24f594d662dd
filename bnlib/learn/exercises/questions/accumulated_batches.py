"""Question: what does gradient accumulation do to the statistics? (chapter 06, failure clinic)"""

from bnlib.learn.question import Choice

EXERCISE = Choice(
    name="accumulated_batches",
    chapter=6,
    options=("thirty_two", "all_so_far", "eight"),
    right=frozenset({"eight"}),
)
