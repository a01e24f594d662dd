"""Question: in which order does the layer compute? (chapter 02, equations 2.1 to 2.4)"""

from bnlib.learn.question import Order

EXERCISE = Order(
    name="layer_steps",
    chapter=3,
    items=("linear", "mean", "variance", "add_eps", "divide", "scale_and_shift", "activation"),
    pairs=(
        ("linear", "mean"),
        ("mean", "variance"),
        ("variance", "add_eps"),
        ("add_eps", "divide"),
        ("divide", "scale_and_shift"),
        ("scale_and_shift", "activation"),
    ),
)
