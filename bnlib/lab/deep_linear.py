"""Does batch normalization reduce the internal covariate shift? The deep linear network of Santurkar et al.

A stack of linear layers, with and without batch normalization between them, learns y = A x by gradient descent on the
whole data set. The shift of layer i is how much its gradient changes because the layers below it have moved: with
weights W of step t and W' of the next one,

    G = dL/dW_i at (W_1 ... W_k)    G' = dL/dW_i at (W'_1 ... W'_(i-1), W_i ... W_k)    shift = |G - G'|

Santurkar et al. (2018), "How Does Batch Normalization Help Optimization?", definition 2.1 and figure 3,
https://arxiv.org/abs/1805.11604. Ours: A 10x10 and x Gaussian, the squared errors summed.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bnlib.lab.parts import Part, Rows, grid
from bnlib.norm import BatchNorm1d
from bnlib.training import FashionMNIST


@dataclass(frozen=True)
class Config:
    """As in the paper where it says; lr is for squared errors summed over samples and outputs."""

    norms: tuple[str, ...] = ("none", "batch")
    seeds: tuple[int, ...] = (0, 1, 2)
    depth: int = 25
    width: int = 10
    samples: int = 1_000
    steps: int = 10_000
    lr: float = 1e-6
    every: int = 500  # steps between two measured ones


FULL = Config()
QUICK = Config(steps=400, every=100)


def parts(config: Config) -> list[Part]:
    """A network with and without normalization for each seed."""
    return grid(norm=config.norms, seed=config.seeds)


def measure(part: Part, data: FashionMNIST, config: Config) -> Rows:
    """Train one network; the images are not used.

    Returns:
        A row per measured step and layer: step (from 1), loss, the squared error of a sample summed over its outputs,
        as mean over samples before that step; layer (from 1 at the bottom, where nothing below moves and the shift is
        0); gradient, |G|; shift, |G - G'|; cosine, of G and G'.
    """
    torch.manual_seed(part["seed"])
    x = torch.randn(config.samples, config.width)
    y = x @ torch.randn(config.width, config.width).T
    model = _network(part["norm"], config)
    weights = [layer.weight for layer in model if isinstance(layer, nn.Linear)]
    rows: Rows = []
    for step in range(1, config.steps + 1):
        before = [weight.detach().clone() for weight in weights] if _is_due(step, config) else None
        loss = _loss(model, x, y)
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        with torch.no_grad():
            for parameter, gradient in zip(model.parameters(), gradients, strict=True):
                parameter -= config.lr * gradient
        if before is not None:
            found = _shifts(model, weights, before, x, y)
            rows += [{"step": step, "loss": loss.item() / config.samples, **row} for row in found]
    return rows


def _is_due(step: int, config: Config) -> bool:
    return step == 1 or step % config.every == 0


def _network(norm: str, config: Config) -> nn.Sequential:
    layers: list[nn.Module] = []
    for number in range(1, config.depth + 1):
        linear = nn.Linear(config.width, config.width, bias=False)
        nn.init.xavier_normal_(linear.weight)
        layers.append(linear)
        if norm == "batch" and number < config.depth:
            layers.append(BatchNorm1d(config.width))
    return nn.Sequential(*layers)


def _loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return (model(x) - y).square().sum()


def _shifts(model: nn.Module, weights: list[Tensor], before: list[Tensor], x: Tensor, y: Tensor) -> Rows:
    """Definition 2.1 for every layer; the model comes and goes with the weights after the step."""
    after = [weight.detach().clone() for weight in weights]
    rows: Rows = []

    def gradient(moved: int) -> list[Tensor]:
        """Of all weights, with the lowest `moved` layers after the step and the others before it."""
        with torch.no_grad():
            for weight, value in zip(weights, after[:moved] + before[moved:], strict=True):
                weight.copy_(value)
        return torch.autograd.grad(_loss(model, x, y), weights)

    still = gradient(0)
    for number, g in enumerate(still):
        shifted = gradient(number)[number]
        rows.append(
            {
                "layer": number + 1,
                "gradient": g.norm().item(),
                "shift": (g - shifted).norm().item(),
                "cosine": F.cosine_similarity(g.flatten(), shifted.flatten(), 0).item(),
            }
        )
    gradient(len(weights))
    return rows
