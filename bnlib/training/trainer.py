"""The lecture's training loop (the mathematics of d2l.train_ch6), written so that the device never waits.

The data is moved to the device once and shuffled there; loss and hits stay there until the epoch ends. Random
numbers: the order of the examples comes from a generator of its own on the device, seeded by
`TrainConfig.seed`; torch's global generator is left to the model (dropout, say) and its initialization.
On a CPU, equal weights and an equal seed give equal histories to the last bit, time aside.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bnlib.language import message
from bnlib.training.device import choose_device
from bnlib.training.fashion_mnist import FashionMNIST
from bnlib.training.history import EpochRow, History
from bnlib.training.progress import Progress


class DivergedError(RuntimeError):
    """The training loss stopped being a finite number."""


@dataclass(frozen=True)
class TrainConfig:
    """How to train; the defaults are the lecture's.

    Raises:
        ValueError: a number out of its range.
    """

    epochs: int = 10
    lr: float = 1.0  # of plain SGD: high, and what batch normalization makes possible here
    batch_size: int = 256  # the last batch of an epoch may be smaller
    seed: int = 0  # of the order of the examples, not of the weights

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("batch_size", 1), ("seed", 0)):
            value = getattr(self, name)
            if not isinstance(value, Integral) or not least <= value < 2**63:
                raise ValueError(message("training.not_whole", name=name, value=value, least=least))
        if not isinstance(self.lr, Real) or not 0 < self.lr < math.inf:
            raise ValueError(message("training.not_positive", name="lr", value=self.lr))


LECTURE = TrainConfig()


@dataclass(frozen=True)
class Moment:
    """What a callback is told after every step, gradients still in place, and after every epoch."""

    kind: Literal["step", "epoch"]
    epoch: int  # from 1
    step: int  # from 1, over the whole run
    model: nn.Module  # in training mode; whoever changes that restores it
    loss: Tensor  # 0-d: of the step's minibatch on the device, or the mean over the epoch
    row: EpochRow | None = None  # of an epoch


def train(
    model: nn.Module,
    data: FashionMNIST,
    config: TrainConfig = LECTURE,
    *,
    device: str | torch.device | None = None,
    progress: bool | None = None,
    callback: Callable[[Moment], None] | None = None,
) -> History:
    """Train by minibatch SGD on the cross-entropy and score the test images after every epoch.

    Args:
        model: from images (N, 1, 28, 28) to logits; changed in place, moved to the device, and at the end in
            prediction mode. It is not initialised anew: that happened when it was made.
        data: copied to the device if it is elsewhere.
        device: as in `choose_device`: None takes the fastest there is.
        progress: True, False, or None to show a bar in terminals and notebooks only.
        callback: called with a `Moment` after every step and every epoch.

    Returns:
        A row per epoch. Training loss and accuracy are means over the epoch's examples, each taken in
        training mode just before its step; the test accuracy is taken in prediction mode.

    Raises:
        ValueError: a device this machine lacks; no examples; a batch of one where BatchNorm1d needs two.
        DivergedError: at the end of an epoch whose loss was not finite throughout.
    """
    device = choose_device(device)
    _check(model, data, config)
    model.to(device)
    data = data.to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=config.lr)
    order = torch.Generator(device).manual_seed(config.seed)
    examples = len(data.train_labels)
    steps = math.ceil(examples / config.batch_size)
    rows = []
    with Progress(progress, config.epochs, examples) as bar:
        for epoch in range(1, config.epochs + 1):
            bar.begin(epoch)
            start = time.perf_counter()
            model.train()
            sums = torch.empty(steps, 2, device=device)  # of each batch: loss, hits
            for i, batch in enumerate(_batches(data, config.batch_size, order)):
                loss = _step(model, optimizer, *batch, sums[i])
                bar.advance(len(batch[0]))
                if callback:
                    callback(Moment("step", epoch, (epoch - 1) * steps + i + 1, model, loss))
            loss, accuracy = _means(sums, examples, epoch, config.lr)
            test_accuracy = evaluate(model, data.test_images, data.test_labels)
            rows.append(EpochRow(epoch, loss, accuracy, test_accuracy, time.perf_counter() - start))
            bar.end(rows[-1])
            if callback:
                callback(Moment("epoch", epoch, epoch * steps, model, torch.tensor(loss), rows[-1]))
    model.eval()
    return History(tuple(rows), config, data.name, str(device), examples)


@torch.no_grad()
def evaluate(model: nn.Module, images: Tensor, labels: Tensor, batch_size: int = 2000) -> float:
    """The accuracy (0 ... 1) of a model in prediction mode; the modes it had are restored.

    Args:
        images, labels: (N, 1, 28, 28) and (N,); taken to the model's device batch by batch if need be.

    Raises:
        ValueError: no images, or not one label for each.
    """
    if len(images) == 0 or len(images) != len(labels):
        raise ValueError(message("training.unpaired", images=len(images), labels=len(labels)))
    parameter = next(model.parameters(), images)
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        hits = torch.zeros((), dtype=torch.int64, device=parameter.device)
        for x, y in zip(images.split(batch_size), labels.split(batch_size), strict=True):
            hits += (model(x.to(hits.device)).argmax(1) == y.to(hits.device)).sum()
    finally:
        for module, mode in modes.items():
            module.training = mode
    return hits.item() / len(labels)


def _check(model: nn.Module, data: FashionMNIST, config: TrainConfig) -> None:
    """Refuse what would otherwise fail in the middle of an epoch."""
    images, labels = len(data.train_images), len(data.train_labels)
    if images == 0 or images != labels:
        raise ValueError(message("training.unpaired", images=images, labels=labels))
    last = images % config.batch_size or min(config.batch_size, images)
    one = last == 1 or config.batch_size == 1
    if one and any(isinstance(module, nn.BatchNorm1d) for module in model.modules()):
        raise ValueError(message("training.batch_of_one", batch_size=config.batch_size, examples=images))


def _batches(data: FashionMNIST, batch_size: int, order: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """The examples of one epoch, each once, in a new order, in batches on the data's device."""
    shuffled = torch.randperm(len(data.train_labels), generator=order, device=order.device)
    for chosen in shuffled.split(batch_size):
        yield data.train_images[chosen], data.train_labels[chosen]


def _step(model: nn.Module, optimizer: torch.optim.SGD, x: Tensor, y: Tensor, sums: Tensor) -> Tensor:
    """One step of SGD; the batch's summed loss and its hits go into `sums` (2,), and nothing waits for them.

    Returns:
        The mean loss, 0-d, detached.
    """
    optimizer.zero_grad()
    logits = model(x)  # (N, classes)
    loss = F.cross_entropy(logits, y)
    loss.backward()
    optimizer.step()
    loss = loss.detach()
    sums[0] = loss * len(y)
    sums[1] = (logits.argmax(1) == y).sum()
    return loss


def _means(sums: Tensor, examples: int, epoch: int, lr: float) -> tuple[float, float]:
    """Mean loss and accuracy of an epoch from its batches' sums (steps, 2)."""
    sums = sums.cpu().double()  # here Python waits for the device
    broken = (~sums[:, 0].isfinite()).nonzero()
    if len(broken):
        raise DivergedError(message("training.diverged", epoch=epoch, step=broken[0].item() + 1, lr=lr))
    loss, hits = sums.sum(0).tolist()
    return loss / examples, hits / examples
