"""How noisy are the statistics of a minibatch? Their spread over many batches against theory, on LeNet's own values.

Of m independent values with standard deviation σ and excess kurtosis κ, the mean spreads by σ/√m, the variance around
its own mean by √(2/(m-1) + κ/m) of it, which is √(2/(m-1)) for Gaussian values (Kenney & Keeping, 1951, section 7.5, on
sample moments), and the standard deviation by about half of that. In a convolution m = N·H·W values share their
statistics, but neighbouring pixels are alike: they count as fewer independent ones.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from bnlib.lab.fitting import few, fit
from bnlib.lab.networks import batch, lenet
from bnlib.lab.parts import Part, Rows, grid
from bnlib.training import FashionMNIST, TrainConfig


@dataclass(frozen=True)
class Config:
    """sizes: images in a batch; batches: how many are drawn, with replacement, for each size."""

    layers: tuple[str, ...] = ("norm1", "norm2", "norm3", "norm4")
    seeds: tuple[int, ...] = (0, 1, 2)
    sizes: tuple[int, ...] = (2, 4, 8, 16, 32, 64, 128, 256)
    batches: int = 2_000
    pool: int = 10_000  # images from which they are drawn
    examples: int = 12_000  # of an epoch of training before
    lr: float = 1.0


FULL = Config()
QUICK = Config(layers=("norm1", "norm3"), seeds=(0,), sizes=(2, 8, 32, 128), batches=300, pool=2_000, examples=6_000)


def parts(config: Config) -> list[Part]:
    """A trained network for each seed."""
    return grid(seed=config.seeds)


@torch.no_grad()
def measure(part: Part, data: FashionMNIST, config: Config) -> Rows:
    """Train a LeNet for an epoch and draw batches of what enters each of its normalizations.

    Returns:
        A row per layer and size, each a median over channels: layer; m, images in a batch; values, m times the pixels
        of a channel; mean_spread, the standard deviation of the batch means over σ; mean_theory, 1/√values;
        var_spread, that of the batch variances over their mean; var_gaussian √(2/(values-1)); var_theory, with the
        excess kurtosis; std_spread, that of the batch standard deviations over their mean; kurtosis; independent, the
        number of independent values whose mean would spread as much, 1/mean_spread².
    """
    torch.manual_seed(part["seed"])
    model = lenet(batch())
    with torch.enable_grad():
        fit(model, few(data, config.examples), TrainConfig(1, config.lr, 256, part["seed"]))
    inputs = _inputs(model, data.train_images[-config.pool :], config.layers)
    generator = torch.Generator().manual_seed(part["seed"])
    return [
        {"layer": layer, "m": size, **_spreads(values, size, config.batches, generator)}
        for layer, values in inputs.items()
        for size in config.sizes
    ]


def _inputs(model: torch.nn.Sequential, images: Tensor, layers: tuple[str, ...]) -> dict[str, Tensor]:
    """What enters the named normalizations in prediction mode: (N, C, pixels) each."""
    found, x = {}, images
    for name, module in model.eval().named_children():
        if name in layers:
            found[name] = x.flatten(2) if x.dim() > 2 else x[:, :, None]
        x = module(x)
    return found


def _spreads(values: Tensor, size: int, batches: int, generator: torch.Generator) -> dict[str, float]:
    """Statistics of `batches` batches of `size` images, of which the sums over pixels are all that is needed."""
    count = size * values.shape[2]
    centred = values.double() - values.double().mean((0, 2), keepdim=True)
    sums, squares = centred.sum(2), centred.square().sum(2)  # (N, C)
    total = centred.square().mean((0, 2))  # (C,): σ²
    kurtosis = centred.pow(4).mean((0, 2)) / total.square() - 3
    chosen = torch.randint(len(values), (batches, size), generator=generator)
    mean = sums[chosen].sum(1) / count  # (batches, C)
    var = (squares[chosen].sum(1) / count - mean.square()).clamp(min=0)
    std = var.sqrt()
    gaussian = 2 / max(1, count - 1)
    found = {
        "mean_spread": mean.std(0) / total.sqrt(),
        "var_spread": var.std(0) / var.mean(0),
        "std_spread": std.std(0) / std.mean(0),
        "kurtosis": kurtosis,
        "var_theory": (gaussian + kurtosis / count).clamp(min=0).sqrt(),
        "independent": total / mean.var(0),
    }
    medians = {name: value.median().item() for name, value in found.items()}
    return {"values": count, **medians, "mean_theory": count**-0.5, "var_gaussian": gaussian**0.5}
