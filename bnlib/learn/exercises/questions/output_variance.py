"""Question: which variance does a normalized channel have? (chapter 02, epsilon inside of the root)"""

import torch
from torch.nn import functional as F

from bnlib.learn.question import Number

VAR, EPS = 0.04, 0.01
X = VAR**0.5 * torch.tensor([[-1.0], [1.0]], dtype=torch.float64)  # of just that variance


def normalized() -> torch.Tensor:
    return F.batch_norm(X, None, None, training=True, eps=EPS)


EXERCISE = Number(
    name="output_variance",
    chapter=2,
    value=lambda: normalized().var(correction=0).item(),
    tolerance=0.005,
    low=0.0,
    high=2.0,
    step=0.005,
    mistakes={
        "no_eps": lambda: 1.0,
        "eps_outside": lambda: (X / (X.std(correction=0) + EPS)).var(correction=0).item(),
        "deviation": lambda: normalized().std(correction=0).item(),
        "inverse": lambda: 1 / normalized().var(correction=0).item(),
        "unbiased": lambda: normalized().var(correction=1).item(),
    },
)
