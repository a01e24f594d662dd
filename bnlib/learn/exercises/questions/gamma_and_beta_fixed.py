"""Question: what happens without gamma and beta? (the lecture's exercise; recorded in gamma_and_beta)"""

from bnlib.learn.exercises.questions._recorded import mean
from bnlib.learn.question import Choice


def facts() -> dict[str, float]:
    return {
        f"{activation}_{learned}": mean("gamma_and_beta", "recalibrated", activation=activation, learned=learned)
        for activation in ("sigmoid", "relu")
        for learned in ("both", "gamma", "beta", "neither")
    }


EXERCISE = Choice(
    name="gamma_and_beta_fixed",
    chapter=4,
    options=("no_learning", "close", "better", "half"),
    right=frozenset({"close"}),
    facts=facts,
)
