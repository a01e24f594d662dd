"""If batch normalization helped by keeping distributions still, shaking them after it should undo its help.

The noise of Santurkar et al. (2018, appendix A.2, algorithm 1), https://arxiv.org/abs/1805.11604: at every step each
unit, or channel, gets a mean from U(-0.5, 0.5) and a scale from U(1, 1.25); every activation is multiplied by a number
around that scale and moved by one around that mean, each within 0.1. No step sees the distribution of the last one.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bnlib.lab.fitting import few, fit
from bnlib.lab.networks import Factory, batch, lenet
from bnlib.lab.parts import Part, Rows, grid
from bnlib.lab.probes import Probes
from bnlib.training import FashionMNIST, TrainConfig

BELOW = {  # what stands below the activations
    "none": ("conv1", "conv2", "linear1", "linear2"),
    "batch": ("norm1", "norm2", "norm3", "norm4"),
    "noisy batch": ("norm1.1", "norm2.1", "norm3.1", "norm4.1"),
}


@dataclass(frozen=True)
class Config:
    """mean, scale and jitter of the noise as in the paper; LeNet with ReLU, which also learns without BN."""

    arms: tuple[str, ...] = ("none", "batch", "noisy batch")
    lrs: tuple[float, ...] = (0.03, 0.1, 0.3)
    seeds: tuple[int, ...] = (0, 1, 2)
    activation: str = "relu"
    epochs: int = 4
    batch_size: int = 128
    examples: int = 12_000
    mean: float = 0.5
    scale: float = 1.25
    jitter: float = 0.1
    every: int = 5  # steps between two at which the distributions are looked at


FULL = Config()
QUICK = Config(lrs=(0.1,), seeds=(0, 1, 2), epochs=2, examples=6_000)


class Shaken(nn.Module):
    """In training, noise on (N, C, *) whose mean and scale change with every call; in prediction nothing.

    Its random numbers come from a generator of its own, so that the run's others are the same without it.
    """

    def __init__(self, config: Config, seed: int) -> None:
        super().__init__()
        self.config, self.generator = config, torch.Generator().manual_seed(seed)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        by_channel = (1, x.shape[1], *(1 for _ in x.shape[2:]))
        c = self.config
        mean = self._between(-c.mean, c.mean, by_channel) + self._between(-c.jitter, c.jitter, x.shape)
        scale = self._between(1, c.scale, by_channel) + self._between(-c.jitter, c.jitter, x.shape)
        return x * scale + mean

    def _between(self, low: float, high: float, shape: tuple[int, ...]) -> Tensor:
        return low + (high - low) * torch.rand(shape, generator=self.generator)


def parts(config: Config) -> list[Part]:
    """A run for each arm, learning rate and seed."""
    return grid(arm=config.arms, lr=config.lrs, seed=config.seeds)


def measure(part: Part, data: FashionMNIST, config: Config) -> Rows:
    """Train one LeNet.

    Returns:
        A row per epoch: epoch, loss, train_accuracy, test_accuracy, diverged_step (missing where it didn't), and
        restless: how far the mean of what enters the activations goes from one look to the next, in its standard
        deviations, as mean over the epoch and the four activations.
    """
    torch.manual_seed(part["seed"])
    model = lenet(_factory(part, config), config.activation)
    plan = TrainConfig(config.epochs, part["lr"], config.batch_size, part["seed"])
    with Probes(model, config.every, quantiles=()) as probes:
        found = fit(model, few(data, config.examples), plan, probes)
    table = probes.table().pivot(index=["layer", "step"], columns="quantity", values="value")
    moves = [(table.loc[name, "mean"].diff().abs() / table.loc[name, "std"]).dropna() for name in BELOW[part["arm"]]]
    moves = sum(moves) / len(moves)  # by step
    epoch = (moves.index - 1) // -(-min(config.examples, len(data.train_labels)) // config.batch_size) + 1
    restless = moves.groupby(epoch).mean()
    return [{**row, "diverged_step": found.diverged_step, "restless": restless.get(row["epoch"])} for row in found.rows]


def _factory(part: Part, config: Config) -> Factory | None:
    if part["arm"] == "none":
        return None
    if part["arm"] == "batch":
        return batch()
    return lambda channels, axes: nn.Sequential(batch()(channels, axes), Shaken(config, part["seed"]))
