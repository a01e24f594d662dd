"""What experiments that train have in common: the data they can afford, and a run's rows also where it diverged."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn import functional as F

from bnlib.lab.parts import Rows
from bnlib.training import DivergedError, FashionMNIST, LeNet, Moment, TrainConfig, train
from bnlib.training.kernels import reason_against
from bnlib.training.scoring import in_prediction_mode, normalizations


@dataclass(frozen=True)
class Fit:
    """What came of a run.

    rows: epoch, loss, train_accuracy, test_accuracy of each finished epoch; of a run that diverged in the first one, a
        single row without the other numbers.
    diverged_step: from 1, over the whole run; None if it didn't diverge.
    path: how the steps were run.
    """

    rows: Rows
    diverged_step: int | None
    path: str


def few(data: FashionMNIST, examples: int, test: int | None = None) -> FashionMNIST:
    """The data with the first `examples` training images alone.

    Args:
        test: how many test images; few where the accuracy after every epoch doesn't matter; None for all.
    """
    train = {name: getattr(data, name)[:examples] for name in ("train_images", "train_labels")}
    return replace(data, **train, test_images=data.test_images[:test], test_labels=data.test_labels[:test])


def fit(
    model: nn.Module,
    data: FashionMNIST,
    config: TrainConfig,
    callback: Callable[[Moment], None] | None = None,
    loops: bool = False,
) -> Fit:
    """Train, and take divergence for a result.

    Args:
        loops: True takes LeNet's C++ loops where they fit: faster, but modules' hooks aren't called there.

    Raises:
        KeyboardInterrupt: Ctrl-C, on which `train` alone would return what there is.
    """
    path = "kernels" if loops and reason_against(model) is None else "eager"
    config = replace(config, path=path)
    diverged = None
    try:
        history = train(model, data, config, progress=False, callback=callback)
        if history.interrupted:
            raise KeyboardInterrupt
    except DivergedError as error:
        history = error.history
        steps = math.ceil(len(data.train_labels) / config.batch_size)
        diverged = (error.epoch - 1) * steps + error.step
    names = ("epoch", "loss", "train_accuracy", "test_accuracy")
    rows = [{name: getattr(row, name) for name in names} for row in history.rows]
    return Fit(rows or [{**dict.fromkeys(names), "epoch": 1}], diverged, history.path)


@torch.no_grad()
def scored(model: nn.Module, data: FashionMNIST) -> dict[str, float]:
    """Loss (nats per example) and accuracy (0 ... 1) in prediction mode: train_loss, train_accuracy, test_loss ..."""
    found = {}
    with in_prediction_mode(model):
        for name in ("train", "test"):
            images, labels = getattr(data, f"{name}_images"), getattr(data, f"{name}_labels")
            logits = torch.cat([model(x) for x in images.split(2000)]).double()
            found[f"{name}_loss"] = F.cross_entropy(logits, labels).item()
            found[f"{name}_accuracy"] = (logits.argmax(1) == labels).double().mean().item()
    return found


def scored_epochs(
    seed: int, data: FashionMNIST, epochs: int, lr: float, batch_size: int, momentum: float, norm: str = "batch"
) -> Rows:
    """Train a LeNet and score it after every epoch with moving, recalibrated and batch statistics.

    Args:
        momentum: of the moving averages, the weight of the new statistics.

    Returns:
        A row per epoch: epoch, train_loss, train_accuracy, moving, recalibrated, batch, lag_1 ... lag_4, path; as in
        `bnlib.training.Scores`.

    Raises:
        DivergedError: the run did.
        KeyboardInterrupt: Ctrl-C.
    """
    torch.manual_seed(seed)
    model = LeNet(norm)
    for layer in normalizations(model):
        layer.momentum = momentum
    every_epoch = math.ceil(len(data.train_labels) / batch_size)
    path = "kernels" if reason_against(model) is None else "eager"
    config = TrainConfig(epochs, lr, batch_size, seed, path=path, score_every=every_epoch)
    history = train(model, data, config, progress=False)
    if history.interrupted:
        raise KeyboardInterrupt
    return [
        {
            "epoch": row.epoch,
            "train_loss": row.loss,
            "train_accuracy": row.train_accuracy,
            "moving": found.moving,
            "recalibrated": found.recalibrated,
            "batch": found.batch,
            **{f"lag_{number}": lag for number, lag in enumerate(found.lags, start=1)},
            "path": history.path,
        }
        for row, found in zip(history.rows, history.scores, strict=True)
    ]
