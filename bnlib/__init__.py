"""bnlib: batch normalization, opened up line by line.

The names below are the public ones. They are imported when first used, so that `import bnlib` itself costs
nothing: no torch, no plotting, no widgets, no data until asked.
"""

import sys
from importlib import import_module

if sys.version_info < (3, 11):  # noqa: UP036 - before an import fails for a reason that says less
    raise ImportError(f"bnlib needs Python 3.11 or newer; this is Python {sys.version.split()[0]}.")

from bnlib.language import set_language

__version__ = "0.1.0"

_HOME = {
    "batch_norm": "bnlib.norm",
    "BatchNorm1d": "bnlib.norm",
    "BatchNorm2d": "bnlib.norm",
    "BatchNorm3d": "bnlib.norm",
    "SyncBatchNorm": "bnlib.norm",
    "GhostBatchNorm": "bnlib.norm",
    "BatchRenorm": "bnlib.norm",
    "FrozenBatchNorm": "bnlib.norm",
    "LayerNorm": "bnlib.norm",
    "InstanceNorm1d": "bnlib.norm",
    "InstanceNorm2d": "bnlib.norm",
    "InstanceNorm3d": "bnlib.norm",
    "GroupNorm": "bnlib.norm",
    "RMSNorm": "bnlib.norm",
    "fold_batch_norm": "bnlib.norm",
    "freeze_batch_norm": "bnlib.norm",
    "recalibrate": "bnlib.norm",
    "LeNet": "bnlib.training",
    "fashion_mnist": "bnlib.training",
    "train": "bnlib.training",
    "sweep": "bnlib.training",
    "TrainConfig": "bnlib.training",
}
_MODULES = ("lab", "language", "learn", "lecture", "norm", "training")

__all__ = ["set_language", *_HOME, *_MODULES]


def __getattr__(name: str):
    if name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
    elif name in _MODULES:
        value = import_module(f"bnlib.{name}")
    else:
        raise AttributeError(f"module 'bnlib' has no attribute {name!r}; its public names: {', '.join(__all__)}")
    globals()[name] = value  # looked up once; from now on an ordinary attribute
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
