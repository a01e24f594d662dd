"""Widget: one batch of numbers on a line and what batch normalization makes of it; drag one, see the others move."""

import math

from traitlets import Enum, Float, List, TraitError, observe, validate

from bnlib.language import message
from bnlib.learn.widget import HERE, CourseWidget

SAMPLES = (-4.0, -1.0, 0.5, 2.0, 5.0)
INPUTS, OUTPUTS = (-10.0, 10.0), (-4.0, 4.0)  # what the two lines show, as in normalize.js


class NormalizeBatch(CourseWidget):
    """Five numbers (one feature of a batch) above, their normalized values below, as in equations (2.3) and (2.4).

        y = γ (x - μ) / √(σ² + ε) + β

    In training mode μ and σ² (biased) are those of the batch, so moving one sample moves every output. In
    prediction mode they are moving_mean and moving_var, and only the output of the moved sample moves.

    Traits:
        samples: 1 to 12 finite numbers. gamma, beta: finite. eps: above 0. mode: "training" or "prediction".
        moving_mean, moving_var: finite, moving_var not negative.
        mean, var, outputs: computed, read-only.

    Raises:
        TraitError: a value outside of these.
    """

    name = "normalize"
    _esm = HERE / "normalize.js"
    state_names = ("samples", "gamma", "beta", "eps", "mode", "moving_mean", "moving_var")
    string_names = (
        "question", "training", "prediction", "mode", "input", "output", "sample", "gamma", "beta", "eps",
        "reset", "copy_link", "copied", "batch_statistics", "moving_statistics", "mean", "variance",
        "moved_all", "moved_one", "moved_none", "start",
    )  # fmt: skip

    samples = List(Float(), default_value=list(SAMPLES)).tag(sync=True)
    gamma = Float(1.0).tag(sync=True)
    beta = Float(0.0).tag(sync=True)
    eps = Float(1e-5).tag(sync=True)
    mode = Enum(("training", "prediction"), default_value="training").tag(sync=True)
    moving_mean = Float(0.0).tag(sync=True)
    moving_var = Float(4.0).tag(sync=True)

    mean = Float(read_only=True)
    var = Float(read_only=True)
    outputs = List(Float(), read_only=True)

    def __init__(self, **state) -> None:
        super().__init__(**state)
        self._compute()

    @validate("samples")
    def _some_finite_samples(self, proposal):
        samples = proposal["value"]
        if not 1 <= len(samples) <= 12 or not all(map(math.isfinite, samples)):
            raise TraitError(f"samples got {samples}; expected 1 to 12 finite numbers, such as {list(SAMPLES)}")
        return samples

    @validate("gamma", "beta", "moving_mean", "moving_var", "eps")
    def _in_range(self, proposal):
        name, value = proposal["trait"].name, proposal["value"]
        low = {"eps": math.ulp(0.0), "moving_var": 0.0}.get(name, -math.inf)
        if not math.isfinite(value) or value < low:
            wanted = {"eps": "a number above 0", "moving_var": "a number not below 0"}.get(name, "a finite number")
            raise TraitError(f"{name} got {value}; expected {wanted}")
        return value

    @observe(*state_names)
    def _compute(self, change=None) -> None:
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
        numbers = ", ".join(f"{x:.2f} → {y:.2f}" for x, y in zip(self.samples, self.outputs, strict=True))
        title = f"{message('widget.input')} → {message('widget.output')}: {numbers}"
        return (
            f'<svg viewBox="0 0 600 200" role="img" aria-label="{title}" style="max-width:600px;background:#fff">'
            f'<line x1="20" y1="50" x2="580" y2="50" stroke="#444"/>'
            f'<line x1="20" y1="150" x2="580" y2="150" stroke="#444"/>{"".join(marks)}</svg><p>{title}</p>'
        )
