"""The accuracy of a model: as it predicts, and of the same weights with three kinds of statistics.

Weights that predict badly may be fine: what normalizes them in prediction is a moving average, which lags behind. So
the same weights are scored with that average, with statistics recalibrated over the training images, and with those of
each test batch itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from bnlib.language import message
from bnlib.norm import recalibrate
from bnlib.training.fashion_mnist import FashionMNIST


@dataclass(frozen=True)
class Scores:
    """Test accuracies (0 ... 1) of the weights after a step, by what normalizes them.

    moving: the running statistics, as in ordinary prediction.
    recalibrated: statistics over all training images (`bnlib.recalibrate`).
    batch: those of each test batch itself, as large as a training batch.
    lags: for each normalization layer, how far its moving mean is from the recalibrated one, in recalibrated standard
        deviations, as root mean square over channels.
    """

    epoch: int  # from 1
    step: int  # from 1, over the whole run
    moving: float
    recalibrated: float
    batch: float
    lags: tuple[float, ...]

    def __str__(self) -> str:
        where = message("training.scores_at", step=self.step, epoch=self.epoch) if self.step else ""
        numbers = {"moving": self.moving, "recalibrated": self.recalibrated, "batch": self.batch}
        return where + message("training.scores", **numbers)


@torch.no_grad()
def evaluate(model: nn.Module, images: Tensor, labels: Tensor, batch_size: int = 2000) -> float:
    """The accuracy (0 ... 1) of a model in prediction mode; the modes it had are restored.

    Args:
        images, labels: (N, 1, 28, 28) and (N,); taken to the model's device batch by batch if need be.

    Raises:
        ValueError: no images, or not one label for each.
    """
    with in_prediction_mode(model):
        return _hits(model, images, labels, batch_size).item() / len(labels)


@contextmanager
def in_prediction_mode(model: nn.Module) -> Iterator[None]:
    """Put a model into prediction mode, and each of its modules back into the mode it had, also after an error."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def score(model: nn.Module, data: FashionMNIST, batch_size: int, epoch: int = 0, step: int = 0) -> Scores:
    """Score the present weights three times; the model, its buffers and its modes stay as they are.

    Raises:
        ValueError: a model without batch normalization that tracks statistics; or as in `evaluate`.
    """
    test = data.test_images, data.test_labels
    exact = recalibrate(deepcopy(model), data.train_images.split(batch_size))
    by_batch = deepcopy(model).eval()  # a copy: its averages will move
    for layer in normalizations(by_batch):
        layer.train()
    with torch.no_grad():
        batch = _hits(by_batch, *test, batch_size).item() / len(data.test_labels)
    lags = tuple(_lag(kept, true) for kept, true in zip(normalizations(model), normalizations(exact), strict=True))
    return Scores(epoch, step, evaluate(model, *test), evaluate(exact, *test), batch, lags)


def normalizations(model: nn.Module) -> list[nn.Module]:
    """The batch normalizations that track statistics: what `score` compares."""
    return [m for m in model.modules() if isinstance(m, _BatchNorm) and m.running_mean is not None]


def _lag(kept: nn.Module, true: nn.Module) -> float:
    distance = (kept.running_mean - true.running_mean) / (true.running_var + true.eps).sqrt()  # (C,)
    return distance.square().mean().sqrt().item()


def _hits(model: nn.Module, images: Tensor, labels: Tensor, batch_size: int) -> Tensor:
    if len(images) == 0 or len(images) != len(labels):
        raise ValueError(message("training.unpaired", images=len(images), labels=len(labels)))
    device = next(model.parameters(), images).device
    hits = torch.zeros((), dtype=torch.int64, device=device)
    for x, y in zip(images.split(batch_size), labels.split(batch_size), strict=True):
        hits += (model(x.to(device)).argmax(1) == y.to(device)).sum()
    return hits
