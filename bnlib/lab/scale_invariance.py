"""What if the weights below a normalization were α times as large? Nothing, but the steps count 1/α² as much.

With ε -> 0 the output doesn't change, the gradient is 1/α as large and at right angles to the weights, so every step of
SGD makes them longer, and what a step does is decided by lr / |w|², the effective learning rate (van Laarhoven, 2017,
"L2 Regularization versus Batch and Weight Normalization", https://arxiv.org/abs/1706.05350).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bnlib.lab.fitting import few
from bnlib.lab.networks import batch, lenet
from bnlib.lab.parts import Part, Rows, grid
from bnlib.training import FashionMNIST, Moment, TrainConfig, train

BELOW = ("conv1", "conv2", "linear1", "linear2")  # a normalization stands above each


@dataclass(frozen=True)
class Config:
    """alphas: what the weights below a normalization are multiplied by; eps as in torch."""

    alphas: tuple[float, ...] = (0.1, 0.3, 1.0, 3.0, 10.0)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    lr: float = 0.3
    epochs: int = 3
    batch_size: int = 256
    examples: int = 12_000
    eps: float = 1e-5


FULL = Config()
QUICK = Config(alphas=(0.3, 1.0, 3.0), seeds=(0, 1, 2), epochs=1, examples=6_000)


def parts(config: Config) -> list[Part]:
    """A network for each factor and seed."""
    return grid(alpha=config.alphas, seed=config.seeds)


def measure(part: Part, data: FashionMNIST, config: Config) -> Rows:
    """Compare one batch's output and gradient with those of α = 1, then train.

    Returns:
        A row per epoch, and one for epoch 0, the start: epoch; norm, the length of all weights below a normalization;
        effective_lr, lr / norm²; step_angle, the mean angle in degrees that a step of the epoch turned those weights
        by; train_accuracy and test_accuracy (missing at the start). In the row of the start also output_change, the
        largest change of a logit against α = 1; gradient_times_alpha, |g| α over the |g| of α = 1; cosine, that of
        gradient and weights.
    """
    alpha, some = part["alpha"], few(data, config.examples)
    (logits, gradient), plain = (_first_batch(part["seed"], scale, some, config) for scale in (alpha, 1.0))
    model = _model(part["seed"], alpha, config)
    weights = _flat(model)
    start = {
        "output_change": (logits - plain[0]).abs().max().item(),
        "gradient_times_alpha": (gradient.norm() * alpha / plain[1].norm()).item(),
        "cosine": F.cosine_similarity(gradient, weights, 0).item(),
    }
    rows: Rows = [{"epoch": 0, **_lengths(weights, config), **start}]
    angles: list[float] = []
    before = [weights]

    def look(moment: Moment) -> None:
        now = _flat(model)
        if moment.kind == "step":
            angles.append(_degrees(before[0], now))
            before[0] = now
            return
        accuracies = {name: getattr(moment.row, name) for name in ("train_accuracy", "test_accuracy")}
        turned = sum(angles) / len(angles)
        rows.append({"epoch": moment.epoch, **_lengths(now, config), "step_angle": turned, **accuracies})
        angles.clear()

    plan = TrainConfig(config.epochs, config.lr, config.batch_size, part["seed"], path="eager")
    train(model, some, plan, progress=False, callback=look)
    return rows


def _model(seed: int, alpha: float, config: Config) -> nn.Module:
    torch.manual_seed(seed)
    model = lenet(batch(eps=config.eps))
    with torch.no_grad():
        for name in BELOW:
            model.get_submodule(name).weight.mul_(alpha)
            model.get_submodule(name).bias.mul_(alpha)
    return model


def _first_batch(seed: int, alpha: float, data: FashionMNIST, config: Config) -> tuple[Tensor, Tensor]:
    """Logits of the first images, and the gradient of the weights below a normalization as one vector."""
    model = _model(seed, alpha, config)
    x, y = data.train_images[: config.batch_size], data.train_labels[: config.batch_size]
    logits = model(x)
    F.cross_entropy(logits, y).backward()
    gradient = torch.cat([model.get_submodule(name).weight.grad.flatten() for name in BELOW])
    return logits.detach(), gradient


def _flat(model: nn.Module) -> Tensor:
    return torch.cat([model.get_submodule(name).weight.detach().flatten() for name in BELOW])


def _lengths(weights: Tensor, config: Config) -> dict[str, float]:
    norm = weights.norm().item()
    return {"norm": norm, "effective_lr": config.lr / norm**2}


def _degrees(a: Tensor, b: Tensor) -> float:
    """The angle between two vectors; by the sine, since a cosine near 1 says little in float32."""
    a, b = a.double() / a.double().norm(), b.double() / b.double().norm()
    return torch.rad2deg(2 * torch.asin(((a - b).norm() / 2).clamp(max=1))).item()
