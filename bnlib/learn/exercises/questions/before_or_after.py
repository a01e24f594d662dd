"""Question: before or after the activation? (chapter 02; recorded in order_of_layers)"""

from bnlib import lab
from bnlib.learn.exercises.questions._recorded import figure, mean
from bnlib.learn.question import Choice


def facts() -> dict[str, float]:
    found = {}
    for activation in ("sigmoid", "relu"):
        for order in ("without", "before", "after"):
            accuracies = [
                mean("order_of_layers", "test_accuracy", activation=activation, order=order, lr=lr)
                for lr in lab.provenance("order_of_layers")["config"]["lrs"]
            ]
            found |= {f"{activation}_{order}": max(accuracies), f"{activation}_{order}_last": accuracies[-1]}
    return found


EXERCISE = Choice(
    name="before_or_after",
    chapter=4,
    options=("depends", "before_always", "after_always", "no_gain"),
    right=frozenset({"depends"}),
    figure=figure("order_of_layers"),
    facts=facts,
)
