"""One channel's mean while LeNet learns: of each batch, of all training images, and what moving averages make of it.

The moving averages have no part in training. So one run serves every momentum: it keeps the statistics of each batch,
and from these follow the averages that the layers would have had with any momentum. At the scored steps the weights of
the moment are given the averages of one momentum after the other, and then the exact statistics.
"""

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bnlib.lab.fitting import few
from bnlib.lab.parts import Part, Rows, grid
from bnlib.norm import recalibrate
from bnlib.training import FashionMNIST, LeNet, Moment, TrainConfig, evaluate, train
from bnlib.training.kernels import reason_against
from bnlib.training.scoring import normalizations


@dataclass(frozen=True)
class Config:
    """Rates and images of statistics_lag.

    momenta: the weight of the new value, as in PyTorch. layer: from 1, the one whose mean lags most. every: so many
    steps apart the true statistics are computed over all training images used; score_every: and the accuracies, with
    the first `test` test images.
    """

    lrs: tuple[float, ...] = (1.0, 0.1)
    seeds: tuple[int, ...] = (0, 1, 2)
    epochs: int = 4
    batch_size: int = 256
    examples: int = 12_000
    momenta: tuple[float, ...] = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.9, 1.0)
    layer: int = 2
    channel: int = 0
    every: int = 4
    score_every: int = 12
    test: int = 5_000


FULL = Config()
QUICK = Config(lrs=(1.0,), seeds=(0,), epochs=2, examples=6_000, momenta=(0.01, 0.1, 1.0), test=2_000)


def parts(config: Config) -> list[Part]:
    """A run for each learning rate and seed."""
    return grid(lr=config.lrs, seed=config.seeds)


def measure(part: Part, data: FashionMNIST, config: Config) -> Rows:
    """Train one LeNet.

    Returns:
        A row per step: step, from 1; batch_mean of the channel, and batch_var, unbiased, over the step's batch, before
        its weights move; after they have, and missing between the steps that are looked at: true_mean and true_var over
        all training images used; the test accuracies recalibrated, with the exact statistics in all layers, and
        moving_0.01 ..., with the moving averages of that momentum in all layers; path, how the steps were run.

    Raises:
        DivergedError: the run did.
        KeyboardInterrupt: Ctrl-C.
    """
    some = few(data, config.examples, config.test)
    torch.manual_seed(part["seed"])
    model = LeNet("batch")
    for layer in normalizations(model):
        layer.momentum = 1.0  # so that its buffers hold the statistics of the latest batch
    averages = {momentum: _buffers(model) for momentum in config.momenta}
    path = "kernels" if reason_against(model) is None else "eager"
    rows: Rows = []

    def look(moment: Moment) -> None:
        if moment.kind != "step":
            return
        for momentum, kept in averages.items():
            for old, new in zip(kept, _buffers(model), strict=True):
                old.mul_(1 - momentum).add_(new, alpha=momentum)
        row = dict(zip(("batch_mean", "batch_var"), _of_channel(model, config), strict=True))
        if moment.step % config.every == 0:
            exact = recalibrate(deepcopy(model), some.train_images.split(config.batch_size))
            row |= zip(("true_mean", "true_var"), _of_channel(exact, config), strict=True)
            if moment.step % config.score_every == 0:
                row["recalibrated"] = evaluate(exact, some.test_images, some.test_labels)
                for momentum, kept in averages.items():
                    moving = _with_buffers(exact, kept)
                    row[f"moving_{momentum:g}"] = evaluate(moving, some.test_images, some.test_labels)
        rows.append({"step": moment.step, **row, "path": path})

    plan = TrainConfig(config.epochs, part["lr"], config.batch_size, part["seed"], path=path)
    if train(model, some, plan, progress=False, callback=look).interrupted:
        raise KeyboardInterrupt
    return rows


def _buffers(model: nn.Module) -> list[Tensor]:
    """Copies of the means and variances of all layers."""
    return [kept.clone() for layer in normalizations(model) for kept in (layer.running_mean, layer.running_var)]


def _with_buffers(model: nn.Module, kept: list[Tensor]) -> nn.Module:
    """The same model, with these means and variances."""
    pairs = zip(kept[::2], kept[1::2], strict=True)
    for layer, (mean, var) in zip(normalizations(model), pairs, strict=True):
        layer.running_mean.copy_(mean)
        layer.running_var.copy_(var)
    return model


def _of_channel(model: nn.Module, config: Config) -> tuple[float, float]:
    layer = normalizations(model)[config.layer - 1]
    return layer.running_mean[config.channel].item(), layer.running_var[config.channel].item()
