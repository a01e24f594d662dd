"""Figures of chapter 01: where gradients go, how inputs move, and where batch normalization gains little."""

import pandas as pd

from bnlib.drawing import BLUE, GREEN, ORANGE, Drawing
from bnlib.lab.figures.curves import ARMS, Curve, Panel, curves, runs
from bnlib.language import message


def gradients_by_depth(table: pd.DataFrame, step: int = 1) -> Drawing:
    """The norm of every layer's gradient at one step, in a deep sigmoid network and in LeNet, with and without BN.

    Args:
        table: of the experiment gradients_by_depth.
        step: one of those recorded; 1 for the initial weights.
    """
    networks = list(table["network"].unique())
    shown, seen = [], {"step": step}
    for network in networks:
        found = {norm: runs(table, "layer", "gradient_norm", step=step, network=network, norm=norm) for norm in ARMS}
        made = tuple(Curve(look, message(f"figure.norm_{norm}"), found[norm]) for norm, look in ARMS.items())
        across = message("figure.layer_from_bottom")
        named = message("figure.of_network", network=message(f"figure.network_{network}"))
        shown.append(Panel(across, named, made, "y", ticks=list(found["none"].index)))
        for norm in ARMS:
            means = found[norm].mean(axis=1)
            seen[f"{network}_{norm}"] = means.iloc[-1] / means.iloc[0]
    description = message("figure.gradients_by_depth", **seen)
    return curves(message("figure.title_gradients_by_depth", step=step), description, shown, "gradients_by_depth")


def input_percentiles(table: pd.DataFrame, seed: int = 0) -> Drawing:
    """The 15th, 50th and 85th percentile of what enters a sigmoid of the last hidden layer, over training.

    Args:
        table: of the experiment input_percentiles; seed: the run that is shown.
    """
    table, looks = table[table["seed"] == seed], {"q15": ORANGE, "q50": BLUE, "q85": GREEN}
    shown, seen = [], {}
    for norm in ("none", "batch"):
        made = tuple(
            Curve(look, message(f"figure.{name}"), runs(table, "step", name, norm=norm)) for name, look in looks.items()
        )
        shown.append(Panel(message("figure.step"), message(f"figure.input_{norm}"), made))
        middle = made[1].mean()
        seen |= {f"{norm}_low": middle.min(), f"{norm}_high": middle.max()}
    description = message("figure.input_percentiles", steps=table["step"].max(), **seen)
    return curves(message("figure.title_input_percentiles"), description, shown, "input_percentiles")


def shallow_network(table: pd.DataFrame) -> Drawing:
    """Test accuracy of a network with one hidden layer against the learning rate, well and badly initialized."""
    last = table[table["epoch"] == table["epoch"].max()]
    scales = sorted(last["scale"].unique())
    shown, seen = [], {}
    for scale, start in zip(scales, ("good", "bad"), strict=True):
        found = {norm: runs(last, "lr", "test_accuracy", scale=scale, norm=norm) for norm in ARMS}
        made = tuple(Curve(look, message(f"figure.norm_{norm}"), found[norm]) for norm, look in ARMS.items())
        up = message(f"figure.start_{start}")
        shown.append(Panel(message("figure.learning_rate"), up, made, "x", ticks=sorted(last["lr"].unique())))
        for norm in ARMS:
            seen[f"{start}_{norm}"] = found[norm].mean(axis=1).max()
    title = message("figure.title_shallow_network")
    return curves(title, message("figure.shallow_network", **seen), shown, "shallow_network")
