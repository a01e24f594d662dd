"""Widget: the backward pass as a projection, on three samples; without it, mean and variance of the inputs drift."""

import math

from traitlets import Float, List

from bnlib.learn.traits import Number, Numbers, Switch, Whole
from bnlib.learn.widget import CourseWidget, fixed

STEPS = 50  # as in projection.js


class BackwardProjection(CourseWidget):
    """One feature x of a batch of three, and the gradient g that arrives at its three outputs.

        dx = γ/√(σ² + ε) · (g - 1 mean(g) - x̂ mean(g x̂))

    This is equation (2.9) with h = γ g: the layer removes what points along 1 and what points along x̂. With the
    statistics detached it removes nothing. `step` gradient steps on x alone, with the same g, show what comes of that.

    Traits:
        samples: x, three numbers from -5 to 5. gradient: g, three from -3 to 3. gamma, eps. detached: True for a
            backward pass that takes mean and variance for constants. rate: of the steps. step: how many were made, 0
            to 50.
        position: x after these steps. mean, var, normalized: of it. along_one, along_x: what is removed from g there,
            for each sample. grad_input: dx there. path_mean, path_var: mean and variance after 0, 1, ..., 50 steps.
            All computed, read-only.

    Raises:
        TraitError: a value outside of its bounds, which the message names.
    """

    name = "projection"

    samples = Numbers((-1.0, 0.2, 2.0), -5, 5, least=3, most=3)
    gradient = Numbers((2.2, -0.8, 0.2), -3, 3, least=3, most=3)
    gamma = Number(1.0, -10, 10)
    eps = Number(1e-5, 1e-12, 100)
    detached = Switch(False)
    rate = Number(0.1, 0.001, 1)
    step = Whole(0, 0, STEPS)

    position = List(Float(), read_only=True)
    mean = Float(read_only=True)
    var = Float(read_only=True)
    normalized = List(Float(), read_only=True)
    along_one = List(Float(), read_only=True)
    along_x = List(Float(), read_only=True)
    grad_input = List(Float(), read_only=True)
    path_mean = List(Float(), read_only=True)
    path_var = List(Float(), read_only=True)

    def _compute(self) -> None:
        x, path = self.samples, []
        for _ in range(STEPS + 1):
            path.append((x, found := self._backward(x)))
            x = [value - self.rate * slope for value, slope in zip(x, found["grad_input"], strict=True)]
        self.set_trait("path_mean", [found["mean"] for _, found in path])
        self.set_trait("path_var", [found["var"] for _, found in path])
        self.set_trait("position", path[self.step][0])
        for name, value in path[self.step][1].items():
            self.set_trait(name, value)

    def _backward(self, x: list[float]) -> dict:
        m, g = len(x), self.gradient
        mean = math.fsum(x) / m
        var = math.fsum((value - mean) ** 2 for value in x) / m
        rstd = 1 / math.sqrt(var + self.eps)
        x_hat = [(value - mean) * rstd for value in x]
        mean_g = math.fsum(g) / m
        mean_gx = math.fsum(a * b for a, b in zip(g, x_hat, strict=True)) / m
        along_one = [0.0 if self.detached else mean_g] * m
        along_x = [0.0 if self.detached else value * mean_gx for value in x_hat]
        left = [a - b - c for a, b, c in zip(g, along_one, along_x, strict=True)]
        return {
            "mean": mean,
            "var": var,
            "normalized": x_hat,
            "along_one": along_one,
            "along_x": along_x,
            "grad_input": [self.gamma * rstd * value for value in left],
        }

    def picture(self) -> str:
        """Seen from the tip of 1: the circle of all x̂; the gradient from x̂, its removed part and the rest; in words."""
        g = self.gradient
        half = max(3.2, 1.05 * (math.sqrt(3) + math.hypot(*_plane(g))))

        def place(point: tuple[float, float]) -> tuple[float, float]:
            return 150 + 140 * point[0] / half, 150 - 140 * point[1] / half

        def line(start: list[float], end: list[float], look: str) -> str:
            (x1, y1), (x2, y2) = place(_plane(start)), place(_plane(end))
            return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {look}/>'

        removed = [a + b for a, b in zip(self.normalized, self.along_x, strict=True)]
        tip = [a + b for a, b in zip(self.normalized, g, strict=True)]
        left = [a - b for a, b in zip(tip, self.along_x, strict=True)]
        x, y = place(_plane(self.normalized))
        marks = [
            f'<circle cx="150" cy="150" r="{140 * math.sqrt(3) / half:.1f}" fill="none" stroke="#888"/>',
            line([0, 0, 0], self.normalized, 'stroke="#888"'),
            line(self.normalized, tip, 'stroke="#444" stroke-width="2"'),
            line(self.normalized, removed, 'stroke="#b34700" stroke-width="2" stroke-dasharray="6 4"'),
            line(self.normalized, left, 'stroke="#0072b2" stroke-width="3"'),
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="#fff" stroke="#0072b2" stroke-width="2"/>',
        ]
        title = self._told()
        return (
            f'<svg viewBox="0 0 300 300" role="img" aria-label="{title}" style="max-width:300px;background:#fff">'
            f"{''.join(marks)}</svg><p>{title}</p>"
        )

    def _told(self) -> str:
        """What is removed of the gradient, what is left, and where mean and variance of x go."""
        parts = {"whole": self.gradient, "one": self.along_one, "x": self.along_x}
        lengths = {name: fixed(math.hypot(*part)) for name, part in parts.items()}
        dx = ", ".join(fixed(value) for value in self.grad_input)
        ends = {
            "mean": self.path_mean[-1],
            "mean0": self.path_mean[0],
            "var": self.path_var[-1],
            "var0": self.path_var[0],
        }
        drift = self.say("drift", steps=STEPS, **{name: f"{value:.2f}" for name, value in ends.items()})
        return self.say("detached_told" if self.detached else "removed_told", dx=dx, drift=drift, **lengths)


def _plane(vector: list[float]) -> tuple[float, float]:
    """The plane at right angles to 1, from the tip of 1: right and up, with the first sample's axis upwards."""
    a, b, c = vector
    return (c - b) / math.sqrt(2), (2 * a - b - c) / math.sqrt(6)
