"""Which normalization for small batches? Test accuracy against the images that a device holds, m.

Each arm trains LeNet with ReLU on the same images, seen equally often, from the same weights:

    none            no normalization
    batch           one device: statistics and gradient over m images
    renorm          the same with batch renormalization (Ioffe, 2017)
    group           the same with group normalization, about 8 channels a group: no statistics of the batch at all
    synchronized    several devices of m images each: statistics and gradient over all of them, by `SyncBatchNorm` on
                    real processes
    ghost           statistics over m images each within a gradient's batch of 128, whatever m is: the noise of the
                    statistics without that of the gradient

So none and group say what a small gradient's batch does alone, ghost what small statistics do alone. The learning rate
is proportional to the gradient's batch (Goyal et al., 2017, "Accurate, Large Minibatch SGD", section 2.1,
https://arxiv.org/abs/1706.02677). Arms with statistics of the batch are scored twice: with their moving averages, and
with statistics recalibrated over the training images. What recalibration wins back was lost by the averages; what it
doesn't, by the training. To be compared with Wu & He (2018), "Group Normalization", figure 1 and section 4.1,
https://arxiv.org/abs/1803.08494: there eight devices share a gradient and each keeps statistics of its own.
"""

from dataclasses import dataclass

import torch
from torch import nn

from bnlib import recalibrate
from bnlib.lab.devices import fit_on_devices
from bnlib.lab.fitting import few, fit, scored
from bnlib.lab.networks import Factory, batch, ghost, group, lenet, renorm
from bnlib.lab.parts import Part, Rows, grid
from bnlib.norm.renorm import RelaxedLimits
from bnlib.training import FashionMNIST, TrainConfig
from bnlib.training.scoring import normalizations


@dataclass(frozen=True)
class Config:
    """sizes: m; devices: of the synchronized arm; ghost_batch: the gradient's where statistics are ghosts'.

    synchronized_up_to: the largest m of that arm: on several devices a larger one would leave training few steps.
    examples is a multiple of every gradient's batch, so that no step is smaller than the others.
    """

    sizes: tuple[int, ...] = (2, 4, 8, 16, 32, 128)
    arms: tuple[str, ...] = ("none", "batch", "renorm", "group", "synchronized", "ghost")
    seeds: tuple[int, ...] = (0, 1, 2)
    devices: int = 4
    synchronized_up_to: int = 32
    ghost_batch: int = 128
    group_channels: int = 8
    lr_per_image: float = 0.1 / 128
    epochs: int = 3
    examples: int = 4_096


FULL = Config()
QUICK = Config(
    sizes=(2, 16), arms=("batch", "group", "synchronized"), devices=2, synchronized_up_to=2, epochs=1, examples=1_024
)


def parts(config: Config) -> list[Part]:
    """A run for each m, arm and seed."""
    found = grid(m=config.sizes, arm=config.arms, seed=config.seeds)
    return [part for part in found if part["arm"] != "synchronized" or part["m"] <= config.synchronized_up_to]


def measure(part: Part, data: FashionMNIST, config: Config) -> Rows:
    """Train one LeNet.

    Returns:
        One row: gradient_batch, its images, and lr; diverged_step (missing where it didn't); loss, of the last epoch of
        training; test_accuracy, test_loss, as the network predicts; recalibrated, recalibrated_loss, the same with
        statistics over all training images (missing for the arms none and group, which have no such statistics).
    """
    arm, m = part["arm"], part["m"]
    size = {"ghost": config.ghost_batch, "synchronized": config.devices * m}.get(arm, m)
    plan = TrainConfig(config.epochs, config.lr_per_image * size, size, part["seed"])
    torch.manual_seed(part["seed"])
    model = lenet(_norm(arm, m, config, steps=config.epochs * config.examples // size), "relu")
    some, watched = few(data, config.examples), few(data, config.examples, test=500)
    if arm == "synchronized":
        found = fit_on_devices(model, watched, plan, config.devices)
    else:
        found = fit(model, watched, plan)
    row = {"gradient_batch": size, "lr": plan.lr, "diverged_step": found.diverged_step, "loss": found.rows[-1]["loss"]}
    return [row | (_scores(model, some) if found.diverged_step is None else {})]


def _norm(arm: str, m: int, config: Config, steps: int) -> Factory | None:
    # The paper's momentum of 0.01 and 5,000 steps of batch normalization suit a training of a hundred thousand steps.
    # Here there may be a hundred: averages over a twentieth of them, limits closed for an eighth, open after 3 eighths.
    opening = RelaxedLimits(start=steps // 8, d_end=steps // 4 + 1, r_end=3 * steps // 8 + 1)
    return {
        "none": None,
        "batch": batch(),
        "renorm": renorm(momentum=min(1.0, 20 / steps), limits=opening),
        "group": group(config.group_channels),
        "synchronized": batch(),  # made synchronized on the devices
        "ghost": ghost(m),
    }[arm]


def _scores(model: nn.Module, data: FashionMNIST) -> dict[str, float]:
    found = scored(model, data)
    row = {name: found[name] for name in ("test_accuracy", "test_loss")}
    if normalizations(model):
        found = scored(recalibrate(model, data.train_images.split(512)), data)
        row |= {"recalibrated": found["test_accuracy"], "recalibrated_loss": found["test_loss"]}
    return row
