"""Which layer's stale mean or variance costs the accuracy? Exact statistics everywhere else.

After every epoch the statistics are recalibrated; then a part of the moving averages is put back, and the same weights
are scored again. What is lost then is that part's doing.
"""

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import nn

from bnlib.lab.fitting import few
from bnlib.lab.parts import Part, Rows, grid
from bnlib.norm import recalibrate
from bnlib.training import FashionMNIST, LeNet, Moment, TrainConfig, evaluate, train
from bnlib.training.kernels import reason_against
from bnlib.training.scoring import normalizations

LAYERS = (1, 2, 3, 4)  # from the bottom
BUFFERS = {"mean": "running_mean", "variance": "running_var"}


@dataclass(frozen=True)
class Config:
    """As moving_statistics, on a third of the images and for half of its epochs; test: images to score with."""

    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    epochs: int = 5
    lr: float = 1.0
    batch_size: int = 256
    momentum: float = 0.1
    examples: int = 20_000
    test: int = 10_000


FULL = Config()
QUICK = Config(seeds=(0, 1, 2), epochs=2, examples=6_000, test=3_000)


def parts(config: Config) -> list[Part]:
    """A run for each seed."""
    return grid(seed=config.seeds)


def measure(part: Part, data: FashionMNIST, config: Config) -> Rows:
    """Train one LeNet.

    Returns:
        A row per epoch: epoch; path, how the steps were run; train_accuracy; the test accuracies moving and
        recalibrated; stale_1, stale_2, stale_3 and stale_4 where that layer alone keeps its moving averages; stale_mean
        and stale_variance where all layers keep their moving means or variances alone; lag_mean_1 ..., the distance of
        a layer's moving mean from the recalibrated one, in recalibrated standard deviations, and lag_std_1 ..., that
        of the moving standard deviation, in the same unit, each as root mean square over channels.

    Raises:
        DivergedError: the run did.
        KeyboardInterrupt: Ctrl-C.
    """
    some = few(data, config.examples, config.test)
    torch.manual_seed(part["seed"])
    model = LeNet("batch")
    for layer in normalizations(model):
        layer.momentum = config.momentum
    path = "kernels" if reason_against(model) is None else "eager"
    rows: Rows = []

    def look(moment: Moment) -> None:
        if moment.kind == "epoch":
            row = {"epoch": moment.epoch, "path": path, "train_accuracy": moment.row.train_accuracy}
            rows.append({**row, **_scored(model, some, config)})

    plan = TrainConfig(config.epochs, config.lr, config.batch_size, part["seed"], path=path)
    if train(model, some, plan, progress=False, callback=look).interrupted:
        raise KeyboardInterrupt
    return rows


@torch.no_grad()
def _scored(model: nn.Module, data: FashionMNIST, config: Config) -> dict[str, float]:
    exact = recalibrate(deepcopy(model), data.train_images.split(config.batch_size))
    pairs = list(zip(normalizations(model), normalizations(exact), strict=True))

    def accuracy(layers: tuple[int, ...] = (), kinds: tuple[str, ...] = tuple(BUFFERS)) -> float:
        """With exact statistics but for these kinds in these layers."""
        mixed = deepcopy(exact)
        found = normalizations(mixed)
        for number in layers:
            for kind in kinds:
                getattr(found[number - 1], BUFFERS[kind]).copy_(getattr(pairs[number - 1][0], BUFFERS[kind]))
        return evaluate(mixed, data.test_images, data.test_labels)

    row = {"moving": accuracy(LAYERS), "recalibrated": accuracy()}
    row |= {f"stale_{number}": accuracy((number,)) for number in LAYERS}
    row |= {f"stale_{kind}": accuracy(LAYERS, (kind,)) for kind in BUFFERS}
    for number, (kept, true) in enumerate(pairs, start=1):
        std, kept_std = (true.running_var + true.eps).sqrt(), (kept.running_var + kept.eps).sqrt()
        row[f"lag_mean_{number}"] = _rms((kept.running_mean - true.running_mean) / std)
        row[f"lag_std_{number}"] = _rms((kept_std - std) / std)
    return row


def _rms(values: torch.Tensor) -> float:
    return values.square().mean().sqrt().item()
