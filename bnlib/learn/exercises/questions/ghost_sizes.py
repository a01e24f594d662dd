"""Question: what do smaller ghosts buy? (chapter 05; recorded in ghost_gap)"""

from bnlib import lab
from bnlib.learn.exercises.questions._recorded import figure
from bnlib.learn.question import Choice


def facts() -> dict[str, float]:
    table = lab.load("ghost_gap")
    means = table.assign(gap=table["test_loss"] - table["train_loss"]).groupby("ghost_size").mean()
    small, large, best = means.iloc[0], means.iloc[-1], means.loc[means["test_accuracy"].idxmax()]
    sizes = {"small": float(small.name), "large": float(large.name), "best": float(best.name)}
    gaps = {"gap_small": small["gap"], "gap_large": large["gap"]}
    scores = {f"test_{name}": row["test_accuracy"] for name, row in zip(sizes, (small, large, best), strict=True)}
    fits = {"train_small": small["train_accuracy"], "train_large": large["train_accuracy"]}
    return {**sizes, **gaps, **scores, **fits}


EXERCISE = Choice(
    name="ghost_sizes",
    chapter=5,
    options=("smallest_best", "gap_is_not_accuracy", "no_effect", "larger_regularizes"),
    right=frozenset({"gap_is_not_accuracy"}),
    figure=figure("ghost_gap"),
    facts=facts,
)
