"""Batch normalization and dropout together: LeNet with and without the one, from none to half of the other.

Dropout stands after the two hidden linear layers' activations, as d2l places it in a multilayer perceptron. Whether
the two help each other is debated: Ioffe & Szegedy (2015, section 4.2.1) leave dropout out, Li et
al. (2018) put it after the last normalization alone; see also `variance_shift`.
"""

from dataclasses import dataclass

import torch

from bnlib.lab.fitting import few, fit, scored
from bnlib.lab.networks import batch, lenet
from bnlib.lab.parts import Part, Rows, grid
from bnlib.training import FashionMNIST, TrainConfig


@dataclass(frozen=True)
class Config:
    """Few images and many epochs, so that there is something to regularize; ReLU, since both arms learn with it."""

    norms: tuple[str, ...] = ("none", "batch")
    drops: tuple[float, ...] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
    seeds: tuple[int, ...] = (0, 1, 2)
    activation: str = "relu"
    lr: float = 0.1
    epochs: int = 20
    batch_size: int = 128
    examples: int = 5_120  # whole batches: a last one of 8 images would spoil weights and averages before the scores


FULL = Config()
QUICK = Config(drops=(0.0, 0.5), seeds=(0, 1, 2), epochs=10, examples=2_000)


def parts(config: Config) -> list[Part]:
    """A run for each fraction, with and without normalization, and each seed."""
    return grid(norm=config.norms, drop=config.drops, seed=config.seeds)


def measure(part: Part, data: FashionMNIST, config: Config) -> Rows:
    """Train one LeNet.

    Returns:
        One row, in prediction mode: train_loss, train_accuracy, test_loss, test_accuracy, losses in nats per example;
        and loss, of the last epoch of training, dropout included.
    """
    torch.manual_seed(part["seed"])
    norm = batch() if part["norm"] == "batch" else None
    model = lenet(norm, config.activation, dropout=part["drop"])
    some, plan = few(data, config.examples), TrainConfig(config.epochs, config.lr, config.batch_size, part["seed"])
    row = fit(model, few(data, config.examples, test=500), plan).rows[-1]
    return [{"loss": row["loss"], **scored(model, some)}]
