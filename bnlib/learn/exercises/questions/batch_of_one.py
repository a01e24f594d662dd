"""Question: what does the formula give for a single sample? (chapter 02, extremes)"""

import torch

from bnlib import lecture
from bnlib.learn.question import Number

X, GAMMA, BETA = 7.3, 2.0, 0.5


def output() -> float:
    x, gamma, beta, zero, one = (torch.tensor([[value]]) for value in (X, GAMMA, BETA, 0.0, 1.0))
    with torch.enable_grad():  # the lecture's sign of training mode
        return lecture.batch_norm(x, gamma, beta, zero, one, 1e-5, 0.9)[0].item()


EXERCISE = Number(
    name="batch_of_one",
    chapter=2,
    value=output,
    tolerance=0.05,
    low=-20.0,
    high=20.0,
    step=0.1,
    mistakes={
        "unchanged": lambda: X,
        "not_normalized": lambda: GAMMA * X + BETA,
        "normalized_to_one": lambda: GAMMA + BETA,
        "beta_forgotten": lambda: 0.0,
    },
    facts=lambda: {"x": X, "gamma": GAMMA, "beta": BETA},
)
