"""How far can one trust the gradient? Loss and gradient along the step that training takes, and farther.

At some steps of training, the weights go along the gradient by several multiples of the step, and back. Where the loss
changes little from one to the next, and the gradient stays what it was, a larger step would have done as well. After
Santurkar et al. (2018, section 3.2 and figure 4), https://arxiv.org/abs/1805.11604, who go from 1/2 to 4 times a step;
their third quantity, the "effective" β-smoothness, is the largest change of the gradient over the distance gone.
"""

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bnlib.lab.fitting import few, fit
from bnlib.lab.networks import batch, lenet
from bnlib.lab.parts import Part, Rows, grid
from bnlib.training import FashionMNIST, Moment, TrainConfig


@dataclass(frozen=True)
class Config:
    """multiples: of the learning rate, the same for both arms; LeNet with ReLU, which also learns without BN."""

    norms: tuple[str, ...] = ("none", "batch")
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    activation: str = "relu"
    lr: float = 0.1
    multiples: tuple[float, ...] = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0)
    epochs: int = 2
    batch_size: int = 128
    examples: int = 12_000
    every: int = 8  # steps between two looks


FULL = Config()
QUICK = Config(seeds=(0, 1, 2), epochs=1, examples=6_000)


def parts(config: Config) -> list[Part]:
    """A run with and without normalization for each seed."""
    return grid(norm=config.norms, seed=config.seeds)


def measure(part: Part, data: FashionMNIST, config: Config) -> Rows:
    """Train one LeNet and look along its gradient on a fixed batch of training images.

    Returns:
        A row per look: step; loss, at the weights of the step; loss_low and loss_high, its least and largest value
        along the way; gradient, its norm; gradient_change, the largest distance of a gradient on the way from the one
        at the start; smoothness, the largest of these distances over the length of the way to it.
    """
    torch.manual_seed(part["seed"])
    model = lenet(batch() if part["norm"] == "batch" else None, config.activation)
    some = few(data, config.examples)
    fixed = some.train_images[: config.batch_size], some.train_labels[: config.batch_size]
    rows: Rows = []

    def look(moment: Moment) -> None:
        if moment.kind == "step" and moment.step % config.every == 0:
            rows.append({"step": moment.step, **_along(deepcopy(moment.model).train(), fixed, config)})

    fit(model, some, TrainConfig(config.epochs, config.lr, config.batch_size, part["seed"]), look)
    return rows


def _along(model: nn.Module, batch: tuple[Tensor, Tensor], config: Config) -> dict[str, float]:
    loss, gradient = _loss_and_gradient(model, batch)
    start = [parameter.detach().clone() for parameter in model.parameters()]
    losses, changes, bends = [], [], []
    for multiple in config.multiples:
        length = multiple * config.lr
        with torch.no_grad():
            for parameter, value, g in zip(model.parameters(), start, gradient, strict=True):
                parameter.copy_(value - length * g)
        there, changed = _loss_and_gradient(model, batch)
        change = _norm([a - b for a, b in zip(changed, gradient, strict=True)])
        losses.append(there)
        changes.append(change)
        bends.append(change / (length * _norm(gradient)))
    return {
        "loss": loss,
        "loss_low": min(losses),
        "loss_high": max(losses),
        "gradient": _norm(gradient),
        "gradient_change": max(changes),
        "smoothness": max(bends),
    }


def _loss_and_gradient(model: nn.Module, batch: tuple[Tensor, Tensor]) -> tuple[float, list[Tensor]]:
    loss = F.cross_entropy(model(batch[0]), batch[1])
    return loss.item(), list(torch.autograd.grad(loss, list(model.parameters())))


def _norm(tensors: list[Tensor]) -> float:
    return torch.cat([tensor.flatten() for tensor in tensors]).norm().item()
