"""How large a learning rate can one take? LeNet with and without batch normalization, over three powers of ten.

Runs of one seed start from the same weights and see the same batches in the same order; they differ in the learning
rate and in whether the layers are there.
"""

from dataclasses import dataclass

import pandas as pd

from bnlib.training import FashionMNIST, sweep


@dataclass(frozen=True)
class Config:
    """epochs and batch_size as in the lecture; rates about a factor of three apart, the lecture's 1.0 among them."""

    norms: tuple[str, ...] = ("none", "batch")
    lrs: tuple[float, ...] = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
    seeds: tuple[int, ...] = (0, 1, 2)
    epochs: int = 10
    batch_size: int = 256


FULL = Config()
QUICK = Config(lrs=(0.1, 1.0, 10.0), seeds=(0,), epochs=2)


def measure(data: FashionMNIST, config: Config) -> pd.DataFrame:
    """Train a LeNet for every combination.

    Returns:
        One row per run and epoch: norm, lr, seed, epoch, loss, train_accuracy, test_accuracy, diverged_step (over the
        whole run; missing where the run didn't diverge) and path, how the steps were run.
    """
    values = {"norm": config.norms, "lr": config.lrs, "seed": config.seeds}
    table = sweep({**values, "epochs": config.epochs, "batch_size": config.batch_size}, data)
    columns = ["norm", "lr", "seed", "epoch", "loss", "train_accuracy", "test_accuracy", "diverged_step", "path"]
    return table[columns]
