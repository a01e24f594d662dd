"""A balanced tenth of Fashion-MNIST inside the package, so that every page runs where no data can be had.

The first 600 training and 100 test images of every class in their original order, made by
tools/make_subset.py: images and labels of the training set, then of the test set, one unsigned byte a value,
compressed with xz.
"""

import hashlib
import lzma
from pathlib import Path

import torch

from bnlib.language import message
from bnlib.training.idx import Arrays, CorruptFile

PATH = Path(__file__).with_name("fashion_mnist_subset.xz")
SHA256 = "8eaf6bb9e82961e7d73312d5259adebcdcb8829b4ea3955abd11eba9b97b7b57"
TRAIN_PER_CLASS, TEST_PER_CLASS = 600, 100


def embedded_subset(path: Path = PATH) -> Arrays:
    """The 6,000 training and 1,000 test images of the embedded subset.

    Raises:
        CorruptFile: the file of the package is damaged, so the package must be installed again.
    """
    try:
        raw = lzma.decompress(path.read_bytes())
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise CorruptFile(str(path), message("data.reinstall", error=error)) from None
    found = hashlib.sha256(raw).hexdigest()
    if found != SHA256:
        error = message("data.wrong_digest", got=found[:12], expected=SHA256[:12])
        raise CorruptFile(str(path), message("data.reinstall", error=error))
    train, test = 10 * TRAIN_PER_CLASS, 10 * TEST_PER_CLASS
    values = torch.frombuffer(bytearray(raw), dtype=torch.uint8)
    train_images, train_labels, test_images, test_labels = values.split([train * 784, train, test * 784, test])
    return Arrays(
        "fashion-mnist-subset",
        train_images.view(train, 28, 28),
        train_labels,
        test_images.view(test, 28, 28),
        test_labels,
    )
