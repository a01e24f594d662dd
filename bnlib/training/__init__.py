"""Fashion-MNIST, LeNet, and the trainer that brings them together."""

from bnlib.training.checkpoint import load_model
from bnlib.training.config import TrainConfig
from bnlib.training.device import choose_device
from bnlib.training.divergence import DivergedError
from bnlib.training.export import ExportError, ExportReport, export
from bnlib.training.fashion_mnist import DataUnavailableError, DataWarning, FashionMNIST, fashion_mnist
from bnlib.training.history import EpochRow, History
from bnlib.training.lenet import LeNet
from bnlib.training.prediction import Picture, Prediction, predict, read_image, read_picture
from bnlib.training.scoring import Scores, evaluate, score
from bnlib.training.sweep import SweepError, SweepWarning, sweep
from bnlib.training.trainer import Moment, TrainingWarning, train

__all__ = [
    "DataUnavailableError",
    "DataWarning",
    "DivergedError",
    "EpochRow",
    "ExportError",
    "ExportReport",
    "FashionMNIST",
    "History",
    "LeNet",
    "Moment",
    "Picture",
    "Prediction",
    "Scores",
    "SweepError",
    "SweepWarning",
    "TrainConfig",
    "TrainingWarning",
    "choose_device",
    "evaluate",
    "export",
    "fashion_mnist",
    "load_model",
    "predict",
    "read_image",
    "read_picture",
    "score",
    "sweep",
    "train",
]
