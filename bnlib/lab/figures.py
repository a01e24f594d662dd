"""Figures, each drawn from a table."""

import pandas as pd
from matplotlib.figure import Figure

from bnlib.drawing import BLUE, GREEN, ORANGE, Drawing, draw, styled
from bnlib.language import message


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
