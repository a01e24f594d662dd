"""Fashion-MNIST, LeNet, and the trainer that brings them together."""

from bnlib.training.checkpoint import load_model
from bnlib.training.config import TrainConfig
from bnlib.training.device import choose_device
from bnlib.training.divergence import DivergedError
from bnlib.training.fashion_mnist import DataUnavailableError, DataWarning, FashionMNIST, fashion_mnist
from bnlib.training.history import EpochRow, History
from bnlib.training.lenet import LeNet
from bnlib.training.scoring import Scores, evaluate, score
from bnlib.training.trainer import Moment, TrainingWarning, train

__all__ = [
    "DataUnavailableError",
    "DataWarning",
    "DivergedError",
    "EpochRow",
    "FashionMNIST",
    "History",
    "LeNet",
    "Moment",
    "Scores",
    "TrainConfig",
    "TrainingWarning",
    "choose_device",
    "evaluate",
    "fashion_mnist",
    "load_model",
    "score",
    "train",
]
