"""Recalibration ("precise BN"): replace moving averages by the statistics of the data itself.

A moving average looks back over many steps, so it holds statistics of weights that are gone. Recalibration runs
the present weights over data and stores what it sees.
"""

from collections.abc import Iterable
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from bnlib.norm.statistics import MergedStatistics


def recalibrate(model: nn.Module, data: Iterable) -> nn.Module:
    """Set running_mean and running_var of every batch normalization layer to the statistics over `data`.

    The model runs forward over the batches, batch normalization by batch statistics and everything else (dropout,
    say) in prediction mode. What enters each layer is merged over all batches, unequal ones by their size, in
    float64; running_var takes the unbiased variance of all values together. Learnable parameters,
    num_batches_tracked, modes and flags stay as they were, and if anything raises, the statistics too. A layer that
    no batch reaches, or that the model calls by its forward method past its hooks, keeps its statistics.
    Between processes nothing is exchanged: with SyncBatchNorm give every rank the same data, or copy one's buffers.

    Args:
        model: with layers of torch's or ours (anything derived from torch's _BatchNorm that tracks statistics).
        data: batches, each a tensor or a tuple or list whose first element is the input, on the model's device.

    Returns:
        The model, its buffers changed in place.

    Raises:
        ValueError: a model without such a layer, data without a value, or a batch that holds one value per channel.

    Source: Wu & Johnson (2021), "Rethinking 'Batch' in BatchNorm", section 3, https://arxiv.org/abs/2105.07576.
    """
    layers = [
        m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.running_mean is not None
    ]
    if not layers:
        raise ValueError(
            f"recalibrate got {type(model).__name__}, which has no batch normalization layer with running statistics; "
            "expected at least one. There is nothing to recalibrate."
        )
    seen = {layer: MergedStatistics() for layer in layers}
    batches = 0
    with _collecting(model, seen), torch.no_grad():
        for batch in data:
            model(batch[0] if isinstance(batch, tuple | list) else batch)
            batches += 1
    used = {layer: statistics for layer, statistics in seen.items() if statistics.count > 0}
    if not used:
        raise ValueError(
            f"recalibrate got {batches} batches and no value of them came to a batch normalization layer; expected at "
            "least one non-empty batch, and layers called as layer(x)."
        )
    variances = {layer: statistics.unbiased_var() for layer, statistics in used.items()}  # raises before any change
    for layer, statistics in used.items():
        layer.running_mean.copy_(statistics.mean)
        layer.running_var.copy_(variances[layer])
    return model


@contextmanager
def _collecting(model: nn.Module, seen: dict[nn.Module, MergedStatistics]):
    """Batch statistics in the layers of `seen`, which note what enters them; modes and flags restored at the end."""
    modes = {module: module.training for module in model.modules()}
    tracked = {layer: layer.track_running_stats for layer in seen}

    def note(layer: nn.Module, args: tuple[Tensor, ...], kwargs: dict[str, Tensor]) -> None:
        seen[layer].add(args[0] if args else kwargs["input"])

    hooks = [layer.register_forward_pre_hook(note, with_kwargs=True) for layer in seen]
    model.eval()
    for layer in seen:
        layer.training, layer.track_running_stats = True, False  # normalize by the batch, leave the buffers alone
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for module, mode in modes.items():
            module.training = mode
        for layer, flag in tracked.items():
            layer.track_running_stats = flag
