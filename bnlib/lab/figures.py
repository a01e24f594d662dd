"""Figures, each drawn from a table."""

import pandas as pd
from matplotlib.figure import Figure

from bnlib.drawing import BLUE, GREEN, ORANGE, Drawing, draw, styled
from bnlib.language import message

GUESSING = 0.1  # the accuracy of a guess among ten classes


def moving_against_recalibrated(table: pd.DataFrame) -> Drawing:
    """Test accuracy of the same weights by epoch, with moving, recalibrated and batch statistics.

    Args:
        table: of the experiment moving_statistics; thin lines are seeds, thick ones their median.
    """
    with styled():
        figure = Figure(figsize=(7, 4), layout=None)
        axes = figure.add_axes((0.1, 0.15, 0.87, 0.8))
        for column, colour, style in (
            ("recalibrated", BLUE, "-"),
            ("batch", GREEN, ":"),
            ("moving", ORANGE, "--"),
        ):
            by_seed = table.pivot(index="epoch", columns="seed", values=column)
            axes.plot(by_seed.index, by_seed.to_numpy(), color=colour, linestyle=style, linewidth=0.8, alpha=0.45)
            axes.plot(
                by_seed.index,
                by_seed.median(axis=1),
                color=colour,
                linestyle=style,
                linewidth=2.5,
                label=message(f"figure.{column}"),
            )
        axes.set_xlabel(message("figure.epoch"))
        axes.set_ylabel(message("figure.test_accuracy"))
        axes.set_xticks(sorted(table["epoch"].unique()))
        axes.legend(loc="lower right", frameon=False)
        return draw(figure, message("figure.moving_against_recalibrated"))


def learning_rate_frontier(table: pd.DataFrame) -> Drawing:
    """Training and test accuracy after the last epoch against the learning rate, with and without normalization.

    Args:
        table: of the experiment learning_rate_frontier; marks are means over seeds, bars reach from the lowest seed
            to the highest. A run that diverged counts as guessing: accuracy 0.1.
    """
    last = table.sort_values("epoch").groupby(["norm", "lr", "seed"], as_index=False).last()
    last.loc[last["diverged_step"].notna(), ["train_accuracy", "test_accuracy"]] = GUESSING
    with styled():
        figure = Figure(figsize=(8, 3.6), layout=None)
        left, right = figure.add_axes((0.08, 0.15, 0.4, 0.74)), figure.add_axes((0.57, 0.15, 0.4, 0.74))
        for axes, column in ((left, "train_accuracy"), (right, "test_accuracy")):
            for norm, colour, form in (("batch", BLUE, "-o"), ("none", ORANGE, "--s")):
                found = last[last["norm"] == norm].groupby("lr")[column].agg(["mean", "min", "max"])
                reach = [found["mean"] - found["min"], found["max"] - found["mean"]]
                reach = [length.clip(lower=0) for length in reach]  # the mean of equal numbers may round past them
                label = message(f"figure.norm_{norm}")
                axes.errorbar(found.index, found["mean"], reach, fmt=form, color=colour, capsize=3, label=label)
            axes.axhline(GUESSING, color="black", linestyle=":", linewidth=1, label=message("figure.guessing"))
            axes.set_xscale("log")
            axes.set_ylim(0, 1)
            axes.set_xlabel(message("figure.learning_rate"))
            axes.set_ylabel(message(f"figure.{column}"))
        left.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, borderaxespad=0)
        return draw(figure, message("figure.learning_rate_frontier", **_seen(last)))


def _seen(last: pd.DataFrame) -> dict[str, float]:
    """For each arm, what one sees in the left panel: its highest mean, where, and from where to where it learned."""
    seen = {}
    for norm, accuracy in last.groupby(["norm", "lr"])["train_accuracy"].mean().groupby(level="norm"):
        accuracy = accuracy.droplevel("norm")
        learned = accuracy.index[accuracy >= min(2 * GUESSING, accuracy.max())]
        seen |= {f"{norm}_best": accuracy.max(), f"{norm}_at": accuracy.idxmax()}
        seen |= {f"{norm}_low": learned.min(), f"{norm}_high": learned.max()}
    return seen
