"""Does the noise of the statistics regularize? The gap between training and test against the normalization batch.

LeNet learns from batches of 256 images, normalized in ghosts of 4 to 256: the gradient's batch stays, the statistics
become noisier. Scored in prediction mode with statistics recalibrated over the training images, so that neither the
noise of training nor a lag of moving averages is part of the gap. Hoffer, Hubara & Soudry (2017), "Train longer,
generalize better", section 4, https://arxiv.org/abs/1705.08741, and Luo et al. (2018), "Towards Understanding
Regularization in Batch Normalization", expect a smaller gap from smaller batches.
"""

from dataclasses import dataclass

import torch

from bnlib import recalibrate
from bnlib.lab.fitting import few, fit, scored
from bnlib.lab.networks import ghost, lenet
from bnlib.lab.parts import Part, Rows, grid
from bnlib.training import FashionMNIST, TrainConfig


@dataclass(frozen=True)
class Config:
    """Few images and many epochs, so that there is something to regularize; ReLU, which fits them sooner."""

    sizes: tuple[int, ...] = (4, 16, 64, 256)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    activation: str = "relu"
    lr: float = 0.1
    epochs: int = 30
    batch_size: int = 256
    examples: int = 5_000


FULL = Config()
QUICK = Config(sizes=(4, 256), seeds=(0, 1, 2), epochs=12, examples=2_000)


def parts(config: Config) -> list[Part]:
    """A run for each size of ghost and each seed."""
    return grid(ghost_size=config.sizes, seed=config.seeds)


def measure(part: Part, data: FashionMNIST, config: Config) -> Rows:
    """Train one LeNet.

    Returns:
        One row: loss, of the last epoch of training; then in prediction mode train_loss, train_accuracy, test_loss,
        test_accuracy, losses in nats per example.
    """
    torch.manual_seed(part["seed"])
    model = lenet(ghost(part["ghost_size"]), config.activation)
    some = few(data, config.examples)
    plan = TrainConfig(config.epochs, config.lr, config.batch_size, part["seed"])
    row = fit(model, few(data, config.examples, test=500), plan).rows[-1]
    recalibrate(model, some.train_images.split(config.batch_size))
    return [{"loss": row["loss"], **scored(model, some)}]
