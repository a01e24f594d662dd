"""One set of weights, three sets of statistics: how much of a bad test accuracy is the moving average's doing?

After every epoch the same LeNet is scored on the test images with the moving averages it has kept, with statistics
recalibrated over the training images, and with the statistics of each test batch. The weights are equal in all three,
so whatever differs is the statistics' doing. Beside it stands each layer's lag: how far the moving mean is from the
recalibrated mean, in recalibrated standard deviations, as root mean square over channels.
"""

from dataclasses import dataclass

from bnlib.lab.fitting import scored_epochs
from bnlib.lab.parts import Part, Rows, grid
from bnlib.training import FashionMNIST


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


def parts(config: Config) -> list[Part]:
    """A run for every seed."""
    return grid(seed=config.seeds)


def measure(part: Part, data: FashionMNIST, config: Config) -> Rows:
    """Train one LeNet and score it after every epoch with the three kinds of statistics.

    Returns:
        A row per epoch: epoch, train_loss, train_accuracy, then the test accuracies moving, recalibrated, batch (each
        in 0 ... 1), then lag_1 ... lag_4 from the bottom layer to the top one, and path, how the steps were run.

    Raises:
        DivergedError: the run did.
    """
    return scored_epochs(part["seed"], data, config.epochs, config.lr, config.batch_size, config.momentum)
