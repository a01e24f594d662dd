"""Question: how much larger is the unbiased variance? (chapter 02, from the table of m / (m - 1))"""

import torch

from bnlib.learn.question import Number

M = 4


def factor(m: int) -> float:
    """The unbiased variance over the biased one, of any m numbers."""
    X = torch.arange(m, dtype=torch.float64)
    return (X.var(correction=1) / X.var(correction=0)).item()


EXERCISE = Number(
    name="unbiased_factor",
    chapter=2,
    value=lambda: factor(M),
    tolerance=0.01,
    low=0.5,
    high=2.5,
    step=0.01,
    mistakes={
        "inverse": lambda: 1 / factor(M),
        "sample_too_many": lambda: factor(M + 1),
        "root": lambda: factor(M) ** 0.5,
        "no_difference": lambda: 1.0,
    },
    facts=lambda: {"large": factor(256)},
)
