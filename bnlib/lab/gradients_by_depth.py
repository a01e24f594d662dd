"""Where does the gradient go? Its norm in every layer of a deep sigmoid network and of LeNet, with and without BN.

The loss is at the top, the data at the bottom: what reaches the bottom layers has passed all the others. A network of
one seed starts from the same weights and sees the same batches with and without the normalization.
"""

from dataclasses import dataclass

import torch
from torch import nn

from bnlib.lab.fitting import few, fit
from bnlib.lab.networks import batch, lenet, stack
from bnlib.lab.parts import Part, Rows, grid
from bnlib.lab.probes import Probes
from bnlib.training import FashionMNIST, TrainConfig


@dataclass(frozen=True)
class Config:
    """depth and width of the deep network, whose hidden layers start by Xavier's rule; lr low enough for both arms."""

    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    networks: tuple[str, ...] = ("deep", "lenet")
    depth: int = 8
    width: int = 100
    lr: float = 0.1
    batch_size: int = 128
    examples: int = 60_000
    every: int = 20  # steps between two recorded ones


FULL = Config()
QUICK = Config(seeds=(0, 1, 2), examples=6_000)


def parts(config: Config) -> list[Part]:
    """An epoch of training for each network, with and without normalization, and each seed."""
    return grid(network=config.networks, norm=("none", "batch"), seed=config.seeds)


def measure(part: Part, data: FashionMNIST, config: Config) -> Rows:
    """Train for an epoch and look at the weights of every linear and convolutional layer.

    Returns:
        A row per recorded step and layer: step (from 1; at step 1 the weights are the initial ones), layer (from 1 at
        the bottom), layers (how many there are), gradient_norm and update_ratio (of the layer's weight, as in
        `Probes`), test_accuracy after the epoch.
    """
    torch.manual_seed(part["seed"])
    norm = batch() if part["norm"] == "batch" else None
    model = lenet(norm) if part["network"] == "lenet" else stack(config.depth, config.width, norm)
    plan = TrainConfig(1, config.lr, config.batch_size, part["seed"])
    with Probes(model, config.every) as probes:
        found = fit(model, few(data, config.examples), plan, probes)
    names = [name for name, module in model.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    values = probes.table().pivot(index=["step", "layer"], columns="quantity", values="value")
    return [
        {
            "step": step,
            "layer": number,
            "layers": len(names),
            "gradient_norm": values.at[(step, f"{name}.weight"), "gradient_norm"],
            "update_ratio": values.at[(step, f"{name}.weight"), "update_ratio"],
            "test_accuracy": found.rows[-1]["test_accuracy"],
        }
        for step in probes.table()["step"].unique().tolist()
        for number, name in enumerate(names, start=1)
    ]
