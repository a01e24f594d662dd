"""Question: which normalization for two images? (the lecture's other normalizations; recorded in small_batches)"""

from bnlib import lab
from bnlib.learn.exercises.questions._recorded import figure, mean
from bnlib.learn.question import Choice

ARMS = ("batch", "renorm", "group", "synchronized", "none")


def facts() -> dict[str, float]:
    config = lab.provenance("small_batches")["config"]
    few = min(config["sizes"])
    accuracies = {arm: mean("small_batches", "test_accuracy", arm=arm, m=few) for arm in ARMS}
    recalibrated = mean("small_batches", "recalibrated", arm="batch", m=few)
    larger = {f"{arm}_at_8": mean("small_batches", "test_accuracy", arm=arm, m=8) for arm in ("batch", "group")}
    return {**accuracies, **larger, "recalibrated": recalibrated, "devices": config["devices"], "few": few}


EXERCISE = Choice(
    name="smallest_batches",
    chapter=6,
    options=ARMS,
    right=frozenset({"group"}),
    figure=figure("small_batches"),
    facts=facts,
)
