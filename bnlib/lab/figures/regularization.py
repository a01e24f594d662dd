"""Figures of chapter 05: the shift, the smoothness, and the noise of the statistics."""

import pandas as pd

from bnlib.drawing import BLUE, GREEN, ORANGE, PURPLE, Drawing
from bnlib.lab.figures.curves import ARMS, Curve, Panel, curves, runs
from bnlib.language import message


def deep_linear(table: pd.DataFrame) -> Drawing:
    """Loss of the deep linear network, and how far the gradient of its middle layer is turned by the layers below."""
    middle = (table["layer"].max() + 1) // 2
    found = {
        norm: [runs(table, "step", column, layer=middle, norm=norm) for column in ("loss", "cosine")] for norm in ARMS
    }
    names = {norm: message(f"figure.norm_{norm}") for norm in ARMS}
    losses, angles = (
        tuple(Curve(look, names[norm], found[norm][number]) for norm, look in ARMS.items()) for number in (0, 1)
    )
    across = message("figure.step")
    shown = [
        Panel(across, message("figure.squared_error"), losses, "y"),
        Panel(across, message("figure.shift_cosine", layer=middle), angles),
    ]
    seen = {f"{norm}_loss": found[norm][0].mean(axis=1).iloc[-1] for norm in ARMS}
    seen |= {f"{norm}_cosine": found[norm][1].mean(axis=1).mean() for norm in ARMS}
    description = message("figure.deep_linear", steps=table["step"].max(), layer=middle, **seen)
    return curves(message("figure.title_deep_linear"), description, shown, "deep_linear")


def noisy_normalization(table: pd.DataFrame, lr: float = 0.1) -> Drawing:
    """Training accuracy by epoch and restlessness of the distributions: without BN, with it, with noise after it."""
    looks = {"batch": BLUE, "noisy batch": GREEN, "none": ORANGE}
    names = {arm: message(f"figure.arm_{arm.replace(' ', '_')}") for arm in looks}
    shown, seen = [], {"lr": lr, "epochs": table["epoch"].max()}
    for column in ("train_accuracy", "restless"):
        found = {arm: runs(table, "epoch", column, arm=arm, lr=lr) for arm in looks}
        made = tuple(Curve(look, names[arm], found[arm]) for arm, look in looks.items())
        log = "y" if column == "restless" else ""
        shown.append(
            Panel(message("figure.epoch"), message(f"figure.{column}"), made, log, sorted(found["none"].index))
        )
        for arm in looks:
            seen[f"{column}_{arm.replace(' ', '_')}"] = found[arm].mean(axis=1).iloc[-1]
    description = message("figure.noisy_normalization", **seen)
    return curves(message("figure.title_noisy_normalization"), description, shown, "noisy_normalization")


def loss_along_step(table: pd.DataFrame) -> Drawing:
    """The reach of the loss along the gradient, and the change of the gradient over the way, by step of training."""
    table = table.assign(reach=table["loss_high"] - table["loss_low"])
    names = {norm: message(f"figure.norm_{norm}") for norm in ARMS}
    shown, seen = [], {}
    for column in ("reach", "smoothness"):
        found = {norm: runs(table, "step", column, norm=norm) for norm in ARMS}
        made = tuple(Curve(look, names[norm], found[norm]) for norm, look in ARMS.items())
        shown.append(Panel(message("figure.step"), message(f"figure.{column}"), made, "y"))
        for norm in ARMS:
            seen[f"{column}_{norm}"] = found[norm].median(axis=1).median()
    title = message("figure.title_loss_along_step")
    return curves(title, message("figure.loss_along_step", **seen), shown, "loss_along_step")


def statistics_noise(table: pd.DataFrame, linear: str = "norm3", convolution: str = "norm1") -> Drawing:
    """The spread of the batch mean and of the batch variance against the size of the batch, measured and by theory."""
    sizes = sorted(table["m"].unique())
    looks = {"linear": BLUE, "convolution": GREEN}
    layers = {"linear": linear, "convolution": convolution}
    shown, seen = [], {"small": sizes[0], "large": sizes[-1]}
    for column, theory in (("mean_spread", "mean_theory"), ("var_spread", "var_theory")):
        made = [
            Curve(look, message(f"figure.layer_{kind}"), runs(table, "m", column, layer=layers[kind]))
            for kind, look in looks.items()
        ]
        expected = runs(table, "m", theory, layer=linear)
        made.append(Curve(ORANGE, message("figure.theory"), expected))
        shown.append(Panel(message("figure.batch_size"), message(f"figure.{column}"), tuple(made), "xy", sizes[::2]))
        measured = made[0].mean()
        seen |= {f"{column}_small": measured.iloc[0], f"{column}_large": measured.iloc[-1]}
        seen[f"{column}_off"] = (measured / expected.mean(axis=1) - 1).abs().max()
    conv = table[(table["layer"] == convolution) & (table["m"] == sizes[-1])]
    seen |= {"values": conv["values"].iloc[0], "independent": conv["independent"].mean()}
    description = message("figure.statistics_noise", **seen)
    return curves(message("figure.title_statistics_noise"), description, shown, "statistics_noise")


def ghost_gap(table: pd.DataFrame) -> Drawing:
    """Training and test accuracy, and the gap of the losses, against the size of the ghosts."""
    table = table.assign(gap=table["test_loss"] - table["train_loss"])
    sizes = sorted(table["ghost_size"].unique())
    looks = {"train_accuracy": BLUE, "test_accuracy": ORANGE}
    names = {"train_accuracy": message("figure.train"), "test_accuracy": message("figure.test")}
    accuracies = tuple(Curve(look, names[c], runs(table, "ghost_size", c)) for c, look in looks.items())
    gap = runs(table, "ghost_size", "gap")
    across = message("figure.ghost_size")
    shown = [
        Panel(across, message("figure.accuracy"), accuracies, "x", sizes),
        Panel(across, message("figure.loss_gap"), (Curve(GREEN, message("figure.gap"), gap),), "x", sizes),
    ]
    means = gap.mean(axis=1)
    test = accuracies[1].mean()
    seen = {"small": sizes[0], "large": sizes[-1], "gap_small": means.iloc[0], "gap_large": means.iloc[-1]}
    description = message("figure.ghost_gap", best=test.idxmax(), test=test.max(), **seen)
    return curves(message("figure.title_ghost_gap"), description, shown, "ghost_gap")


def dropout_grid(table: pd.DataFrame) -> Drawing:
    """Test accuracy and the gap of the losses against the fraction dropped, with and without batch normalization."""
    table = table.assign(gap=table["test_loss"] - table["train_loss"])
    names = {norm: message(f"figure.norm_{norm}") for norm in ARMS}
    drops, shown, seen = sorted(table["drop"].unique()), [], {}
    for column, up in (("test_accuracy", "test_accuracy"), ("gap", "loss_gap")):
        found = {norm: runs(table, "drop", column, norm=norm) for norm in ARMS}
        made = tuple(Curve(look, names[norm], found[norm]) for norm, look in ARMS.items())
        shown.append(Panel(message("figure.dropped"), message(f"figure.{up}"), made, ticks=drops))
        for norm in ARMS:
            means = found[norm].mean(axis=1)
            seen |= {f"{column}_{norm}_none": means.iloc[0], f"{column}_{norm}_most": means.iloc[-1]}
            seen[f"{column}_{norm}_at"] = means.idxmax()
    description = message("figure.dropout_grid", most=drops[-1], **seen)
    return curves(message("figure.title_dropout_grid"), description, shown, "dropout_grid")


def variance_shift(table: pd.DataFrame, activation: str = "sigmoid") -> Drawing:
    """Variance with dropout over the one without, measured and by the formula; and what it does to the accuracy."""
    order = "dropout then norm"
    drops = sorted(table["drop"].unique())
    where = {"activation": activation, "order": order}
    ratios = (
        Curve(BLUE, message("figure.measured"), runs(table, "drop", "ratio", **where)),
        Curve(ORANGE, message("figure.theory"), runs(table, "drop", "formula", **where)),
    )
    columns = {"test_accuracy": ORANGE, "recalibrated": BLUE}
    names = {"test_accuracy": message("figure.short_moving"), "recalibrated": message("figure.short_recalibrated")}
    scores = [Curve(look, names[c], runs(table, "drop", c, **where)) for c, look in columns.items()]
    other = runs(table, "drop", "test_accuracy", activation=activation, order="norm then dropout")
    scores.append(Curve(PURPLE, message("figure.dropout_above"), other))
    across = message("figure.dropped")
    shown = [
        Panel(across, message("figure.variance_ratio"), ratios, ticks=drops),
        Panel(across, message("figure.test_accuracy"), tuple(scores), ticks=drops),
    ]
    ends = {
        name: curve.mean().iloc[-1] for name, curve in zip(("moving", "recalibrated", "above"), scores, strict=True)
    }
    seen = {"most": drops[-1], "ratio": ratios[0].mean().iloc[-1], "formula": ratios[1].mean().iloc[-1], **dict(ends)}
    title = message("figure.title_variance_shift")
    return curves(title, message("figure.variance_shift", **seen), shown, "variance_shift")
