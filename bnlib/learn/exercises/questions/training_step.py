"""Question: in which order are a model trained and scored? (chapter 06, failure clinic)"""

from bnlib.learn.question import Order

EXERCISE = Order(
    name="training_step",
    items=("train", "forward", "backward", "step", "eval", "score"),
    pairs=(("train", "forward"), ("forward", "backward"), ("backward", "step"), ("step", "eval"), ("eval", "score")),
)
