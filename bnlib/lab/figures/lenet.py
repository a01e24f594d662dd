"""Figures of chapter 04: moving averages and learning rates."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from bnlib.drawing import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    Data,
    Drawing,
    draw,
    end_margin,
    label_ends,
    panels,
    styled,
)
from bnlib.lab.figures.curves import Curve, Panel, curves, runs
from bnlib.language import message

GUESSING = 0.1  # the accuracy of a guess among ten classes
_STATISTICS = {"moving": ORANGE, "recalibrated": BLUE, "batch": GREEN}  # drawn in this order
_NORMS = {"batch": (BLUE, 5), "none": (ORANGE, -12)}  # and how far from its highest point an arm is named


def moving_against_recalibrated(table: pd.DataFrame) -> Drawing:
    """Test accuracy of the same weights by epoch, with moving, recalibrated and batch statistics.

    Args:
        table: of the experiment moving_statistics; thin lines are seeds, thick ones their median.
    """
    by_seed = {name: table.pivot(index="epoch", columns="seed", values=name) for name in _STATISTICS}
    medians = {name: seeds.median(axis=1) for name, seeds in by_seed.items()}
    names = {name: message(f"figure.short_{name}") for name in _STATISTICS}
    with styled():
        up = message("figure.test_accuracy")
        figure, (axes,) = panels([(message("figure.epoch"), up)], right=end_margin(list(names.values())))
        for name, look in _STATISTICS.items():
            axes.plot(by_seed[name].index, by_seed[name].to_numpy(), **look.thin())
        for name, look in _STATISTICS.items():
            axes.plot(medians[name].index, medians[name], **look.line())
        axes.set_xticks(sorted(table["epoch"].unique()))
        last = table["epoch"].max()
        ends = [(look, names[name], last, medians[name][last]) for name, look in _STATISTICS.items()]
        label_ends(axes, ends)
        return draw(
            figure,
            title=message("figure.title_moving_against_recalibrated"),
            description=message("figure.moving_against_recalibrated", **_seen_by_epoch(table, by_seed)),
            data=_by_epoch(by_seed),
        )


def _seen_by_epoch(table: pd.DataFrame, by_seed: dict[str, pd.DataFrame]) -> dict[str, float]:
    """What one sees: where the medians begin and end, how far apart the lines are, how often the lowest one falls."""
    gap = table["recalibrated"] - table["moving"]
    steps = by_seed["moving"].diff().iloc[1:]
    seen = {"epochs": table["epoch"].max(), "runs": table["seed"].nunique(), "points": len(table)}
    for name in ("recalibrated", "moving"):
        median = by_seed[name].median(axis=1)
        seen |= {f"{name}_first": median.iloc[0], f"{name}_last": median.iloc[-1]}
    return seen | {
        "apart": (table["batch"] - table["recalibrated"]).abs().max(),
        "below": int((gap > 0).sum()),
        "gap": gap.max(),
        "falls": int((steps < 0).sum().sum()),
        "steps": steps.size,
    }


def _by_epoch(by_seed: dict[str, pd.DataFrame]) -> Data:
    """Of each kind of statistics the median, the lowest and the highest run."""
    found = {}
    for name in by_seed:
        seeds = by_seed[name]
        for kind, column in (
            ("median", seeds.median(axis=1)),
            ("lowest", seeds.min(axis=1)),
            ("highest", seeds.max(axis=1)),
        ):
            found[message("figure.column", what=message(f"figure.short_{name}"), kind=message(f"figure.{kind}"))] = (
                column
            )
    rows = zip(by_seed["moving"].index, *found.values(), strict=True)
    return Data(
        (message("figure.epoch"), *found),
        tuple((str(epoch), *(f"{value:.4f}" for value in values)) for epoch, *values in rows),
        message("figure.every_run", name="moving_statistics"),
    )


def learning_rate_frontier(table: pd.DataFrame) -> Drawing:
    """Training and test accuracy after the last epoch against the learning rate, with and without normalization.

    Args:
        table: of the experiment learning_rate_frontier; marks are means over seeds, bars reach from the lowest seed
            to the highest. A run that diverged counts as guessing: accuracy 0.1.
    """
    last = table.sort_values("epoch").groupby(["norm", "lr", "seed"], as_index=False).last()
    diverged = last["diverged_step"].notna()
    last.loc[diverged, ["train_accuracy", "test_accuracy"]] = GUESSING
    columns = ("train_accuracy", "test_accuracy")
    with styled():
        across = message("figure.learning_rate")
        figure, found = panels([(across, message(f"figure.{column}")) for column in columns])
        for axes, column in zip(found, columns, strict=True):
            _over_rates(axes, last, column)
        return draw(
            figure,
            title=message("figure.title_learning_rate_frontier"),
            description=message("figure.learning_rate_frontier", **_seen_by_rate(last)),
            data=_by_rate(last.assign(diverged=diverged)),
        )


def _over_rates(axes: Axes, last: pd.DataFrame, column: str) -> None:
    """One panel: the means with their reach over the learning rates, each arm named at its highest point."""
    rates = sorted(last["lr"].unique())
    axes.set_xscale("log")
    axes.set_xticks(rates, labels=[f"{rate:g}" for rate in rates])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(0, 1)
    axes.axhline(GUESSING, **INK.line())
    for norm, (look, up) in _NORMS.items():
        arm = last[last["norm"] == norm].groupby("lr")[column].agg(["mean", "min", "max"])
        axes.vlines(arm.index, arm["min"], arm["max"], color=look.colour, linewidth=1.5)
        axes.plot(arm.index, arm["mean"], **look.line())
        best, side = arm["mean"].idxmax(), "bottom" if up > 0 else "top"
        place = best, arm["max" if up > 0 else "min"][best]
        named = {"xytext": (0, up), "textcoords": "offset points", "ha": "center", "va": side}
        axes.annotate(message(f"figure.norm_{norm}"), place, **named)
    middle = rates[(len(rates) - 1) // 2]  # below the curves
    axes.annotate(
        message("figure.guessing"), (middle, GUESSING), xytext=(0, 6), textcoords="offset points", ha="center"
    )


def _seen_by_rate(last: pd.DataFrame) -> dict[str, float]:
    """For each arm what one sees: its highest means and where; in training also from where to where it learned."""
    seen = {}
    means = last.groupby(["norm", "lr"])[["train_accuracy", "test_accuracy"]].mean()
    for norm in _NORMS:
        train, test = means.loc[norm, "train_accuracy"], means.loc[norm, "test_accuracy"]
        learned = train.index[train >= min(2 * GUESSING, train.max())]
        seen |= {f"{norm}_best": train.max(), f"{norm}_at": train.idxmax()}
        seen |= {f"{norm}_low": learned.min(), f"{norm}_high": learned.max()}
        seen |= {f"{norm}_test": test.max(), f"{norm}_test_at": test.idxmax()}
    return seen


def _by_rate(last: pd.DataFrame) -> Data:
    """Of each arm and learning rate the mean, the lowest and the highest accuracy, and how many runs diverged."""
    columns = [message("figure.learning_rate"), message("figure.normalization")]
    for column in ("train_accuracy", "test_accuracy"):
        kinds = [message(f"figure.{kind}") for kind in ("mean", "lowest", "highest")]
        columns += [message("figure.column", what=message(f"figure.{column}"), kind=kind) for kind in kinds]
    rows = []
    for (rate, norm), arm in last.groupby(["lr", "norm"]):
        found = [arm[name].agg(kind) for name in ("train_accuracy", "test_accuracy") for kind in ("mean", "min", "max")]
        diverged = f"{arm['diverged'].sum()}/{len(arm)}"
        rows.append((f"{rate:g}", message(f"figure.norm_{norm}"), *(f"{value:.4f}" for value in found), diverged))
    columns.append(message("figure.diverged"))
    return Data(tuple(columns), tuple(rows), message("figure.every_run", name="learning_rate_frontier"))


def statistics_lag(table: pd.DataFrame) -> Drawing:
    """Accuracy that the moving averages lose, and the lag of the second layer, against the learning rate by momentum.

    Args:
        table: of the experiment statistics_lag; of each run, the mean over its epochs after the first.
    """
    later = table[table["epoch"] > 1].assign(lost=table["recalibrated"] - table["moving"])
    later = later.groupby(["lr", "momentum", "seed"], as_index=False)[["lost", "lag_2"]].mean()
    momenta = sorted(later["momentum"].unique())
    shown, seen = [], {}
    for column in ("lost", "lag_2"):
        made = tuple(
            Curve(look, f"{momentum:g}", runs(later, "lr", column, momentum=momentum))
            for momentum, look in zip(momenta, (ORANGE, BLUE, GREEN, PURPLE), strict=False)
        )
        up = message(f"figure.{column}")
        shown.append(Panel(message("figure.learning_rate"), up, made, "x", sorted(later["lr"].unique())))
        largest = (message("figure.at_momentum", momentum=c.name, value=c.mean().max()) for c in made)
        seen[column] = message("figure.between").join(largest)
    description = message("figure.statistics_lag", **seen)
    return curves(message("figure.title_statistics_lag"), description, shown, "statistics_lag")


def lag_by_layer(table: pd.DataFrame) -> Drawing:
    """Accuracy that one layer's moving averages cost alone, and how far its mean and deviation lag, by layer.

    Args:
        table: of the experiment lag_by_layer; of each run, the mean over its epochs after the first.
    """
    later = table[table["epoch"] > 1].groupby("seed").mean(numeric_only=True)
    layers = [1, 2, 3, 4]

    def by_layer(name: str) -> pd.DataFrame:
        return later[[f"{name}_{layer}" for layer in layers]].set_axis(layers, axis=1).T

    costs = later["recalibrated"] - by_layer("stale")
    every = (later["recalibrated"] - later["moving"]).mean()
    lags = {"mean": BLUE, "std": GREEN}
    made = tuple(Curve(look, message(f"figure.lagging_{kind}"), by_layer(f"lag_{kind}")) for kind, look in lags.items())
    across = message("figure.layer_from_bottom")
    one = Curve(ORANGE, message("figure.this_layer"), costs)
    level = (every, message("figure.all_layers"))
    shown = [
        Panel(across, message("figure.lost_by_layer"), (one,), ticks=layers, level=level),
        Panel(across, message("figure.lag_std"), made, ticks=layers, floor=0),
    ]
    seen = {f"cost_{layer}": costs.loc[layer].mean() for layer in layers}
    seen |= {f"{kind}_{layer}": curve.mean()[layer] for kind, curve in zip(lags, made, strict=True) for layer in layers}
    description = message("figure.lag_by_layer", every=every, **seen)
    return curves(message("figure.title_lag_by_layer"), description, shown, "lag_by_layer")


def lag_remedies(table: pd.DataFrame) -> Drawing:
    """Test accuracy with moving and with recalibrated statistics after each way to go over the last epoch.

    Args:
        table: of the experiment lag_remedies; marks are means over seeds, bars reach from the lowest to the highest.
    """
    arms = ("none", "momentum", "rate", "average")
    looks = {name: _STATISTICS[name] for name in ("moving", "recalibrated")}
    found = {name: table.pivot(index="arm", columns="seed", values=name).loc[list(arms)] for name in looks}
    names = {name: message(f"figure.short_{name}") for name in looks}
    labels = [message(f"figure.remedy_{arm}") for arm in arms]
    with styled():
        figure, (axes,) = panels([(message("figure.last_epoch"), message("figure.test_accuracy"))])
        axes.set_xticks(range(len(arms)), labels=labels)
        for number, (name, look) in enumerate(looks.items()):
            places = [place + 0.2 * number - 0.1 for place in range(len(arms))]
            axes.vlines(places, found[name].min(axis=1), found[name].max(axis=1), color=look.colour, linewidth=1.5)
            axes.plot(places, found[name].mean(axis=1), **look.points(), linestyle="", gid=f"series-{look.name}")
            corner = (0.6, 0.3 - 0.1 * number)  # below the two arms that lose little
            axes.plot(*corner, **look.points(), transform=axes.transAxes)
            text = {"xycoords": "axes fraction", "xytext": (10, -5), "textcoords": "offset points"}
            axes.annotate(names[name], corner, **text)
        axes.set_xlim(-0.5, len(arms) - 0.5)
        seen = {f"{name}_{arm}": found[name].loc[arm].mean() for name in looks for arm in arms}
        return draw(
            figure,
            title=message("figure.title_lag_remedies"),
            description=message("figure.lag_remedies", **seen),
            data=_by_remedy(found, names, dict(zip(arms, labels, strict=True))),
        )


def _by_remedy(found: dict[str, pd.DataFrame], names: dict[str, str], labels: dict[str, str]) -> Data:
    """A row for each way: of both kinds of statistics the mean, the lowest and the highest run."""
    columns, kinds = [message("figure.last_epoch")], {"mean": "mean", "lowest": "min", "highest": "max"}
    for name in found:
        columns += [message("figure.column", what=names[name], kind=message(f"figure.{kind}")) for kind in kinds]
    rows = [
        (label, *(f"{runs.loc[arm].agg(how):.4f}" for runs in found.values() for how in kinds.values()))
        for arm, label in labels.items()
    ]
    return Data(tuple(columns), tuple(rows), message("figure.every_run", name="lag_remedies"))
