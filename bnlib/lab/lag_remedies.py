"""What helps against moving averages that lag? The last epoch of one LeNet, gone over in several ways.

Up to its last epoch every run is the same. Then it goes on as it did; with a larger momentum of the moving averages,
which leaves the weights as they are; or with a smaller learning rate. And the weights of the last epoch's steps are
averaged: such a network has been at no step, so no moving average belongs to it, and its statistics have to be
recalibrated (Izmailov et al., 2018, "Averaging Weights Leads to Wider Optima and Better Generalization", section 3,
https://arxiv.org/abs/1803.05407). Each is scored with moving averages and recalibrated.
"""

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from bnlib.lab.fitting import few
from bnlib.lab.parts import Part, Rows, grid
from bnlib.training import FashionMNIST, LeNet, Moment, TrainConfig, train
from bnlib.training.kernels import reason_against
from bnlib.training.scoring import normalizations, score

OTHER_ORDER = 1000  # added to the seed of the order of examples in the last epoch


@dataclass(frozen=True)
class Config:
    """As moving_statistics, on a third of the images and for half of its epochs.

    momentum, lr: of all epochs. larger_momentum, smaller_lr: of the last one in the arm that has it.
    """

    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    epochs: int = 5
    lr: float = 1.0
    smaller_lr: float = 0.1
    momentum: float = 0.1
    larger_momentum: float = 0.5
    batch_size: int = 256
    examples: int = 20_000
    test: int = 10_000


FULL = Config()
QUICK = Config(seeds=(0, 1, 2), epochs=2, examples=6_000, test=5_000)


def parts(config: Config) -> list[Part]:
    """A run for each seed."""
    return grid(seed=config.seeds)


def measure(part: Part, data: FashionMNIST, config: Config) -> Rows:
    """Train one LeNet, and go over its last epoch in each way.

    Returns:
        A row per arm (none, momentum, rate, average): arm; the test accuracies moving, recalibrated and batch; lag_1
        ... lag_4, as in `bnlib.training.Scores`; path, how the steps were run. What the averaged weights have for
        moving averages are those of the last step.

    Raises:
        DivergedError: a run did.
        KeyboardInterrupt: Ctrl-C.
    """
    some = few(data, config.examples, config.test)
    torch.manual_seed(part["seed"])
    model = LeNet("batch")
    _set_momentum(model, config.momentum)
    path = _go_on(model, some, config, config.epochs - 1, config.lr, part["seed"])
    arms = {
        "none": (config.momentum, config.lr),
        "momentum": (config.larger_momentum, config.lr),
        "rate": (config.momentum, config.smaller_lr),
    }
    ends: dict[str, nn.Module] = {}
    for arm, (momentum, lr) in arms.items():
        ends[arm] = deepcopy(model)
        _set_momentum(ends[arm], momentum)
        average = AveragedModel(ends[arm])  # of the weights after each step, all with the same share
        _go_on(ends[arm], some, config, 1, lr, part["seed"] + OTHER_ORDER, average)
        if arm == "none":
            ends["average"] = average.module
    return [{"arm": arm, **_scored(end, some, config), "path": path} for arm, end in ends.items()]


def _set_momentum(model: nn.Module, momentum: float) -> None:
    for layer in normalizations(model):
        layer.momentum = momentum


def _go_on(
    model: nn.Module,
    data: FashionMNIST,
    config: Config,
    epochs: int,
    lr: float,
    seed: int,
    average: AveragedModel | None = None,
) -> str:
    """Train for some epochs; how the steps were run."""
    path = "kernels" if reason_against(model) is None else "eager"

    def look(moment: Moment) -> None:
        if average is not None and moment.kind == "step":
            average.update_parameters(moment.model)

    plan = TrainConfig(epochs, lr, config.batch_size, seed, path=path)
    history = train(model, data, plan, progress=False, callback=look)
    if history.interrupted:
        raise KeyboardInterrupt
    return history.path


def _scored(model: nn.Module, data: FashionMNIST, config: Config) -> dict[str, float]:
    found = score(model, data, config.batch_size)
    accuracies = {name: getattr(found, name) for name in ("moving", "recalibrated", "batch")}
    return accuracies | {f"lag_{number}": lag for number, lag in enumerate(found.lags, start=1)}
