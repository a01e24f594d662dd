"""Is the bias below a normalization redundant? LeNet with those biases and without, step by step the same training.

The mean that the normalization subtracts holds the bias, so the bias cancels and its gradient is zero. In float64 the
two runs stay together to rounding; in float32 the roundings grow, as any difference does in training.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from bnlib.lab.fitting import few
from bnlib.lab.networks import batch, lenet
from bnlib.lab.parts import Part, Rows, grid
from bnlib.training import FashionMNIST, Moment, TrainConfig, train

BELOW = ("conv1", "conv2", "linear1", "linear2")  # a normalization stands above each


@dataclass(frozen=True)
class Config:
    """Few steps: how far two runs are apart grows with them."""

    dtypes: tuple[str, ...] = ("float64", "float32")
    seeds: tuple[int, ...] = (0, 1, 2)
    lr: float = 1.0
    batch_size: int = 256
    examples: int = 20_000


FULL = Config()
QUICK = Config(examples=5_120)


def parts(config: Config) -> list[Part]:
    """Two runs, with and without the biases, for each precision and seed."""
    return grid(dtype=config.dtypes, seed=config.seeds)


def measure(part: Part, data: FashionMNIST, config: Config) -> Rows:
    """Train both for an epoch and compare.

    Returns:
        A row per step: step, loss_with, loss_without; weight_difference, the largest difference of a weight between the
        two after the step; of the biases below a normalization the largest gradient (bias_gradient), to compare with
        the largest of the weights' (weight_gradient), and how far the largest of their values has moved from the start
        (bias_moved).
    """
    dtype = getattr(torch, part["dtype"])
    some = few(data, config.examples)
    some = replace(some, train_images=some.train_images.to(dtype), test_images=some.test_images.to(dtype))
    found = {biased: _steps(part["seed"], biased, some, config, dtype) for biased in (True, False)}
    return [
        {
            "step": number,
            "loss_with": with_bias.loss,
            "loss_without": without.loss,
            "weight_difference": (with_bias.weights - without.weights).abs().max().item(),
            **with_bias.sizes,
        }
        for number, (with_bias, without) in enumerate(zip(found[True], found[False], strict=True), start=1)
    ]


@dataclass(frozen=True)
class _Step:
    loss: float
    weights: Tensor  # all of the model's weights in one vector, biases left out
    sizes: dict[str, float]


def _steps(seed: int, biased: bool, data: FashionMNIST, config: Config, dtype: torch.dtype) -> list[_Step]:
    torch.manual_seed(seed)
    model = lenet(batch()).to(dtype)
    layers = [model.get_submodule(name) for name in BELOW]
    start = [layer.bias.detach().clone() for layer in layers]
    for layer in layers:
        layer.bias = layer.bias if biased else None
    steps: list[_Step] = []

    def look(moment: Moment) -> None:
        if moment.kind == "step":
            weights = torch.cat([p.detach().flatten() for name, p in model.named_parameters() if "weight" in name])
            steps.append(_Step(moment.loss.item(), weights, _sizes(layers, start) if biased else {}))

    train(model, data, TrainConfig(1, config.lr, config.batch_size, seed, path="eager"), progress=False, callback=look)
    return steps


@torch.no_grad()
def _sizes(layers: list[nn.Module], start: list[Tensor]) -> dict[str, float]:
    return {
        "bias_gradient": max(layer.bias.grad.abs().max().item() for layer in layers),
        "weight_gradient": max(layer.weight.grad.abs().max().item() for layer in layers),
        "bias_moved": max((layer.bias - was).abs().max().item() for layer, was in zip(layers, start, strict=True)),
    }
