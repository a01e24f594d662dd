"""Batch normalization itself: statistics, the function with its backward, the layers, recalibration."""

from bnlib.norm.folding import FoldEntry, Folding, FoldReport, fold_batch_norm
from bnlib.norm.functional import batch_norm
from bnlib.norm.layers import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    LazyBatchNorm1d,
    LazyBatchNorm2d,
    LazyBatchNorm3d,
)
from bnlib.norm.recalibration import recalibrate
from bnlib.norm.statistics import MergedStatistics, batch_mean_var
from bnlib.norm.synchronized import SyncBatchNorm, revert_sync_batchnorm

__all__ = [
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "FoldEntry",
    "FoldReport",
    "Folding",
    "LazyBatchNorm1d",
    "LazyBatchNorm2d",
    "LazyBatchNorm3d",
    "MergedStatistics",
    "SyncBatchNorm",
    "batch_mean_var",
    "batch_norm",
    "fold_batch_norm",
    "recalibrate",
    "revert_sync_batchnorm",
]
