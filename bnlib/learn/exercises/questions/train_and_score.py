"""Question: in which order are a model trained and scored? (chapter 06, failure clinic)"""

from bnlib.learn.question import Order

EXERCISE = Order(
    name="train_and_score",
    chapter=4,
    items=("train", "forward", "backward", "step", "eval", "score"),
    pairs=(
        ("train", "forward"),
        ("forward", "backward"),
        ("forward", "eval"),
        ("backward", "step"),
        ("step", "score"),
        ("eval", "score"),
    ),
    others=(  # the mode matters in a forward pass alone
        ("train", "forward", "backward", "eval", "step", "score"),
        ("train", "forward", "eval", "backward", "step", "score"),
    ),
)
