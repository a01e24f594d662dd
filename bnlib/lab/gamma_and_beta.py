"""Are gamma and beta needed? LeNet with batch normalization that learns both, one of them, or neither."""

from dataclasses import dataclass

import torch

from bnlib.lab.fitting import few, fit
from bnlib.lab.networks import batch, lenet
from bnlib.lab.parts import Part, Rows, grid
from bnlib.norm import recalibrate
from bnlib.training import FashionMNIST, TrainConfig
from bnlib.training.scoring import evaluate, normalizations

LEARNED = {"both": ("weight", "bias"), "gamma": ("weight",), "beta": ("bias",), "neither": ()}
NAMES = ("loss", "train_accuracy", "test_accuracy")


@dataclass(frozen=True)
class Config:
    """activations: sigmoid, as in the lecture's LeNet, and ReLU, which needs no particular scale below it."""

    learned: tuple[str, ...] = tuple(LEARNED)
    activations: tuple[str, ...] = ("sigmoid", "relu")
    seeds: tuple[int, ...] = (0, 1, 2)
    lr: float = 0.3
    epochs: int = 4
    batch_size: int = 256
    examples: int = 12_000


FULL = Config()
QUICK = Config(learned=("both", "neither"), activations=("sigmoid",), epochs=2, examples=6_000)


def parts(config: Config) -> list[Part]:
    """A run for each choice of what is learned, each activation and each seed."""
    return grid(activation=config.activations, learned=config.learned, seed=config.seeds)


def measure(part: Part, data: FashionMNIST, config: Config) -> Rows:
    """Train one LeNet whose other gammas stay 1 and betas 0.

    Returns:
        One row, of the last epoch: loss, train_accuracy (in training mode, while it runs); test_accuracy with the
        moving averages, and recalibrated.
    """
    torch.manual_seed(part["seed"])
    model = lenet(batch(), part["activation"])
    for layer in normalizations(model):
        for name, parameter in layer.named_parameters():
            parameter.requires_grad_(name in LEARNED[part["learned"]])
    some, plan = few(data, config.examples), TrainConfig(config.epochs, config.lr, config.batch_size, part["seed"])
    row = fit(model, some, plan).rows[-1]
    recalibrate(model, some.train_images.split(config.batch_size))
    recalibrated = evaluate(model, data.test_images, data.test_labels)
    return [{**{name: row[name] for name in NAMES}, "recalibrated": recalibrated}]
