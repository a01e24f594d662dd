"""Where is batch normalization needed? The lecture's LeNet with it in all four places, in one of them, or in none."""

from dataclasses import dataclass

import torch
from torch import nn

from bnlib.lab.fitting import few, fit
from bnlib.lab.networks import CHANNELS, Factory, batch, lenet
from bnlib.lab.parts import Part, Rows, grid
from bnlib.norm import recalibrate
from bnlib.training import FashionMNIST, TrainConfig
from bnlib.training.scoring import evaluate

PLACES = {
    "none": (),
    "first": (1,),
    "second": (2,),
    "third": (3,),
    "fourth": (4,),
    "lower two": (1, 2),
    "upper two": (3, 4),
    "all": (1, 2, 3, 4),
}
NAMES = ("loss", "train_accuracy", "test_accuracy")


@dataclass(frozen=True)
class Config:
    """lr: below the lecture's 1.0, so that lagging moving averages do not blur the comparison."""

    places: tuple[str, ...] = tuple(PLACES)
    seeds: tuple[int, ...] = (0, 1, 2)
    lr: float = 0.3
    epochs: int = 4
    batch_size: int = 256
    examples: int = 12_000


FULL = Config()
QUICK = Config(places=("first", "fourth", "all"), epochs=2, examples=6_000)


def parts(config: Config) -> list[Part]:
    """A run for each choice of places and each seed."""
    return grid(places=config.places, seed=config.seeds)


def measure(part: Part, data: FashionMNIST, config: Config) -> Rows:
    """Train one LeNet.

    Returns:
        One row, of the last epoch: loss, train_accuracy (in training mode, while it runs); test_accuracy with the
        moving averages, and recalibrated.
    """
    torch.manual_seed(part["seed"])
    model = lenet(only(PLACES[part["places"]]))
    some, plan = few(data, config.examples), TrainConfig(config.epochs, config.lr, config.batch_size, part["seed"])
    row = fit(model, some, plan).rows[-1]
    if PLACES[part["places"]]:
        recalibrate(model, some.train_images.split(config.batch_size))
    recalibrated = evaluate(model, data.test_images, data.test_labels)
    return [{**{name: row[name] for name in NAMES}, "recalibrated": recalibrated}]


def only(places: tuple[int, ...]) -> Factory:
    """Batch normalization in these of LeNet's places, numbered from the bottom; nothing happens in the others."""
    made = batch()
    return lambda channels, axes: made(channels, axes) if CHANNELS.index(channels) + 1 in places else nn.Identity()
