"""Question: which statistics are used in prediction mode with gradients on? (chapter 03, the mode)"""

from bnlib.learn.question import Choice

EXERCISE = Choice(
    name="eval_with_gradients",
    chapter=3,
    options=("both_moving", "both_batch", "torch_batch", "lecture_batch"),
    right=frozenset({"lecture_batch"}),
)
