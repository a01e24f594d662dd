"""Dropout directly before batch normalization: why the variance in prediction is not the one of training.

Dropout keeps a unit with probability q and divides it by q. The mean stays, the variance doesn't:

    Var(dropped x) = Var(x)/q + (1/q - 1) E[x]²        so        train/test = 1/q + (1/q - 1) E[x]²/Var(x)

In training the moving variance learns the left one, in prediction comes the right one. Li et al. (2018),
"Understanding the Disharmony between Dropout and Batch Normalization by Variance Shift", section 3.1, derive it and
report DenseNet on CIFAR-100 falling from 77.42 to 68.55 %.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bnlib import recalibrate
from bnlib.lab.fitting import few, fit
from bnlib.lab.networks import batch, lenet
from bnlib.lab.parts import Part, Rows, grid
from bnlib.training import FashionMNIST, TrainConfig
from bnlib.training.scoring import evaluate

ORDERS = {  # after each hidden linear layer of LeNet
    "dropout then norm": ("activation", "dropout", "norm"),
    "norm then dropout": ("activation", "norm", "dropout"),
}


@dataclass(frozen=True)
class Config:
    """drops: probability to drop; activations: sigmoid's outputs have a large mean for their variance."""

    drops: tuple[float, ...] = (0.0, 0.1, 0.3, 0.5)
    activations: tuple[str, ...] = ("sigmoid", "relu")
    seeds: tuple[int, ...] = (0, 1, 2)
    lr: float = 0.3
    epochs: int = 3
    batch_size: int = 256
    examples: int = 12_000
    repeats: int = 20  # dropout masks for each measured variance


FULL = Config()
QUICK = Config(drops=(0.0, 0.5), activations=("sigmoid",), seeds=(0, 1, 2), epochs=2, examples=6_000)


def parts(config: Config) -> list[Part]:
    """A run for each activation, order, drop and seed."""
    return grid(activation=config.activations, order=tuple(ORDERS), drop=config.drops, seed=config.seeds)


def measure(part: Part, data: FashionMNIST, config: Config) -> Rows:
    """Train one LeNet, then compare the variance that its third activation's outputs have with and without dropout.

    Returns:
        One row: ratio and formula, the variance with dropout over the one without, measured and by the formula, as
        medians over the units of the first hidden linear layer; then of the whole network train_accuracy (of the last
        epoch), test_accuracy with the moving averages and recalibrated: after recalibration without dropout.
    """
    torch.manual_seed(part["seed"])
    model = lenet(batch(), part["activation"], ORDERS[part["order"]], part["drop"])
    some = few(data, config.examples)
    plan = TrainConfig(config.epochs, config.lr, config.batch_size, part["seed"])
    row = fit(model, some, plan).rows[-1]
    x = _outputs(model, "sigmoid3", some.train_images[:2000])
    ratio, formula = _ratios(x, 1 - part["drop"], config.repeats)
    recalibrate(model, some.train_images.split(config.batch_size))
    return [
        {
            "ratio": ratio,
            "formula": formula,
            "train_accuracy": row["train_accuracy"],
            "test_accuracy": row["test_accuracy"],
            "recalibrated": evaluate(model, data.test_images, data.test_labels),
        }
    ]


@torch.no_grad()
def _outputs(model: nn.Sequential, name: str, images: Tensor) -> Tensor:
    """What a layer puts out in prediction mode, (N, units)."""
    x = images
    for layer, module in model.eval().named_children():
        x = module(x)
        if layer == name:
            return x
    raise ValueError(f"no layer {name!r}; expected one of: {', '.join(dict(model.named_children()))}")


def _ratios(x: Tensor, keep: float, repeats: int) -> tuple[float, float]:
    """Measured and expected variance with dropout over the one without: medians over units that vary."""
    mean, var = x.double().mean(0), x.double().var(0, correction=0)
    alive = var > 1e-12
    x, mean, var = x[:, alive].double(), mean[alive], var[alive]
    dropped = F.dropout(x.repeat(repeats, 1), 1 - keep, training=True)
    measured = dropped.var(0, correction=0) / var
    expected = 1 / keep + (1 / keep - 1) * mean.square() / var
    return measured.median().item(), expected.median().item()
