"""How large a learning rate can one take? LeNet with and without batch normalization, over three powers of ten.

Runs of one seed start from the same weights and see the same batches in the same order; they differ in the learning
rate and in whether the layers are there.
"""

from dataclasses import dataclass

import torch

from bnlib.lab.fitting import fit
from bnlib.lab.parts import Part, Rows, grid
from bnlib.training import FashionMNIST, LeNet, TrainConfig


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


def parts(config: Config) -> list[Part]:
    """A run for every normalization, learning rate and seed."""
    return grid(norm=config.norms, lr=config.lrs, seed=config.seeds)


def measure(part: Part, data: FashionMNIST, config: Config) -> Rows:
    """Train one LeNet.

    Returns:
        A row per epoch: epoch, loss, train_accuracy, test_accuracy, diverged_step (over the whole run; missing where
        the run didn't diverge; a run that did keeps its finished epochs, or has one row without numbers) and path,
        how the steps were run.
    """
    torch.manual_seed(part["seed"])
    model = LeNet(part["norm"])
    found = fit(model, data, TrainConfig(config.epochs, part["lr"], config.batch_size, part["seed"]), loops=True)
    return [{**row, "diverged_step": found.diverged_step, "path": found.path} for row in found.rows]
