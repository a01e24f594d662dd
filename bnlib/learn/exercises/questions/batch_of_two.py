"""Question: what does the formula give for two samples? (chapter 02, extremes)"""

import torch

from bnlib import lecture
from bnlib.learn.question import Number

SAMPLES = (1.0, 5.0)


def output() -> float:
    """Of the second sample."""
    x = torch.tensor(SAMPLES).view(2, 1)
    one, zero = torch.ones(1, 1), torch.zeros(1, 1)
    with torch.enable_grad():  # the lecture's sign of training mode
        return lecture.batch_norm(x, one, zero, zero, one, 1e-5, 0.9)[0][1].item()


X = torch.tensor(SAMPLES)

EXERCISE = Number(
    name="batch_of_two",
    chapter=2,
    value=output,
    tolerance=0.02,
    low=-5.0,
    high=5.0,
    step=0.02,
    mistakes={
        "unbiased": lambda: ((X[1] - X.mean()) / X.std()).item(),
        "by_variance": lambda: ((X[1] - X.mean()) / X.var(correction=0)).item(),
        "mean_kept": lambda: (X[1] / X.std(correction=0)).item(),
        "not_divided": lambda: (X[1] - X.mean()).item(),
        "first_sample": lambda: ((X[0] - X.mean()) / X.std(correction=0)).item(),
    },
)
