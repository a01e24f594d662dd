"""An honest counter-example: on a shallow network that starts well, batch normalization gains next to nothing.

One hidden tanh layer whose weights start with the standard deviation (5/3)/√inputs, as in Karpathy's lecture
"makemore, part 3" (2022), https://www.youtube.com/watch?v=P6sfmUTpUmc, where he finds the same on names instead of
images. The same network with weights four times as large, in which tanh saturates, shows what BN is for.
"""

from dataclasses import dataclass

import torch
from torch import nn

from bnlib.lab.fitting import few, fit
from bnlib.lab.networks import batch, stack
from bnlib.lab.parts import Part, Rows, grid
from bnlib.training import FashionMNIST, TrainConfig


@dataclass(frozen=True)
class Config:
    """scales of the initial weights: 1 is the good start; lrs of which each arm may take its best."""

    scales: tuple[float, ...] = (1.0, 16.0)
    lrs: tuple[float, ...] = (0.03, 0.1, 0.3, 1.0)
    seeds: tuple[int, ...] = (0, 1, 2)
    width: int = 200
    epochs: int = 4
    batch_size: int = 32
    examples: int = 12_000


FULL = Config()
QUICK = Config(lrs=(0.1,), seeds=(0, 1, 2), epochs=2, examples=6_000)


def parts(config: Config) -> list[Part]:
    """A run for each start, with and without normalization, each learning rate and seed."""
    return grid(scale=config.scales, norm=("none", "batch"), lr=config.lrs, seed=config.seeds)


def measure(part: Part, data: FashionMNIST, config: Config) -> Rows:
    """Train one network.

    Returns:
        A row per epoch: epoch, loss, train_accuracy, test_accuracy.
    """
    torch.manual_seed(part["seed"])
    model = stack(1, config.width, batch() if part["norm"] == "batch" else None, "tanh")
    with torch.no_grad():
        for layer, gain in ((model.linear1, 5 / 3 * part["scale"]), (model.linear, 0.1)):
            nn.init.normal_(layer.weight, std=gain / layer.in_features**0.5)
    plan = TrainConfig(config.epochs, part["lr"], config.batch_size, part["seed"])
    return fit(model, few(data, config.examples), plan).rows
