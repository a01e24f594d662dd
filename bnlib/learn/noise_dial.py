"""Widget: turn the batch size, and see the noise of the batch statistics and what it does to one image's logits."""

import math

import pandas as pd
from traitlets import Float, List

from bnlib import lab
from bnlib.language import message
from bnlib.learn.traits import Choice
from bnlib.learn.widget import CourseWidget

SIZES = (2, 4, 8, 16, 32, 64, 128, 256)
IMAGES = ("doubtful", "middling", "sure")
LAYER, SEED = "norm3", 0  # LeNet's first fully connected layer, in the first network of both experiments


class NoiseDial(CourseWidget):
    """The spread of batch mean and scale in a fully connected layer of LeNet, and one test image's ten logits.

    Measured by `bnlib.lab.statistics_noise` and `bnlib.lab.noise_on_logits`, on the same network. The theory is that of
    equation (5.4): with m independent values of excess kurtosis κ, the batch mean spreads by 1/√m standard deviations,
    the batch's standard deviation by about √(2/(m-1) + κ/m)/2 of itself.

    Traits:
        batch_size: 2, 4, ..., 256 images in a minibatch. image: "doubtful", "middling" or "sure", by how far its most
            probable class is ahead of the next one.
        mean_spread, mean_theory, scale_spread, scale_theory: computed, read-only.
        logit_mean, logit_std, wins: of each class over the minibatches; wins is the share of them in which the class
            has the largest logit. population: the logits by the statistics of the 12,000 images that the network
            was trained on. Read-only.

    Raises:
        TraitError: another batch size or image.
    """

    name = "noise_dial"

    batch_size = Choice(*SIZES, default=8)
    image = Choice(*IMAGES)

    mean_spread = Float(read_only=True)
    mean_theory = Float(read_only=True)
    scale_spread = Float(read_only=True)
    scale_theory = Float(read_only=True)
    logit_mean = List(Float(), read_only=True)
    logit_std = List(Float(), read_only=True)
    wins = List(Float(), read_only=True)
    population = List(Float(), read_only=True)

    def measured(self) -> dict:
        spread = lab.load("statistics_noise").sort_values("m")
        spread = spread[(spread["layer"] == LAYER) & (spread["seed"] == SEED)]
        logits = lab.load("noise_on_logits").sort_values(["m", "class"])
        logits = logits[logits["seed"] == SEED]
        config = lab.provenance("noise_on_logits")["config"]
        draws = config["draws"]
        return {
            "sizes": list(SIZES),
            "classes": message("data.class_names").split("|"),
            "kurtosis": round(float(spread["kurtosis"].iloc[0]), 4),
            "mean": spread["mean_spread"].round(4).tolist(),
            "scale": spread["std_spread"].round(4).tolist(),
            "draws": draws,
            "examples": config["examples"],
            "images": {image: _logits(logits[logits["image"] == image], draws) for image in IMAGES},
        }

    def _compute(self) -> None:
        place, image = SIZES.index(self.batch_size), self.data["images"][self.image]
        self.set_trait("mean_spread", self.data["mean"][place])
        self.set_trait("scale_spread", self.data["scale"][place])
        self.set_trait("mean_theory", 1 / math.sqrt(self.batch_size))
        variance = 2 / (self.batch_size - 1) + self.data["kurtosis"] / self.batch_size
        self.set_trait("scale_theory", math.sqrt(variance) / 2)
        self.set_trait("logit_mean", image["mean"][place])
        self.set_trait("logit_std", image["std"][place])
        self.set_trait("wins", [count / self.data["draws"] for count in image["wins"][place]])
        self.set_trait("population", image["population"])

    def picture(self) -> str:
        """The ten logits with their spread, and all numbers in words."""
        classes, low, high = self.data["classes"], -6.0, 8.0
        title = self._told()

        def place(value: float) -> str:
            return f"{130 + 410 * (value - low) / (high - low):.1f}"

        marks = []
        for number, (name, mean, std) in enumerate(zip(classes, self.logit_mean, self.logit_std, strict=True)):
            y = 16 + 22 * number
            marks.append(f'<text x="120" y="{y + 4}">{name}</text>')
            for width, sds in ((2, 2), (8, 1)):
                ends = f"M{place(mean - sds * std)} {y}H{place(mean + sds * std)}"
                marks.append(f'<path d="{ends}" stroke="#0072b2" stroke-width="{width}"/>')
            marks.append(f'<circle cx="{place(mean)}" cy="{y}" r="3" fill="#fff"/>')
            marks.append(f'<text x="592" y="{y + 4}">{self.wins[number]:.0%}</text>')
        return (
            f'<svg viewBox="0 0 600 236" role="img" aria-label="{title}" style="max-width:600px;background:#fff">'
            f'<g text-anchor="end" font-size="13">{"".join(marks)}</g></svg><p>{title}</p>'
        )

    def _told(self) -> str:
        """The spread of the statistics, and who has the largest logit how often, most often first."""
        order = sorted(range(len(self.wins)), key=lambda number: -self.wins[number])
        won = [(self.data["classes"][number], self.wins[number]) for number in order if self.wins[number] >= 0.005]
        image = self.data["images"][self.image]
        spreads = {name: getattr(self, f"{name}_spread") for name in ("mean", "scale")}
        spreads |= {f"{name}_theory": getattr(self, f"{name}_theory") for name in ("mean", "scale")}
        spread = self.say("spread", m=self.batch_size, **{name: f"{value:.3f}" for name, value in spreads.items()})
        outcome = self.say(
            "outcome",
            m=self.batch_size,
            index=image["index"],
            label=self.data["classes"][image["label"]],
            winners=self.say("and").join(self.say("winner", name=name, share=f"{100 * n:.0f}") for name, n in won),
            std=f"{sum(self.logit_std) / len(self.logit_std):.2f}",
        )
        return self.say("both", spread=spread, outcome=outcome)


def _logits(rows: pd.DataFrame, draws: int) -> dict:
    """One image's measurements: lists by size, then by class; wins in minibatches."""
    rows = rows.assign(wins=(draws * rows["wins"]).round().astype(int)).round({"mean": 2, "std": 2, "population": 2})
    first = rows[rows["m"] == rows["m"].min()]
    told = {"index": int(first["index"].iloc[0]), "label": int(first["label"].iloc[0])}
    by_size = {name: [group[name].tolist() for _, group in rows.groupby("m")] for name in ("mean", "std", "wins")}
    return {**told, "population": first["population"].tolist(), **by_size}
