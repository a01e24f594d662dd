"""Question: what happens to the gradient of weights that are scaled? (chapter 02; recorded in scale_invariance)"""

from bnlib.learn.exercises.questions._recorded import mean
from bnlib.learn.question import Number

ALPHA = 10.0


def factor() -> float:
    """Gradient norm behind the scaling over the one before it, as measured at the start of training."""
    return mean("scale_invariance", "gradient_times_alpha", alpha=ALPHA, epoch=0) / ALPHA


def facts() -> dict[str, float]:
    rate = mean("scale_invariance", "effective_lr", alpha=ALPHA, epoch=0)
    return {"rates": rate / mean("scale_invariance", "effective_lr", alpha=1.0, epoch=0)}


EXERCISE = Number(
    name="gradient_of_scaled_weights",
    chapter=1,
    value=factor,
    tolerance=0.05,
    relative=True,
    low=0.001,
    high=1000.0,
    step=10**0.1,
    log=True,
    mistakes={"unchanged": lambda: 1.0, "grows": lambda: ALPHA, "squared": lambda: ALPHA**-2},
    facts=facts,
)
