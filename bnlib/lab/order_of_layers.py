"""Before or after the activation? LeNet with the normalization in both places, for sigmoid and for ReLU.

Ioffe & Szegedy (2015, section 3.2) normalize the linear layer's output, before the activation; others have
normalized the activation's output since.
"""

from dataclasses import dataclass

import torch

from bnlib.lab.fitting import few, fit
from bnlib.lab.networks import batch, lenet
from bnlib.lab.parts import Part, Rows, grid
from bnlib.training import FashionMNIST, TrainConfig

ORDERS = {
    "without": ("activation",),
    "before": ("norm", "activation"),
    "after": ("activation", "norm"),
}


@dataclass(frozen=True)
class Config:
    """lrs: the lecture's rate, and one and two steps of the frontier below; ReLU wants smaller ones than sigmoid."""

    activations: tuple[str, ...] = ("sigmoid", "relu")
    lrs: tuple[float, ...] = (0.1, 0.3, 1.0)
    seeds: tuple[int, ...] = (0, 1, 2)
    epochs: int = 4
    batch_size: int = 256
    examples: int = 12_000


FULL = Config()
QUICK = Config(activations=("sigmoid",), lrs=(0.3,), seeds=(0, 1, 2), epochs=2, examples=6_000)


def parts(config: Config) -> list[Part]:
    """A run for each activation, order, learning rate and seed."""
    return grid(activation=config.activations, order=tuple(ORDERS), lr=config.lrs, seed=config.seeds)


def measure(part: Part, data: FashionMNIST, config: Config) -> Rows:
    """Train one LeNet.

    Returns:
        A row per epoch: epoch, loss, train_accuracy, test_accuracy, diverged_step (missing where it didn't).
    """
    torch.manual_seed(part["seed"])
    norm = None if part["order"] == "without" else batch()
    model = lenet(norm, part["activation"], ORDERS[part["order"]])
    plan = TrainConfig(config.epochs, part["lr"], config.batch_size, part["seed"])
    found = fit(model, few(data, config.examples), plan)
    return [{**row, "diverged_step": found.diverged_step} for row in found.rows]
