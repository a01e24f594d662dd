"""One set of weights, three sets of statistics: how much of a bad test accuracy is the moving average's doing?

After every epoch the same LeNet is scored on the test images with the moving averages it has kept, with statistics
recalibrated over the training images, and with the statistics of each test batch. The weights are equal in all three,
so whatever differs is the statistics' doing. Beside it stands each layer's lag: how far the moving mean is from the
recalibrated mean, in recalibrated standard deviations, as root mean square over channels.
"""

from copy import deepcopy
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor, nn

from bnlib.norm import recalibrate
from bnlib.training import FashionMNIST, LeNet, Moment, TrainConfig, evaluate, train


@dataclass(frozen=True)
class Config:
    """epochs and lr as in the lecture; the seed fixes weights and shuffling; momentum weighs the new statistics."""

    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    epochs: int = 10
    lr: float = 1.0
    batch_size: int = 256
    momentum: float = 0.1


FULL = Config()
QUICK = Config(seeds=(0, 1, 2), epochs=2)


def measure(data: FashionMNIST, config: Config) -> pd.DataFrame:
    """Train one LeNet per seed and score it after every epoch with the three kinds of statistics.

    Returns:
        One row per seed and epoch: seed, epoch, train_loss, train_accuracy, then the test accuracies moving,
        recalibrated, batch (each in 0 ... 1), then lag_1 ... lag_4 from the bottom layer to the top one.
    """
    return pd.concat([_one_run(data, config, seed) for seed in config.seeds], ignore_index=True)


def _one_run(data: FashionMNIST, config: Config, seed: int) -> pd.DataFrame:
    torch.manual_seed(seed)
    model = LeNet("batch")
    for layer in _layers(model):
        layer.momentum = config.momentum
    scores: list[dict[str, float]] = []

    def score(moment: Moment) -> None:
        if moment.kind == "epoch":
            scores.append(_score(moment.model, data, config.batch_size))

    history = train(
        model, data, TrainConfig(config.epochs, config.lr, config.batch_size, seed), progress=False, callback=score
    )
    rows = [
        {"seed": seed, "epoch": row.epoch, "train_loss": row.loss, "train_accuracy": row.train_accuracy, **found}
        for row, found in zip(history.rows, scores, strict=True)
    ]
    return pd.DataFrame(rows)


def _score(model: nn.Module, data: FashionMNIST, batch_size: int) -> dict[str, float]:
    moving = evaluate(model, data.test_images, data.test_labels)
    exact = recalibrate(deepcopy(model), data.train_images.split(batch_size))
    pairs = zip(_layers(model), _layers(exact), strict=True)
    return {
        "moving": moving,
        "recalibrated": evaluate(exact, data.test_images, data.test_labels),
        "batch": _accuracy_by_batch_statistics(model, data.test_images, data.test_labels, batch_size),
        **{f"lag_{i}": _lag(kept, true) for i, (kept, true) in enumerate(pairs, start=1)},
    }


def _layers(model: nn.Module) -> list[nn.Module]:
    return [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]


def _lag(kept: nn.Module, true: nn.Module) -> float:
    distance = (kept.running_mean - true.running_mean) / (true.running_var + true.eps).sqrt()  # (C,)
    return distance.square().mean().sqrt().item()


@torch.no_grad()
def _accuracy_by_batch_statistics(model: nn.Module, images: Tensor, labels: Tensor, batch_size: int) -> float:
    model = deepcopy(model).train()  # a copy: training mode would move the averages
    hits = sum(
        (model(x).argmax(1) == y).sum() for x, y in zip(images.split(batch_size), labels.split(batch_size), strict=True)
    )
    return hits.item() / len(labels)
