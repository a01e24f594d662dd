"""Question: how long does the moving average remember where it started? (chapter 02, moving averages)"""

from itertools import accumulate, repeat

from bnlib.learn.question import Number

MOMENTUM, LEFT = 0.1, 0.01


def batches(share: float = LEFT) -> int:
    """How many updates it takes until the initial value counts less than that share."""
    weights = accumulate(repeat(1 - MOMENTUM), lambda weight, old: weight * old)
    return next(number for number, weight in enumerate(weights, 1) if weight < share)


EXERCISE = Number(
    name="batches_until_forgotten",
    chapter=3,
    value=batches,
    tolerance=0.5,
    low=1.0,
    high=500.0,
    step=1.0,
    mistakes={
        "one_over_momentum": lambda: 1 / MOMENTUM,
        "momentum_on_old": lambda: 3,  # the first n with 0.1 ** n < 0.01
        "one_over_share": lambda: 1 / LEFT,
        "a_tenth": lambda: batches(0.1),
    },
    facts=lambda: {"after_ten": (1 - MOMENTUM) ** 10},
)
