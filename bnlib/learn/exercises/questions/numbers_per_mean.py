"""Question: how many numbers share one mean behind a convolution? (chapter 02, axes)"""

import torch

from bnlib.learn.question import Number

SHAPE = (256, 6, 24, 24)  # a batch behind LeNet's first convolution
X = torch.empty(SHAPE, device="meta")  # a shape without numbers

EXERCISE = Number(
    name="numbers_per_mean",
    chapter=2,
    value=lambda: X[:, 0].numel(),
    tolerance=0.01,
    relative=True,
    low=1.0,
    high=1_000_000.0,
    step=1.02,
    log=True,
    mistakes={
        "per_pixel": lambda: X[:, 0, 0, 0].numel(),
        "over_everything": X.numel,
        "per_image_and_channel": lambda: X[0, 0].numel(),
        "per_image": lambda: X[0].numel(),
    },
)
