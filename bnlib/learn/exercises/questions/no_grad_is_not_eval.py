"""Question: what does a layer in training mode do under no_grad? (chapter 03, the mode)"""

from bnlib.learn.question import Choice

EXERCISE = Choice(
    name="no_grad_is_not_eval",
    chapter=3,
    options=("moving", "batch_no_update", "refuses", "batch_and_update"),
    right=frozenset({"batch_and_update"}),
)
