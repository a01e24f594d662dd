"""Make bnlib/training/fashion_mnist_subset.xz: the first 600 training and 100 test images of every class.

    python tools/make_subset.py

Takes the verified full data set, keeps its order, and prints the SHA-256 that bnlib/training/subset.py
expects.
"""

import hashlib
import lzma

import torch
from torch import Tensor

from bnlib.training.fashion_mnist import raw_arrays
from bnlib.training.subset import PATH, TEST_PER_CLASS, TRAIN_PER_CLASS


def first_of_each_class(labels: Tensor, count: int) -> Tensor:
    """Indices of the first `count` examples of every class, in their order in the data set."""
    chosen = [torch.nonzero(labels == label).flatten()[:count] for label in range(10)]
    return torch.cat(chosen).sort().values


def main() -> None:
    full = raw_arrays(subset=False)
    train = first_of_each_class(full.train_labels, TRAIN_PER_CLASS)
    test = first_of_each_class(full.test_labels, TEST_PER_CLASS)
    parts = (
        full.train_images[train],
        full.train_labels[train],
        full.test_images[test],
        full.test_labels[test],
    )
    raw = b"".join(part.numpy().tobytes() for part in parts)
    PATH.write_bytes(lzma.compress(raw, preset=9 | lzma.PRESET_EXTREME))
    print(f"{PATH.name}: {PATH.stat().st_size} bytes, SHA-256 of the content {hashlib.sha256(raw).hexdigest()}")


if __name__ == "__main__":
    main()
