"""Question: what is settled, and what is not? (the lecture's exercise on research directions; chapter 05's table)"""

from bnlib.learn.exercises.questions._recorded import mean
from bnlib.learn.question import Choice


def facts() -> dict[str, float]:
    lr = 10.0
    rates = {norm: mean("learning_rate_frontier", "test_accuracy", norm=norm, lr=lr) for norm in ("none", "batch")}
    noisy = mean("noisy_normalization", "test_accuracy", arm="noisy batch", lr=0.1)
    quiet = mean("noisy_normalization", "test_accuracy", arm="batch", lr=0.1)
    plain = mean("noisy_normalization", "test_accuracy", arm="none", lr=0.1)
    change = mean("scale_invariance", "output_change", alpha=10.0, epoch=0)
    return {"lr": lr, **rates, "noisy": noisy, "quiet": quiet, "plain": plain, "change": change}


EXERCISE = Choice(
    name="settled",
    chapter=5,
    options=("covariate_shift", "larger_rates", "smoothness", "scale", "only_rates", "indispensable"),
    right=frozenset({"larger_rates", "scale"}),
    facts=facts,
)
