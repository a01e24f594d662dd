"""Question: for which factors is layer normalization blind? (a slip in a well-known text)"""

from bnlib.learn.question import Choice

EXERCISE = Choice(
    name="negative_scale",
    chapter=1,
    options=("shift", "positive", "any_factor", "negative"),
    right=frozenset({"any_factor"}),
)
