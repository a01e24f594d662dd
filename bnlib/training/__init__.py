"""Fashion-MNIST, LeNet, and the trainer that brings them together."""

from bnlib.training.device import choose_device
from bnlib.training.fashion_mnist import DataUnavailableError, DataWarning, FashionMNIST, fashion_mnist
from bnlib.training.history import EpochRow, History
from bnlib.training.lenet import LeNet
from bnlib.training.trainer import DivergedError, Moment, TrainConfig, evaluate, train

__all__ = [
    "DataUnavailableError",
    "DataWarning",
    "DivergedError",
    "EpochRow",
    "FashionMNIST",
    "History",
    "LeNet",
    "Moment",
    "TrainConfig",
    "choose_device",
    "evaluate",
    "fashion_mnist",
    "train",
]
