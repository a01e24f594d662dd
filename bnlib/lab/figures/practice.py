"""Figures of chapters 02 and 06: choices that one has to make."""

from dataclasses import replace

import pandas as pd

from bnlib.drawing import BLUE, GREEN, ORANGE, PURPLE, Drawing
from bnlib.lab.figures.curves import Curve, Panel, curves, runs
from bnlib.language import message

NAMES = {"sigmoid": "sigmoid", "relu": "ReLU"}  # in every language
ORDERS = {"before": BLUE, "after": GREEN, "without": ORANGE}
SMALL = {  # blue: statistics of m images; orange: none of the batch; colours come back in another dash and marker
    "batch": BLUE,
    "ghost": replace(BLUE, dash=(0, (1, 1.2)), marker="v", hollow=True),
    "synchronized": GREEN,
    "renorm": PURPLE,
    "group": replace(ORANGE, dash="-", marker="P"),
    "none": ORANGE,
}


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


def small_batches(table: pd.DataFrame) -> Drawing:
    """Test accuracy against the images a device holds, by normalization: as it predicts, and after recalibration."""
    sizes, arms = sorted(table["m"].unique()), [arm for arm in SMALL if arm in set(table["arm"])]
    calibrated = set(table.dropna(subset="recalibrated")["arm"])
    shown, seen = [], {"small": sizes[0], "large": sizes[-1]}
    for column in ("test_accuracy", "recalibrated"):
        chosen = [arm for arm in arms if column == "test_accuracy" or arm in calibrated]
        found = {arm: runs(table, "m", column, arm=arm) for arm in chosen}
        made = tuple(Curve(SMALL[arm], message(f"figure.small_{arm}"), found[arm]) for arm in chosen)
        up = message(f"figure.small_{column}")
        shown.append(Panel(message("figure.device_images"), up, made, "x", sizes))
        means = {name: (arm.mean(axis=1).iloc[0], arm.mean(axis=1).iloc[-1]) for name, arm in found.items()}
        for end, number in (("small", 0), ("large", 1)):
            told = (
                message("figure.small_arm", name=message(f"figure.small_{arm}"), value=means[arm][number])
                for arm in chosen
                if end == "small" or found[arm].index[-1] == sizes[-1]
            )
            seen[f"{column}_{end}"] = message("figure.between").join(told)
    description = message("figure.small_batches", **seen)
    return curves(message("figure.title_small_batches"), description, shown, "small_batches")
