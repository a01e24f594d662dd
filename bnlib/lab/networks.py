"""The networks of the experiments: LeNet with another order, activation or normalization, and stacks of linear layers.

All start with the weights that `bnlib.LeNet`, or a stack without normalization, gets from the same seed: what is
added has no random numbers of its own. Layers keep LeNet's names, so norm1 is above conv1 in each of them.
"""

from collections import OrderedDict
from collections.abc import Callable
from itertools import pairwise

from torch import nn

from bnlib.norm import BatchNorm1d, BatchNorm2d, BatchRenorm, GhostBatchNorm, GroupNorm
from bnlib.training import LeNet

Factory = Callable[[int, int], nn.Module]  # from channels and axes (4 or 2) to a layer, as in `bnlib.training.lenet`
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU, "tanh": nn.Tanh}
CHANNELS = (6, 16, 120, 84)  # of LeNet's four normalized layers


def batch(**options) -> Factory:
    """Batch normalization with BatchNorm1d's and 2d's options."""
    return lambda channels, axes: (BatchNorm2d if axes == 4 else BatchNorm1d)(channels, **options)


def ghost(size: int) -> Factory:
    """Ghost batch normalization with ghosts of `size` samples."""
    return lambda channels, axes: GhostBatchNorm(channels, size)


def renorm(**options) -> Factory:
    """Batch renormalization with its layer's options."""
    return lambda channels, axes: BatchRenorm(channels, **options)


def group(channels_each: int) -> Factory:
    """Group normalization with groups of about as many channels; of 6 or 84 channels with 8 each, 1 and 10 groups."""
    return lambda channels, axes: GroupNorm(_groups(channels, channels_each), channels)


def lenet(
    norm: Factory | None,
    activation: str = "sigmoid",
    order: tuple[str, ...] = ("norm", "activation", "dropout"),
    dropout: float = 0.0,
) -> nn.Sequential:
    """LeNet with choices: images (N, 1, 28, 28) to logits (N, 10).

    Args:
        norm: makes the layers norm1 ... norm4; None leaves them out.
        activation: a key of ACTIVATIONS; its layers keep LeNet's names sigmoid1 ... sigmoid4.
        order: what follows each convolution and each hidden linear layer, from the bottom.
        dropout: the fraction of units dropped in training, after the two hidden linear layers; 0 leaves dropout out.
    """
    layers: list[tuple[str, nn.Module]] = []
    for name, module in LeNet("none").named_children():
        if not name.startswith("sigmoid"):
            layers.append((name, module))
            continue
        number = int(name.removeprefix("sigmoid"))
        axes = 4 if number <= 2 else 2
        made = {"activation": (name, ACTIVATIONS[activation]())}
        if norm is not None:
            made["norm"] = (f"norm{number}", norm(CHANNELS[number - 1], axes))
        if dropout and axes == 2:
            made["dropout"] = (f"dropout{number}", nn.Dropout(dropout))
        layers += [made[kind] for kind in order if kind in made]
    return nn.Sequential(OrderedDict(layers))


def stack(
    depth: int, width: int, norm: Factory | None, activation: str = "sigmoid", std: float | None = None
) -> nn.Sequential:
    """Hidden linear layers below a last one: images (N, 1, 28, 28) to logits (N, 10).

    The layers are linear1, norm1, sigmoid1 (or relu1 ...), ..., and linear on top.

    Args:
        depth, width: number of hidden layers, and units in each.
        std: of the weights, drawn from a normal distribution, with zero biases; None for Xavier's uniform rule.
    """
    hidden: list[tuple[str, nn.Module]] = [("flatten", nn.Flatten())]
    sizes = [28 * 28, *[width] * depth, 10]
    for number, (inputs, outputs) in enumerate(pairwise(sizes), start=1):
        top = number > depth
        layer = nn.Linear(inputs, outputs)
        nn.init.xavier_uniform_(layer.weight) if std is None else nn.init.normal_(layer.weight, std=std)
        nn.init.zeros_(layer.bias)
        hidden.append(("linear" if top else f"linear{number}", layer))
        if not top:
            hidden += [] if norm is None else [(f"norm{number}", norm(width, 2))]
            hidden.append((f"{activation}{number}", ACTIVATIONS[activation]()))
    return nn.Sequential(OrderedDict(hidden))


def _groups(channels: int, each: int) -> int:
    """How many groups: the divisor of `channels` nearest to channels / each."""
    divisors = [number for number in range(1, channels + 1) if channels % number == 0]
    return min(divisors, key=lambda number: abs(number - channels / each))
