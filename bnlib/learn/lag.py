"""Widget: how far a moving average is behind, and what that costs; any momentum, from one run's recorded batches."""

import math
from html import escape

from traitlets import Dict, Float, List

from bnlib import lab
from bnlib.learn.traits import Choice, Number
from bnlib.learn.widget import CourseWidget, fixed

EXPERIMENT = "statistics_series"
_CONFIG = lab.provenance(EXPERIMENT)["config"]
MOMENTA = _CONFIG["momenta"]
STEPS = math.ceil(_CONFIG["examples"] / _CONFIG["batch_size"])  # of an epoch
UNITS = {"mean": 1e-3, "variance": 1e-4}  # of the stored numbers; as in lag.js, like STARTS
STARTS = {"mean": 0.0, "variance": 1.0}  # of the moving averages


class MovingAverageLag(CourseWidget):
    """Mean or variance of one channel step by step, from `bnlib.lab.load("statistics_series")`, and its moving average.

        moving = (1 - momentum) * moving + momentum * statistic of the batch

    from 0 (mean) or 1 (variance) on, as a layer in training mode computes it, with momentum as in PyTorch; the variance
    of the batch is the unbiased one. The lecture and Keras call 1 - momentum the momentum. The true statistic is the
    recalibrated one, over all training images of the run.

    Traits:
        momentum: weight of the new value, from 0.001 to 1. lr: learning rate of the run, 1.0 or 0.1.
            statistic: "mean" or "variance".
        old_weight: computed, read-only: 1 - momentum, what the lecture and Keras call momentum.
        moving: computed, read-only: the moving average after each step. lag: computed, read-only: how far it is from
            the true statistic after the first epoch, as root mean square: of the mean, in standard deviations of the
            channel; of the variance, as a share of the true one.
        accuracies: computed, read-only: test accuracies at the end, "moving" with the moving averages in all layers
            and "recalibrated"; "lost" is their difference, on average after the first epoch; "momentum" is the recorded
            one, nearest to the trait, at which they were measured.

    Raises:
        TraitError: a value outside of its bounds, which the message names.
    """

    name = "lag"

    momentum = Number(0.1, 0.001, 1)
    lr = Choice(*_CONFIG["lrs"])
    statistic = Choice(*UNITS)

    old_weight = Float(read_only=True)
    moving = List(Float(), read_only=True)
    lag = Float(read_only=True)
    accuracies = Dict(read_only=True)

    def measured(self) -> dict:
        """A run for each learning rate: means and accuracies in thousandths, variances in ten thousandths."""
        table = lab.load(EXPERIMENT)
        names = ("lrs", "every", "score_every", "examples")
        runs = [table[(table["lr"] == lr) & (table["seed"] == _CONFIG["seeds"][0])] for lr in _CONFIG["lrs"]]
        return {
            "runs": [_stored(run) for run in runs],
            "steps": STEPS,
            "momenta": MOMENTA,
            **{name: _CONFIG[name] for name in names},
        }

    @property
    def _run(self) -> dict:
        return self.data["runs"][_CONFIG["lrs"].index(self.lr)]

    def _series(self, kind: str) -> list[float]:
        """The chosen statistic of each batch ("batch"), or the true one every few steps ("true")."""
        return [number * UNITS[self.statistic] for number in self._run[self.statistic][kind]]

    def _compute(self) -> None:
        run, moving, kept = self._run, [], STARTS[self.statistic]
        for batch in self._series("batch"):
            kept = (1 - self.momentum) * kept + self.momentum * batch
            moving.append(kept)
        every, true = self.data["every"], self._series("true")
        squares = [number * UNITS["variance"] for number in run["variance"]["true"]]  # of the unit for means
        units = true if self.statistic == "variance" else [math.sqrt(square) for square in squares]
        looks = zip(range(every, len(moving) + 1, every), true, units, strict=True)
        late = [((moving[step - 1] - exact) / unit) ** 2 for step, exact, unit in looks if step > STEPS]
        nearest = min(MOMENTA, key=lambda momentum: abs(math.log(momentum / self.momentum)))
        scores = run["moving"][MOMENTA.index(nearest)]
        pairs = list(zip(run["recalibrated"], scores, strict=True))
        ends = {"moving": pairs[-1][1] / 1000, "recalibrated": pairs[-1][0] / 1000}
        later = [best - score for step, (best, score) in enumerate(pairs, 1) if step * self.data["score_every"] > STEPS]
        ends["lost"] = sum(later) / len(later) / 1000
        self.set_trait("old_weight", 1 - self.momentum)
        self.set_trait("moving", moving)
        self.set_trait("lag", math.sqrt(math.fsum(late) / len(late)))
        self.set_trait("accuracies", {"momentum": nearest, **ends})

    def picture(self) -> str:
        """The three lines over the steps, and the numbers in words."""
        every, batch, true = self.data["every"], self._series("batch"), self._series("true")
        low, high = (pick(STARTS[self.statistic], *batch, *true) for pick in (min, max))

        def line(values: list[float], look: str) -> str:
            up = [190 - 180 * (value - low) / (high - low) for value in values]
            points = " ".join(f"{20 + 560 * (i + 1) / len(up):.0f},{y:.0f}" for i, y in enumerate(up))
            return f'<polyline points="{points}" fill="none" stroke="{look}"/>'

        values = {"new": f"{self.momentum:g}", "lag": fixed(self.lag), "lost": fixed(self.accuracies["lost"], 3)}
        title = escape(self.say("series", statistic=self.say(self.statistic)))
        some = slice(2 * every - 1, None, 2 * every)  # the steps shown
        lines = (
            line(batch[some], "#999"),
            line(true[1::2], '#0072b2" stroke-width="2" stroke-dasharray="6 4'),
            line(self.moving[some], '#b34700" stroke-width="2'),
        )
        return (
            f'<svg viewBox="0 0 600 200" role="img" aria-label="{title}" style="max-width:600px;background:#fff">'
            f"{''.join(lines)}</svg><p>{title}<br>{escape(self.say('seen', **values))}</p>"
        )


def _stored(run) -> dict:
    """What the widget holds of a run's table, in whole numbers."""

    def whole(column: str, unit: float) -> list[int]:
        return [round(x / unit) for x in run[column].dropna()]

    columns = {"mean": "mean", "variance": "var"}
    series = {
        name: {kind: whole(f"{kind}_{columns[name]}", unit) for kind in ("batch", "true")}
        for name, unit in UNITS.items()
    }
    moving = [whole(f"moving_{momentum:g}", 1e-3) for momentum in MOMENTA]
    return {**series, "recalibrated": whole("recalibrated", 1e-3), "moving": moving}
