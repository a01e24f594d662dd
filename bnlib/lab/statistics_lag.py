"""What makes the moving averages lag? LeNet at several learning rates and momenta, scored after every epoch.

The moving averages hold statistics of weights that are gone. They should fall behind farther the faster the weights
move (learning rate) and the longer they look back (small momentum, PyTorch's convention: the weight of the new value).
"""

from dataclasses import dataclass

from bnlib.lab.fitting import few, scored_epochs
from bnlib.lab.parts import Part, Rows, grid
from bnlib.training import FashionMNIST


@dataclass(frozen=True)
class Config:
    """lrs: the lecture's and two below; momenta: PyTorch's default 0.1, one tenth, and two larger ones."""

    lrs: tuple[float, ...] = (0.1, 0.3, 1.0)
    momenta: tuple[float, ...] = (0.01, 0.1, 0.3, 1.0)
    seeds: tuple[int, ...] = (0, 1, 2)
    epochs: int = 5
    batch_size: int = 256
    examples: int = 12_000


FULL = Config()
QUICK = Config(lrs=(0.1, 1.0), momenta=(0.01, 0.1), seeds=(0, 1, 2), epochs=2, examples=6_000)


def parts(config: Config) -> list[Part]:
    """A run for each learning rate, momentum and seed."""
    return grid(lr=config.lrs, momentum=config.momenta, seed=config.seeds)


def measure(part: Part, data: FashionMNIST, config: Config) -> Rows:
    """Train one LeNet.

    Returns:
        As `moving_statistics`: a row per epoch with the test accuracies moving, recalibrated and batch of the same
        weights, the lag of each layer, and path, how the steps were run.

    Raises:
        DivergedError: the run did.
    """
    some = few(data, config.examples)
    return scored_epochs(part["seed"], some, config.epochs, part["lr"], config.batch_size, part["momentum"])
