"""Fashion-MNIST as tensors: the whole of it, or, where it can't be had, the subset inside the package.

Xiao, Rasul & Vollgraf (2017), https://arxiv.org/abs/1708.07747; MIT licence, (c) 2017 Zalando SE.
"""

import sys
import warnings
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from bnlib.language import message
from bnlib.training.device import choose_device
from bnlib.training.idx import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS, Arrays, array
from bnlib.training.sources import DataUnavailableError, Sources, default_sources, find
from bnlib.training.subset import embedded_subset

__all__ = ["DataUnavailableError", "DataWarning", "FashionMNIST", "Sources", "fashion_mnist", "fetch", "raw_arrays"]


class DataWarning(UserWarning):
    """A file was refused, the cache can't be kept, or the subset stands in for the whole data set."""


@dataclass(frozen=True, eq=False)
class FashionMNIST:
    """The images and labels, ready for a network, all on one device.

    name: "fashion-mnist" or "fashion-mnist-subset"; a recorded result says which.
    train_images, test_images: (N, 1, 28, 28) float32 in [0, 1]; N is 60,000 and 10,000, or 6,000 and 1,000.
    train_labels, test_labels: (N,) int64 in 0 ... 9.
    """

    name: str
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor

    def to(self, device: str | torch.device) -> "FashionMNIST":
        """The same data on `device`; "auto" and names as in `choose_device`."""
        device = choose_device(device)
        tensors = ("train_images", "train_labels", "test_images", "test_labels")
        return replace(self, **{name: getattr(self, name).to(device) for name in tensors})

    def class_names(self) -> list[str]:
        """The ten classes in the current language, by label."""
        return message("data.class_names").split("|")

    def __repr__(self) -> str:
        images, device = self.train_images, self.train_images.device
        return f"FashionMNIST({self.name}: {len(images):,} + {len(self.test_images):,} images on {device})"


def fashion_mnist(
    device: str | torch.device | None = None, *, subset: bool | None = None, sources: Sources | None = None
) -> FashionMNIST:
    """Fashion-MNIST on a device, from the first source whose files verify: see `Sources`.

    Args:
        device: None for the CPU, "auto" for the fastest there is, or a device or its name.
        subset: True for the 6,000 and 1,000 images inside the package; False for the full data or an error;
            None for the full data or else, with a warning, the subset.
        sources: where to look; None for the usual places.

    Raises:
        DataUnavailableError: subset is False and no source has the full data.
        ValueError: this machine lacks the device.
    """
    device = torch.device("cpu") if device is None else choose_device(device)  # refuse before fetching
    arrays = raw_arrays(subset=subset, sources=sources)
    return FashionMNIST(
        arrays.name,
        _images(arrays.train_images, device),
        arrays.train_labels.long().to(device),
        _images(arrays.test_images, device),
        arrays.test_labels.long().to(device),
    )


def _images(values: Tensor, device: torch.device) -> Tensor:
    # divided on the CPU, whose division is exact: so the numbers are the same on every device
    return values.unsqueeze(1).float().div_(255).to(device)


def raw_arrays(*, subset: bool | None = None, sources: Sources | None = None) -> Arrays:
    """The images and labels as unsigned bytes on the CPU; arguments and errors as in `fashion_mnist`."""
    if subset:
        return embedded_subset()
    try:
        found = find(sources or default_sources(), _warn)
    except DataUnavailableError as error:
        if subset is None:
            _warn(f"{error}{message('data.subset_instead')}")
            return embedded_subset()
        raise DataUnavailableError(f"{error}{message('data.how_to_mend')}") from None
    files = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)
    return Arrays("fashion-mnist", *(array(found[file].raw, file) for file in files))


def _warn(sentence: str) -> None:
    level, frame = 1, sys._getframe()
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("bnlib."):
        level, frame = level + 1, frame.f_back  # the line to show is the caller's, not ours
    warnings.warn(sentence, DataWarning, stacklevel=level)


def fetch(verbose: bool = True, *, sources: Sources | None = None) -> str:
    """Make sure that the full data set is on this machine, and say in one line where it is.

    Args:
        verbose: print to standard error what was refused on the way, instead of warning.

    Raises:
        DataUnavailableError: no source has it.
    """
    report = (lambda sentence: print(sentence, file=sys.stderr)) if verbose else _warn
    try:
        found = find(sources or default_sources(), report)
    except DataUnavailableError as error:
        raise DataUnavailableError(f"{error}{message('data.how_to_mend')}") from None
    origins = dict.fromkeys(piece.origin for piece in found.values())  # each once, in order
    return message("data.ready", origins=message("data.between_names").join(origins))
