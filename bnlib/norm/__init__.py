"""Normalization, all of it: functions with hand-written derivatives, layers, and what one does with them afterwards."""

from bnlib.norm.folding import FoldEntry, Folding, FoldReport, fold_batch_norm
from bnlib.norm.frozen import FrozenBatchNorm, freeze_batch_norm
from bnlib.norm.functional import batch_norm
from bnlib.norm.ghost import GhostBatchNorm, ghost_batch_norm
from bnlib.norm.group_norm import GroupNorm, InstanceNorm1d, InstanceNorm2d, InstanceNorm3d, group_norm, instance_norm
from bnlib.norm.layer_norm import LayerNorm, RMSNorm, layer_norm, rms_norm
from bnlib.norm.layers import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    LazyBatchNorm1d,
    LazyBatchNorm2d,
    LazyBatchNorm3d,
)
from bnlib.norm.recalibration import recalibrate
from bnlib.norm.renorm import BatchRenorm, FixedLimits, RelaxedLimits, batch_renorm
from bnlib.norm.statistics import MergedStatistics, batch_mean_var
from bnlib.norm.synchronized import SyncBatchNorm, revert_sync_batchnorm

__all__ = [
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "BatchRenorm",
    "FixedLimits",
    "FoldEntry",
    "FoldReport",
    "Folding",
    "FrozenBatchNorm",
    "GhostBatchNorm",
    "GroupNorm",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "LayerNorm",
    "LazyBatchNorm1d",
    "LazyBatchNorm2d",
    "LazyBatchNorm3d",
    "MergedStatistics",
    "RMSNorm",
    "RelaxedLimits",
    "SyncBatchNorm",
    "batch_mean_var",
    "batch_norm",
    "batch_renorm",
    "fold_batch_norm",
    "freeze_batch_norm",
    "ghost_batch_norm",
    "group_norm",
    "instance_norm",
    "layer_norm",
    "recalibrate",
    "revert_sync_batchnorm",
    "rms_norm",
]
