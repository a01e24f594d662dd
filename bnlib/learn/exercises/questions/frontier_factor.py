"""Question: how much larger a learning rate does LeNet take? (the lecture's exercise; chapter 04's frontier)"""

from bnlib import lab
from bnlib.learn.exercises.questions._recorded import figure, mean
from bnlib.learn.question import Number

EXPERIMENT = "learning_rate_frontier"
LEARNED = 0.2  # guessing among ten classes gives 0.1


def accuracies(norm: str) -> dict[float, float]:
    """Mean test accuracy in the last epoch, by learning rate."""
    rates = sorted(lab.provenance(EXPERIMENT)["config"]["lrs"])
    return {lr: mean(EXPERIMENT, "test_accuracy", norm=norm, lr=lr) for lr in rates}


def learned(norm: str) -> list[float]:
    return [lr for lr, accuracy in accuracies(norm).items() if accuracy > LEARNED]


def best(norm: str) -> float:
    found = accuracies(norm)
    return max(found, key=found.get)


def facts() -> dict[str, float]:
    plain, batch = accuracies("none"), accuracies("batch")
    top = {"best_none": best("none"), "best_batch": best("batch")}
    top |= {"top_none": max(plain.values()), "top_batch": max(batch.values())}
    return {"none": max(learned("none")), "batch": max(learned("batch")), **top}


EXERCISE = Number(
    name="frontier_factor",
    chapter=4,
    value=lambda: max(learned("batch")) / max(learned("none")),
    tolerance=0.05,
    relative=True,
    low=0.1,
    high=10_000.0,
    step=10**0.1,
    log=True,
    mistakes={
        "rate_itself": lambda: max(learned("batch")),
        "best_rates": lambda: best("batch") / best("none"),
        "range_with": lambda: max(learned("batch")) / min(learned("batch")),
    },
    figure=figure(EXPERIMENT),
    facts=facts,
)
