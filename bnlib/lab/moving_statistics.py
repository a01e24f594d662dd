"""One set of weights, three sets of statistics: how much of a bad test accuracy is the moving average's doing?

After every epoch the same LeNet is scored on the test images with the moving averages it has kept, with statistics
recalibrated over the training images, and with the statistics of each test batch. The weights are equal in all three,
so whatever differs is the statistics' doing. Beside it stands each layer's lag: how far the moving mean is from the
recalibrated mean, in recalibrated standard deviations, as root mean square over channels.
"""

import math
from dataclasses import dataclass

import pandas as pd
import torch

from bnlib.training import FashionMNIST, LeNet, TrainConfig, train


@dataclass(frozen=True)
class Config:
    """epochs and lr as in the lecture; the seed fixes weights and shuffling; momentum weighs the new statistics."""

    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    epochs: int = 10
    lr: float = 1.0
    batch_size: int = 256
    momentum: float = 0.1


FULL = Config()
QUICK = Config(seeds=(0, 1, 2), epochs=2)


def measure(data: FashionMNIST, config: Config) -> pd.DataFrame:
    """Train one LeNet per seed and score it after every epoch with the three kinds of statistics.

    Returns:
        One row per seed and epoch: seed, epoch, train_loss, train_accuracy, then the test accuracies moving,
        recalibrated, batch (each in 0 ... 1), then lag_1 ... lag_4 from the bottom layer to the top one, and path, how
        the steps were run.
    """
    return pd.concat([_one_run(data, config, seed) for seed in config.seeds], ignore_index=True)


def _one_run(data: FashionMNIST, config: Config, seed: int) -> pd.DataFrame:
    torch.manual_seed(seed)
    model = LeNet("batch")
    for name in ("norm1", "norm2", "norm3", "norm4"):
        getattr(model, name).momentum = config.momentum
    every_epoch = math.ceil(len(data.train_labels) / config.batch_size)
    run = TrainConfig(config.epochs, config.lr, config.batch_size, seed, path="kernels", score_every=every_epoch)
    history = train(model, data, run, progress=False)
    if history.interrupted:
        raise KeyboardInterrupt
    return pd.DataFrame(
        {
            "seed": seed,
            "epoch": row.epoch,
            "train_loss": row.loss,
            "train_accuracy": row.train_accuracy,
            "moving": found.moving,
            "recalibrated": found.recalibrated,
            "batch": found.batch,
            **{f"lag_{i}": lag for i, lag in enumerate(found.lags, start=1)},
            "path": history.path,
        }
        for row, found in zip(history.rows, history.scores, strict=True)
    )
