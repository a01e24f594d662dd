"""Figures of chapters 05 and 06: what the noise of the statistics is worth, and what decays."""

import pandas as pd

from bnlib.drawing import BLUE, GREEN, ORANGE, PURPLE, Drawing
from bnlib.lab.figures.curves import Curve, Panel, curves, runs
from bnlib.language import message


def population_normalization(table: pd.DataFrame) -> Drawing:
    """The gap of the losses and the test accuracy by population statistics, against γ's decay, and by those of batches.

    Args:
        table: of the experiment population_normalization. Its runs with batch normalization, which have no decay, are
            drawn beside each of those that have one.
    """
    table = table.assign(gap=table["test_loss"] - table["train_loss"])
    decays = sorted(table["decay"].unique())
    batch = pd.concat([table[table["norm"] == "batch"].assign(decay=decay) for decay in decays])
    table = pd.concat([table[table["norm"] == "population"], batch])
    looks = {"batch": BLUE, "population": ORANGE}
    shown, seen = [], {"decays": message("figure.between").join(f"{decay:g}" for decay in decays)}
    for column, up in (("gap", "loss_gap"), ("test_accuracy", "test_accuracy")):
        found = {norm: runs(table, "decay", column, norm=norm) for norm in looks}
        made = tuple(Curve(look, message(f"figure.by_{norm}"), found[norm]) for norm, look in looks.items())
        shown.append(Panel(message("figure.gamma_decay"), message(f"figure.{up}"), made, "x", decays))
        seen[column] = message("figure.between").join(f"{mean:.3f}" for mean in made[1].mean())
        once = found["batch"].iloc[0]
        seen |= {f"{column}_batch": once.mean(), f"{column}_low": once.min(), f"{column}_high": once.max()}
    description = message("figure.population_normalization", **seen)
    return curves(message("figure.title_population_normalization"), description, shown, "population_normalization")


def weight_decay(table: pd.DataFrame) -> Drawing:
    """The length of the weights below normalizations, and the test accuracy, against the decay, by what decays."""
    decays, looks = sorted(table["decay"].unique()), {"weights": BLUE, "gamma and beta": ORANGE, "all": GREEN}
    start = table[table["decayed"] == "none"]
    table = pd.concat([table, *(start.assign(decayed=what) for what in looks)])  # each curve begins without decay
    shown, seen = [], {"most": decays[-1]}
    for column, up in (("norm", "weight_norm"), ("test_accuracy", "test_accuracy")):
        made = tuple(
            Curve(look, message(f"figure.decay_{what.replace(' ', '_')}"), runs(table, "decay", column, decayed=what))
            for what, look in looks.items()
        )
        shown.append(Panel(message("figure.weight_decay_rate"), message(f"figure.{up}"), made, "x", decays))
        seen[f"{column}_none"] = start[column].mean()
        for what, curve in zip(looks, made, strict=True):
            seen[f"{column}_{what.replace(' ', '_')}"] = curve.mean().iloc[-1]
    description = message("figure.weight_decay", **seen)
    return curves(message("figure.title_weight_decay"), description, shown, "weight_decay")


def batch_uncertainty(table: pd.DataFrame) -> Drawing:
    """Log loss and calibration error against the size of the minibatches, predicted once and by many minibatches."""
    sizes, looks = sorted(table["batch_size"].unique()), {"population": ORANGE, "minibatches": PURPLE}
    shown, seen = [], {"small": sizes[0], "large": sizes[-1]}
    for column in ("log_loss", "calibration_error"):
        made = tuple(
            Curve(look, message(f"figure.by_{method}"), runs(table, "batch_size", column, method=method))
            for method, look in looks.items()
        )
        shown.append(Panel(message("figure.batch_size"), message(f"figure.{column}"), made, "x", sizes))
        for method, curve in zip(looks, made, strict=True):
            means = curve.mean()
            seen |= {f"{column}_{method}_small": means.iloc[0], f"{column}_{method}_large": means.iloc[-1]}
    for column in ("accuracy", "separation"):
        for method in looks:
            means = runs(table, "batch_size", column, method=method).mean(axis=1)
            seen[f"{column}_{method}"] = means.iloc[0]
    description = message("figure.batch_uncertainty", **seen)
    return curves(message("figure.title_batch_uncertainty"), description, shown, "batch_uncertainty")
