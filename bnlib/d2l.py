"""`import bnlib.d2l` once, and `from d2l import torch as d2l` works on today's stack, with our verified data.

Of the d2l package (0.17, the line of the Chinese edition of "Dive into Deep Learning", d2l.ai) three
functions are replaced; everything else is d2l's own:

- use_svg_display: IPython 9 no longer has the function that d2l calls for it.
- load_data_fashion_mnist: the images come from bnlib.fashion_mnist's sources, so it works offline once they
  are there. The way of loading stays d2l's (a torchvision data set, ToTensor image by image, worker
  processes), for chapter 04 measures its speed.
- get_dataloader_workers: d2l's four processes, but no more than the processor has cores, or torch warns.
"""

import importlib.util
import os
from importlib import import_module
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from bnlib.language import message
from bnlib.training.fashion_mnist import raw_arrays
from bnlib.training.idx import Arrays

# The operators that torchvision describes to torch when imported; d2l calls neither.
_SCHEMAS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


def _make_torchvision_importable() -> None:
    """Declare torchvision's operators where its compiled part does not load.

    PyPI's torchvision for Linux is built for CUDA. Beside a CPU build of torch its compiled part can't be
    loaded, and its import then fails on operators that nobody declared. Its data sets and transforms, all
    that d2l needs, are Python.
    """
    spec = importlib.util.find_spec("torchvision")
    for library in Path(spec.origin).parent.glob("_C.*") if spec and spec.origin else ():
        try:
            torch.ops.load_library(library)  # just what torchvision does; doing it twice is harmless
        except OSError:
            continue  # the very case that the declarations below are for
    for name, schema in _SCHEMAS.items():
        if not hasattr(torch.ops.torchvision, name):
            torch.library.define(f"torchvision::{name}", schema)


try:
    _make_torchvision_importable()
    d2l = import_module("d2l.torch")
    import torchvision
    from torchvision import transforms
except ModuleNotFoundError as error:
    raise ImportError(message("data.d2l_missing", name=error.name)) from None


class FashionMNIST(torchvision.datasets.FashionMNIST):
    """torchvision's data set over our arrays; every item still goes through a PIL image."""

    def __init__(self, arrays: Arrays, train: bool, transform: transforms.Compose) -> None:
        torchvision.datasets.VisionDataset.__init__(self, root=arrays.name, transform=transform)
        self.train = train
        self.data = arrays.train_images if train else arrays.test_images  # (N, 28, 28) uint8
        self.targets = (arrays.train_labels if train else arrays.test_labels).long()


def use_svg_display() -> None:
    """Show figures as SVG in a notebook; elsewhere there is nothing to set."""
    from IPython import get_ipython
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    if get_ipython() is not None:
        set_matplotlib_formats("svg")


def get_dataloader_workers() -> int:
    """The number of processes that read data."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(4, cores)


def load_data_fashion_mnist(
    batch_size: int, resize: int | tuple[int, int] | None = None, *, subset: bool | None = None
) -> tuple[DataLoader, DataLoader]:
    """Loaders of (batch_size, 1, 28, 28) float32 images in [0, 1] and int64 labels, for training and test.

    Args:
        batch_size: images a batch; the last batch is the rest.
        resize: side length in pixels, or (height, width), to resize every image to.
        subset: as in `bnlib.fashion_mnist`.

    Source: verified files as in `bnlib.fashion_mnist`, or, with a warning, the subset inside the package.
    """
    steps = [transforms.ToTensor()]
    if resize:
        steps.insert(0, transforms.Resize(resize))
    transform, arrays = transforms.Compose(steps), raw_arrays(subset=subset)
    training, test = (
        DataLoader(
            FashionMNIST(arrays, train, transform),
            batch_size,
            shuffle=train,
            num_workers=d2l.get_dataloader_workers(),  # looked up in d2l, where a reader may have set it
        )
        for train in (True, False)
    )
    return training, test


for _function in (use_svg_display, get_dataloader_workers, load_data_fashion_mnist):
    setattr(d2l, _function.__name__, _function)
