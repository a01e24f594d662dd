"""What does the noise of batch statistics do to one image? Its logits among many random minibatches.

In training a network never sees an image alone: normalized by the statistics of its minibatch, in all layers, the same
image gets other logits in every company. Of the networks of `bnlib.lab.statistics_noise`, three test images are put
among m - 1 random training images, again and again: one that the network is sure of, one between, one it doubts.
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

IMAGES = ("sure", "middling", "doubtful")


@dataclass(frozen=True)
class Config:
    """sizes: images in a minibatch, with the one looked at; draws: minibatches for each size and image."""

    seeds: tuple[int, ...] = (0, 1, 2)
    sizes: tuple[int, ...] = (2, 4, 8, 16, 32, 64, 128, 256)
    draws: int = 300
    candidates: int = 500  # test images among which the three are chosen
    examples: int = 12_000  # of an epoch of training, and to draw the company from
    lr: float = 1.0


FULL = Config()
QUICK = Config(seeds=(0,), sizes=(2, 8, 32, 128), draws=100, examples=6_000)


def parts(config: Config) -> list[Part]:
    """A trained network for each seed."""
    return grid(seed=config.seeds)


@torch.no_grad()
def measure(part: Part, data: FashionMNIST, config: Config) -> Rows:
    """Train a LeNet for an epoch and look at three test images, each in many minibatches of each size.

    Returns:
        A row per image, size and class: image, "sure", "middling" or "doubtful", by how far its most probable class is
        ahead of the next one; index in the test images and label; m, images in a minibatch; class; population, the
        logit by the statistics of all training images; mean and std of the logit over the minibatches; wins, the share
        of them in which the class has the largest logit.
    """
    torch.manual_seed(part["seed"])
    model, some = lenet(batch()), few(data, config.examples)
    with torch.enable_grad():
        fit(model, some, TrainConfig(1, config.lr, 256, part["seed"]))
    population = _by_population(model, some.train_images, data.test_images[: config.candidates])
    generator = torch.Generator().manual_seed(part["seed"])
    rows = []
    for image, index in zip(IMAGES, _chosen(population), strict=True):
        for size in config.sizes:
            logits = _in_company(model, data.test_images[index], some.train_images, size, config.draws, generator)
            wins = F.one_hot(logits.argmax(1), logits.shape[1]).double().mean(0)
            columns = {"population": population[index], "mean": logits.mean(0), "std": logits.std(0), "wins": wins}
            told = {"image": image, "index": index, "label": int(data.test_labels[index]), "m": size}
            rows += [
                {**told, "class": number, **{name: values[number].item() for name, values in columns.items()}}
                for number in range(logits.shape[1])
            ]
    return rows


def _by_population(model: nn.Module, train_images: Tensor, images: Tensor) -> Tensor:
    """Logits by the statistics of all training images."""
    model = recalibrate(deepcopy(model), train_images.split(256)).eval()
    return model(images).double()


def _chosen(logits: Tensor) -> tuple[int, int, int]:
    """Where the most probable class is farthest ahead of the next one, where as far as for half of them, and least."""
    first, second = F.softmax(logits, 1).topk(2).values.unbind(1)
    order = (first - second).argsort(descending=True, stable=True)
    return int(order[0]), int(order[len(order) // 2]), int(order[-1])


def _in_company(
    model: nn.Module, image: Tensor, others: Tensor, size: int, draws: int, generator: torch.Generator
) -> Tensor:
    """The image's logits in `draws` minibatches, each with size - 1 of the others: (draws, classes)."""
    model = deepcopy(model).train()  # whose moving averages may go
    chosen = torch.randint(len(others), (draws, size - 1), generator=generator)
    return torch.stack([model(torch.cat([image[None], others[company]]))[0] for company in chosen]).double()
