"""Question: how does the spread of the batch mean depend on the batch size? (chapter 05; statistics_noise)"""

from bnlib.learn.exercises.questions._recorded import mean
from bnlib.learn.question import Number

SMALL, LARGE = 16, 64


def spread(m: int) -> float:
    """Standard deviation of the batch mean, in units of that of the activations, below a linear layer's sigmoid."""
    return mean("statistics_noise", "mean_spread", layer="norm3", m=m)


EXERCISE = Number(
    name="mean_spread",
    chapter=5,
    value=lambda: spread(LARGE) / spread(SMALL),
    tolerance=0.02,
    low=0.0,
    high=4.0,
    step=0.01,
    mistakes={
        "like_variance": lambda: SMALL / LARGE,
        "no_change": lambda: 1.0,
        "grows": lambda: (LARGE / SMALL) ** 0.5,
        "squared": lambda: (SMALL / LARGE) ** 2,
    },
    facts=lambda: {"small": spread(SMALL), "large": spread(LARGE)},
)
