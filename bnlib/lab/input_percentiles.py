"""How does what enters a layer move while the layers below learn? The percentiles of Ioffe & Szegedy, section 4.1.

Three fully connected sigmoid layers of 100 units on binary images of 28x28, small Gaussian weights, batches of 60,
50,000 steps; of a typical unit of the last hidden layer the 15th, 50th and 85th percentile of its sigmoid's input.
Ioffe & Szegedy (2015), "Batch Normalization", section 4.1 and figure 1, https://arxiv.org/abs/1502.03167. They train on
MNIST and give no learning rate and no width of the Gaussian: ours is Fashion-MNIST, black where a pixel is below one
half, so shapes can be compared and numbers can't.
"""

from copy import deepcopy
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from bnlib.lab.fitting import few, fit
from bnlib.lab.networks import batch, stack
from bnlib.lab.parts import Part, Rows, grid
from bnlib.training import FashionMNIST, Moment, TrainConfig


@dataclass(frozen=True)
class Config:
    """depth, width, batch_size and the number of steps (epochs of 1,000) as in the paper; lr and std are ours."""

    norms: tuple[str, ...] = ("none", "batch")
    seeds: tuple[int, ...] = (0, 1, 2)
    depth: int = 3
    width: int = 100
    std: float = 0.1
    lr: float = 0.1
    batch_size: int = 60
    epochs: int = 50
    examples: int = 60_000
    every: int = 500  # steps between two looks
    images: int = 1_000  # over which percentiles are taken: always the same ones


FULL = Config()
QUICK = Config(epochs=1, examples=12_000, every=20)


def parts(config: Config) -> list[Part]:
    """A network with and without normalization for each seed."""
    return grid(norm=config.norms, seed=config.seeds)


def measure(part: Part, data: FashionMNIST, config: Config) -> Rows:
    """Train one network.

    Returns:
        A row per look: step (0 is the start); q15, q50, q85 of the input of the last hidden layer's first sigmoid;
        moved, how far the median of such an input is from where it began, in the spread (q85 - q15) of the moment, as
        mean over that layer's units; test_accuracy of the epoch before (missing in the first).
    """
    torch.manual_seed(part["seed"])
    norm = batch() if part["norm"] == "batch" else None
    model = stack(config.depth, config.width, norm, std=config.std)
    binary = {name: (getattr(data, name) > 0.5).float() for name in ("train_images", "test_images")}
    some = few(replace(data, **binary), config.examples)
    images = some.train_images[: config.images]
    start = _inputs(model, images, config)[1]
    rows: Rows = [{"step": 0, **_row(model, images, start, config)}]
    accuracy: list[float] = []

    def look(moment: Moment) -> None:
        if moment.kind == "epoch":
            accuracy.append(moment.row.test_accuracy)
        elif moment.step % config.every == 0:
            known = {"test_accuracy": accuracy[-1]} if accuracy else {}
            rows.append({"step": moment.step, **_row(moment.model, images, start, config), **known})

    fit(model, some, TrainConfig(config.epochs, config.lr, config.batch_size, part["seed"]), look)
    return rows


def _row(model: nn.Module, images: Tensor, start: Tensor, config: Config) -> dict[str, float]:
    low, middle, high = _inputs(model, images, config)  # (units,) each
    moved = ((middle - start).abs() / (high - low)).mean().item()
    return {"q15": low[0].item(), "q50": middle[0].item(), "q85": high[0].item(), "moved": moved}


@torch.no_grad()
def _inputs(model: nn.Module, images: Tensor, config: Config) -> Tensor:
    """Percentiles 15, 50, 85 of what enters the last sigmoid, (3, units), in training mode; the model stays so."""
    x = images
    for name, module in deepcopy(model).train().named_children():
        if name == f"sigmoid{config.depth}":
            return x.quantile(torch.tensor([0.15, 0.5, 0.85]), 0)
        x = module(x)
    raise AssertionError(f"a stack of depth {config.depth} has no sigmoid{config.depth}")
