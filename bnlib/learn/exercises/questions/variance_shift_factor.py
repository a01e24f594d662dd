"""Question: what does dropout before the layer do to its variance? (chapter 05, equation 5.6; Li et al. 2019)"""

import torch

from bnlib.learn.question import Number

KEEP = 0.5
X = torch.tensor([0.0, 2.0], dtype=torch.float64)  # mean 1, variance 1


def dropped() -> torch.Tensor:
    """All that dropout can make of X, each equally likely as KEEP is a half: kept and scaled up, or 0."""
    return torch.cat([X / KEEP, torch.zeros_like(X)])


def factor() -> float:
    return (dropped().var(correction=0) / X.var(correction=0)).item()


EXERCISE = Number(
    name="variance_shift_factor",
    chapter=5,
    value=factor,
    tolerance=0.05,
    low=0.0,
    high=8.0,
    step=0.1,
    mistakes={
        "mean_forgotten": lambda: 1 / KEEP,
        "scaling_repairs": lambda: 1.0,
        "scaling_alone": lambda: KEEP**-2,
        "smaller": lambda: KEEP,
    },
)
