"""A few hundred images and a fresh LeNet, for the tests of training."""

from dataclasses import replace

import torch

from bnlib.training import EpochRow, FashionMNIST, History, LeNet, fashion_mnist


def part(data: FashionMNIST, train_images: int, test_images: int) -> FashionMNIST:
    """The first images and labels of a data set."""
    return replace(
        data,
        train_images=data.train_images[:train_images],
        train_labels=data.train_labels[:train_images],
        test_images=data.test_images[:test_images],
        test_labels=data.test_labels[:test_images],
    )


def few() -> FashionMNIST:
    """600 and 200 images of the embedded subset: two batches of 256 and a tail of 88."""
    return part(fashion_mnist(subset=True), 600, 200)


def lenet(norm: str = "batch") -> LeNet:
    torch.manual_seed(1)
    return LeNet(norm)


def timeless(history: History) -> list[EpochRow]:
    return [replace(row, seconds=0) for row in history.rows]
