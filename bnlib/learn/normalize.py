"""Widget: one batch of numbers on a line and what batch normalization makes of it; drag one, see the others move."""

import math

from traitlets import Float, List

from bnlib.learn.traits import Choice, Number, Numbers
from bnlib.learn.widget import CourseWidget, fixed

SAMPLES = (-4.0, -1.0, 0.5, 2.0, 5.0)
INPUTS, OUTPUTS = (-10.0, 10.0), (-4.0, 4.0)  # what the two lines show, as in normalize.js


class NormalizeBatch(CourseWidget):
    """Five numbers (one feature of a batch) above, their normalized values below, as in equations (2.3) and (2.4).

        y = γ (x - μ) / √(σ² + ε) + β

    In training mode μ and σ² (biased) are those of the batch, so moving one sample moves every output. In
    prediction mode they are moving_mean and moving_var, and only the output of the moved sample moves.

    Traits:
        samples: 1 to 12 numbers. gamma, beta. eps: above 0. mode: "training" or "prediction". moving_mean, moving_var:
            what prediction uses; moving_var not negative. Each has bounds of the order of what the picture shows.
        mean, var, outputs: computed, read-only.

    Raises:
        TraitError: a value outside of its bounds, which the message names.
    """

    name = "normalize"

    samples = Numbers(SAMPLES, -1e4, 1e4, least=1, most=12)
    gamma = Number(1.0, -10, 10)
    beta = Number(0.0, -10, 10)
    eps = Number(1e-5, 1e-12, 100)
    mode = Choice("training", "prediction")
    moving_mean = Number(0.0, -1e4, 1e4)
    moving_var = Number(4.0, 0, 1e8)

    mean = Float(read_only=True)
    var = Float(read_only=True)
    outputs = List(Float(), read_only=True)

    def _compute(self) -> None:
        m = len(self.samples)
        mean = math.fsum(self.samples) / m
        var = math.fsum((x - mean) ** 2 for x in self.samples) / m
        if self.mode == "prediction":
            mean, var = self.moving_mean, self.moving_var
        rstd = 1 / math.sqrt(var + self.eps)
        self.set_trait("mean", mean)
        self.set_trait("var", var)
        self.set_trait("outputs", [self.gamma * (x - mean) * rstd + self.beta for x in self.samples])

    def picture(self) -> str:
        """The two lines with numbered points, and the same in words."""

        def place(value: float, span: tuple[float, float]) -> str:
            inside = min(max(value, span[0]), span[1])
            return f"{20 + 560 * (inside - span[0]) / (span[1] - span[0]):.1f}"

        marks = []
        for i, (x, y) in enumerate(zip(self.samples, self.outputs, strict=True), start=1):
            top, low = place(x, INPUTS), place(y, OUTPUTS)
            marks.append(f'<line x1="{top}" y1="50" x2="{low}" y2="150" stroke="#888"/>')
            for at, height in ((top, 50), (low, 150)):
                marks.append(f'<circle cx="{at}" cy="{height}" r="11" fill="#fff" stroke="#0072b2" stroke-width="2"/>')
                marks.append(f'<text x="{at}" y="{height + 4}" text-anchor="middle" font-size="12">{i}</text>')
        pairs = zip(self.samples, self.outputs, strict=True)
        numbers = self.marks["comma"].join(f"{fixed(x)} → {fixed(y)}" for x, y in pairs)
        title = f"{self.say('input')} → {self.say('output')}{self.marks['colon']}{numbers}"
        return (
            f'<svg viewBox="0 0 600 200" role="img" aria-label="{title}" style="max-width:600px;background:#fff">'
            f'<line x1="20" y1="50" x2="580" y2="50" stroke="#444"/>'
            f'<line x1="20" y1="150" x2="580" y2="150" stroke="#444"/>{"".join(marks)}</svg><p>{title}</p>'
        )
