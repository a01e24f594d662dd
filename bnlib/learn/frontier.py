"""Widget: how large a learning rate can one take? Recorded runs with and without batch normalization, rate by rate."""

import math
from html import escape

import pandas as pd
from traitlets import Dict

from bnlib import lab
from bnlib.learn.traits import Choice
from bnlib.learn.widget import CourseWidget

EXPERIMENT = "learning_rate_frontier"
ARMS = ("batch", "none")
IMAGES = ("train", "test")
COLOURS = {"batch": "#0072b2", "none": "#b34700"}  # as in parts/frame.js
_CONFIG = lab.provenance(EXPERIMENT)["config"]
EPOCHS = _CONFIG["epochs"]
LRS = tuple(sorted(_CONFIG["lrs"]))
GUESS = round(math.log(10), 4)  # the loss of one who gives each of the ten classes the same probability


def _lost(same: list[pd.DataFrame]) -> int:
    """The first epoch from which on the mean loss stays above twice that of guessing; 0: there is none."""
    losses = pd.concat(same).groupby("epoch")["loss"].mean().sort_index()
    fine = losses.index[losses <= 2 * GUESS]
    first = int(fine.max()) + 1 if len(fine) else 1
    return first if first <= losses.index.max() else 0


class LearningRateFrontier(CourseWidget):
    """The runs of `bnlib.lab.load("learning_rate_frontier")`: LeNet at eight learning rates, three seeds each.

    One chart shows the accuracy in the last epoch against the learning rate, at the rates that have been tried so far;
    the other one, the accuracy by epoch at the chosen rate. On training images it is measured while the epoch runs, in
    training mode; on test images after it. Nothing is trained here.

    Traits:
        lr: one of the recorded learning rates. arms: "both", "batch" (with batch normalization) or "none" (without).
            images: "train" or "test", those that the accuracy is measured on.
        accuracy: computed, read-only: of each arm shown, the accuracy in the last epoch at this rate, mean over
            seeds; None where a run diverged. curves: computed, read-only: of each arm shown, the mean accuracy in
            each epoch that all its runs have finished.

    Raises:
        TraitError: another value, which the message names beside those that may be.
    """

    name = "frontier"

    lr = Choice(1.0, *(lr for lr in LRS if lr != 1.0))
    arms = Choice("both", *ARMS)
    images = Choice(*IMAGES)

    accuracy = Dict(read_only=True)
    curves = Dict(read_only=True)

    def measured(self) -> dict:
        """Accuracies in thousandths, as data[images][arm][rate][seed][epoch], and what else the numbers say.

        Those of the last epoch, told in three decimals as means, stand in "ends" in hundred thousandths; there are
        none where a run has not come so far. "lost" holds the first epoch from which on the mean loss stays above twice
        that of guessing, 0 where there is none: training has diverged there, though the loss is a number still.
        """
        table = lab.load(EXPERIMENT)
        runs = {key: run.sort_values("epoch") for key, run in table.groupby(["norm", "lr", "seed"])}
        seeds = sorted(table["seed"].unique())

        def by_rate(value) -> dict:
            return {arm: [value([runs[arm, lr, seed] for seed in seeds]) for lr in LRS] for arm in ARMS}

        def thousandths(column: str) -> dict:
            return by_rate(lambda same: [[round(1000 * x) for x in run[column].dropna()] for run in same])

        def ends(column: str) -> dict:
            last = by_rate(
                lambda same: [round(1e5 * x) for run in same for x in run[column][run["epoch"] == EPOCHS].dropna()]
            )
            return {arm: [found if len(found) == len(seeds) else [] for found in rates] for arm, rates in last.items()}

        def loss(same) -> float | None:
            ends = [run["loss"].iloc[-1] for run in same if run["loss"].notna().all()]
            return float(f"{sum(ends) / len(ends):.3g}") if ends else None

        return {
            **{images: thousandths(f"{images}_accuracy") for images in IMAGES},
            "ends": {images: ends(f"{images}_accuracy") for images in IMAGES},
            "loss": by_rate(loss),
            "diverged": by_rate(lambda same: [int(step) for run in same for step in run["diverged_step"].dropna()[:1]]),
            "lost": by_rate(_lost),
            "guess": GUESS,
            "lrs": LRS,
            "epochs": EPOCHS,
        }

    def _compute(self) -> None:
        shown = [arm for arm in ARMS if self.arms in ("both", arm)]
        self.set_trait("curves", {arm: self._curve(arm, self.lr) for arm in shown})
        self.set_trait("accuracy", {arm: self._last(arm, self.lr) for arm in shown})

    def _curve(self, arm: str, lr: float) -> list[float]:
        """Mean over seeds in each epoch."""
        same = self.data[self.images][arm][LRS.index(lr)]
        return [sum(epoch) / len(epoch) / 1000 for epoch in zip(*same, strict=False)]

    def _last(self, arm: str, lr: float) -> float | None:
        """Mean over seeds in the last epoch; None where not all runs have come so far."""
        ends = self.data["ends"][self.images][arm][LRS.index(lr)]
        return sum(ends) / len(ends) / 1e5 if ends else None

    def picture(self) -> str:
        """Accuracy against the rate, a line for each arm, and the same in words."""
        found = {arm: {lr: self._last(arm, lr) for lr in LRS} for arm in ARMS}
        place = {lr: 50 + 70 * number for number, lr in enumerate(LRS)}
        marks = [
            f'<text x="{x}" y="200" text-anchor="middle" font-size="12" fill="#333">{lr:g}</text>'
            for lr, x in place.items()
        ]
        words = []
        for arm, values in found.items():
            known = {lr: value for lr, value in values.items() if value is not None}
            line = " ".join(f"{place[lr]},{175 - 165 * value:.0f}" for lr, value in known.items())
            dashes = ' stroke-dasharray="6 4"' if arm == "none" else ""
            marks.append(f'<polyline points="{line}" fill="none" stroke="{COLOURS[arm]}" stroke-width="2"{dashes}/>')
            numbers = ", ".join(f"{lr:g} → {value:.3f}" for lr, value in known.items())
            words.append(self.say("line", arm=self.say(arm), text=numbers))
        title = escape(self.say("after_on", images=self.say(self.images), epochs=EPOCHS))
        numbers = "<br>".join(map(escape, words))
        return (
            f'<svg viewBox="0 0 600 210" role="img" aria-label="{title}" style="max-width:600px;background:#fff">'
            f'<line x1="30" y1="175" x2="570" y2="175" stroke="#444"/>{"".join(marks)}</svg><p>{title}<br>{numbers}</p>'
        )
