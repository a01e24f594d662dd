"""The noise of batch statistics as uncertainty at prediction time: Monte Carlo batch normalization.

Teye, Azizpour & Smith (2018), "Bayesian Uncertainty Estimation for Batch Normalized Deep Networks", section 3:
normalize the test images by the statistics of a random training minibatch, as large as in training, repeat, and average
the predicted probabilities. Compared with one prediction by the statistics of all training images, on the same weights.
"""

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bnlib import recalibrate
from bnlib.lab.fitting import few, fit
from bnlib.lab.networks import batch, lenet
from bnlib.lab.parts import Part, Rows, grid
from bnlib.training import FashionMNIST, TrainConfig

BINS = 15  # of the calibration error


@dataclass(frozen=True)
class Config:
    """sizes: of the minibatches, in training and prediction; draws: minibatches at prediction time."""

    sizes: tuple[int, ...] = (8, 32, 128)
    seeds: tuple[int, ...] = (0, 1, 2)
    activation: str = "relu"
    lr_per_image: float = 0.1 / 128
    draws: int = 30
    epochs: int = 5
    examples: int = 12_000


FULL = Config()
QUICK = Config(sizes=(8, 128), seeds=(0, 1, 2), draws=8, epochs=2, examples=4_000)


def parts(config: Config) -> list[Part]:
    """A network for each size of minibatch and each seed."""
    return grid(batch_size=config.sizes, seed=config.seeds)


@torch.no_grad()
def measure(part: Part, data: FashionMNIST, config: Config) -> Rows:
    """Train one LeNet and predict the test images in both ways.

    Returns:
        Two rows, of the method "population" and "minibatches": accuracy; log_loss, nats per image; calibration_error,
        the expected difference of confidence and accuracy over 15 bins (Guo et al., 2017, equation 3); separation,
        the probability that a wrongly classified image has a larger predictive entropy than a rightly classified one.
    """
    torch.manual_seed(part["seed"])
    size, some = part["batch_size"], few(data, config.examples)
    model = lenet(batch(), config.activation)
    with torch.enable_grad():
        plan = TrainConfig(config.epochs, config.lr_per_image * size, size, part["seed"])
        fit(model, few(data, config.examples, test=500), plan)
    generator = torch.Generator().manual_seed(part["seed"])
    recalibrate(model, some.train_images.split(256))
    population = _probabilities(model, data.test_images)
    total = torch.zeros_like(population)
    for _ in range(config.draws):
        chosen = torch.randint(len(some.train_images), (size,), generator=generator)
        noisy = recalibrate(deepcopy(model), [some.train_images[chosen]])
        total += _probabilities(noisy, data.test_images)
    found = {"population": population, "minibatches": total / config.draws}
    return [{"method": method, **_quality(p, data.test_labels)} for method, p in found.items()]


def _probabilities(model: nn.Module, images: Tensor) -> Tensor:
    model.eval()
    return torch.cat([F.softmax(model(x).double(), 1) for x in images.split(2000)])


def _quality(probabilities: Tensor, labels: Tensor) -> dict[str, float]:
    confidence, guess = probabilities.max(1)
    right = guess == labels
    bins = (confidence * BINS).ceil().clamp(1, BINS)
    error = sum(
        (right[bins == b].double().mean() - confidence[bins == b].mean()).abs().item() * (bins == b).double().mean()
        for b in range(1, BINS + 1)
        if (bins == b).any()
    )
    entropy = -(probabilities * probabilities.clamp_min(1e-300).log()).sum(1)
    return {
        "accuracy": right.double().mean().item(),
        "log_loss": F.nll_loss(probabilities.clamp_min(1e-300).log(), labels).item(),
        "calibration_error": float(error),
        "separation": _larger(entropy[~right], entropy[right]),
    }


def _larger(some: Tensor, others: Tensor) -> float:
    """The probability that one of `some` is larger than one of `others`, ties counting half."""
    others = others.sort().values
    below = torch.searchsorted(others, some, right=False) + torch.searchsorted(others, some, right=True)
    return (below.double() / 2 / len(others)).mean().item()
