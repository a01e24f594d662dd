"""Figures of chapters 02 and 06: choices that one has to make."""

import pandas as pd

from bnlib.drawing import BLUE, GREEN, ORANGE, Drawing
from bnlib.lab.figures.curves import Curve, Panel, curves, runs
from bnlib.language import message

NAMES = {"sigmoid": "sigmoid", "relu": "ReLU"}  # in every language
ORDERS = {"before": BLUE, "after": GREEN, "without": ORANGE}


def order_of_layers(table: pd.DataFrame) -> Drawing:
    """Test accuracy against the learning rate with the normalization before the activation, after it, and without."""
    last = table[table["epoch"] == table["epoch"].max()]
    lrs, shown, seen = sorted(last["lr"].unique()), [], []
    for activation in last["activation"].unique():
        found = {order: runs(last, "lr", "test_accuracy", activation=activation, order=order) for order in ORDERS}
        made = tuple(Curve(look, message(f"figure.order_{order}"), found[order]) for order, look in ORDERS.items())
        up = message("figure.with_activation", activation=NAMES[activation])
        shown.append(Panel(message("figure.learning_rate"), up, made, "x", lrs))
        best = {order: found[order].mean(axis=1).max() for order in ORDERS}
        seen.append(message("figure.best_orders", activation=NAMES[activation], **best))
    title = message("figure.title_order_of_layers")
    best = message("figure.between").join(seen)
    description = message("figure.order_of_layers", epochs=table["epoch"].max(), best=best)
    return curves(title, description, shown, "order_of_layers")
