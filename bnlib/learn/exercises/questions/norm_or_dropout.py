"""Question: batch normalization in place of dropout? (the lecture's exercise; recorded in dropout_grid)"""

from bnlib import lab
from bnlib.learn.exercises.questions._recorded import figure
from bnlib.learn.question import Choice


def facts() -> dict[str, float]:
    table = lab.load("dropout_grid")
    means = table.assign(gap=table["test_loss"] - table["train_loss"]).groupby(["norm", "drop"]).mean()
    found = {}
    for norm in ("none", "batch"):
        arm = means.loc[norm]
        found |= {f"best_{norm}": arm["test_accuracy"].max(), f"at_{norm}": float(arm["test_accuracy"].idxmax())}
        found |= {f"undropped_{norm}": arm["test_accuracy"].iloc[0], f"most_{norm}": arm["test_accuracy"].iloc[-1]}
        found |= {f"dropped_{norm}": arm["test_accuracy"].iloc[1:].max(), f"gap_most_{norm}": arm["gap"].iloc[-1]}
    return {**found, "most": float(table["drop"].max())}


EXERCISE = Choice(
    name="norm_or_dropout",
    chapter=5,
    options=("the_more_the_better", "alone_above_dropout", "interchangeable", "smallest_gap"),
    right=frozenset({"alone_above_dropout"}),
    figure=figure("dropout_grid"),
    facts=facts,
)
