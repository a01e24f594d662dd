"""Question: can the bias before the layer go? (the lecture's exercise; recorded in bias_before_normalization)"""

from bnlib import lab
from bnlib.learn.question import Choice


def facts() -> dict[str, float]:
    table = lab.load("bias_before_normalization")
    table = table[table["dtype"] == "float64"]
    ratio = (table["bias_gradient"] / table["weight_gradient"]).max()
    return {"ratio": ratio, "apart": table["weight_difference"].max(), "steps": float(table["step"].max())}


EXERCISE = Choice(
    name="drop_the_bias",
    chapter=4,
    options=("redundant", "shift_lost", "learns_slowly", "only_in_training"),
    right=frozenset({"redundant"}),
    facts=facts,
)
