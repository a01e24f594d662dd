"""Group and instance normalization: each sample by its own statistics, over the pixels of some of its channels.

All channels in one group are layer normalization of (C, *) with a weight per channel, one channel a group is instance
normalization; group normalization is between them. None of them looks at the rest of the batch.
"""

import torch
from torch import Tensor, nn

from bnlib.norm.functional import batch_norm, check_floating, check_vectors
from bnlib.norm.given_statistics import normalize_by
from bnlib.norm.normalization import normalize
from bnlib.norm.statistics import along_channels, update_moving


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalize groups of neighbouring channels of each sample, then scale and shift; torch's group_norm.

        y = (x - mean) / sqrt(var + eps) * weight + bias

    mean and var belong to one sample and C / num_groups channels; var divides by C / num_groups * spatial.

    Args:
        input: (N, C, *). Half precision is computed in float32 and returned in half precision.
        num_groups: a divisor of C.
        weight, bias: (C,), one element per channel, not per group; None for 1 and 0.
        eps: added to the variance, inside of the root.

    Returns:
        (N, C, *), dtype and memory format of `input`.

    Raises:
        ValueError: a single value in all.
        RuntimeError: fewer than two axes, a num_groups that doesn't divide C, a vector that has not C elements, or
            dtypes that don't go together.
        NotImplementedError: integers or complex numbers.

    Source: Wu & He (2018), https://arxiv.org/abs/1803.08494.
    """
    _check_groups(input, num_groups)
    check_vectors({"weight": weight, "bias": bias}, input)
    if weight is None and bias is not None:  # the bias varies within a group, so the weight has to
        weight = torch.ones_like(bias)
    if input.numel() == 0:
        return _empty(input, weight, bias, eps)
    x = input.unflatten(1, (num_groups, -1))  # (N, G, C / G, *), a view for any strides
    within = (*x.shape[1:3], *(1,) * (x.dim() - 3))  # (G, C / G, 1, ...)
    gamma, beta = (None if vector is None else vector.view(within) for vector in (weight, bias))
    y, _, _ = normalize(x, tuple(range(2, x.dim())), gamma, beta, eps)
    return y.flatten(1, 2)


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float | Tensor = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalize each channel of each sample, then scale and shift; torch.nn.functional.instance_norm's meaning.

        y = (x - mean) / sqrt(var + eps) * weight + bias

    With use_input_stats, mean and var are those of one channel of one sample (var divides by the spatial size m), and
    the running statistics, if given, move towards their averages over the batch (running_var towards that of the
    unbiased variances, which divide by m - 1). Without, mean and var are the running statistics.

    Args:
        input: (N, C, *). Half precision is computed in float32 and returned in half precision.
        running_mean, running_var: (C,), both or neither; changed in place with use_input_stats.
        weight, bias: (C,); None for 1 and 0.
        use_input_stats: which statistics normalize.
        momentum: weight of the new value in the running statistics.
        eps: added to the variance, inside of the root.

    Returns:
        (N, C, *), dtype and memory format of `input`.

    Raises:
        ValueError: one spatial element, which has no variance; one running statistic without the other.
        RuntimeError: no running statistics without use_input_stats, a vector that has not C elements, or dtypes
            that don't go together.
        NotImplementedError: integers or complex numbers.

    Source: Ulyanov, Vedaldi, Lempitsky (2016), https://arxiv.org/abs/1607.08022.
    """
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    _check_instances(input, running_mean, running_var, weight, bias)
    gamma, beta = along_channels(weight, input), along_channels(bias, input)
    if input.numel() == 0:
        return _empty(input, weight, bias, eps)
    y, mean, var = normalize(input, tuple(range(2, input.dim())), gamma, beta, eps)
    if running_mean is not None:
        m = input.shape[2:].numel()
        update_moving(running_mean, mean.mean(0), momentum)
        update_moving(running_var, var.mean(0) * (m / (m - 1)), momentum)
    return y


class GroupNorm(nn.GroupNorm):
    """Group normalization of (N, C, *), by `group_norm`.

        y = (x - mean) / sqrt(var + eps) * weight + bias

    Arguments, state_dict and behaviour are torch.nn.GroupNorm's: num_groups, num_channels C, eps, affine (weight
    and, unless bias is False, bias of shape (C,)), device, dtype.

    Raises:
        ValueError: when built with a num_groups that doesn't divide num_channels.
        RuntimeError: an input that has not C channels.
    """

    def forward(self, input: Tensor) -> Tensor:
        return group_norm(input, self.num_groups, self.weight, self.bias, self.eps)


class _OwnInstances:
    """torch's layer with `instance_norm` inside; torch's forward tells a batch from a single sample and calls this."""

    def _apply_instance_norm(self, input: Tensor) -> Tensor:
        return instance_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            self.momentum if self.momentum is not None else 0.0,
            self.eps,
        )


class InstanceNorm1d(_OwnInstances, nn.InstanceNorm1d):
    """Instance normalization of (N, C, L), or of one sample (C, L), over L.

        y = (x - mean) / sqrt(var + eps) * weight + bias

    Arguments, state_dict and behaviour are torch.nn.InstanceNorm1d's: num_features C, eps, momentum (weight of the
    new value; None for 0, not for the cumulative average), affine (off unless asked for; weight and, unless bias
    is False, bias of shape (C,)), track_running_stats (off unless asked for), device, dtype. With tracked statistics
    training moves them in place, and prediction normalizes by them; num_batches_tracked stays 0, as in torch.

    Raises:
        ValueError: other than 2 or 3 axes, one spatial element, or not C channels where there is a weight.
    """


class InstanceNorm2d(_OwnInstances, nn.InstanceNorm2d):
    """Instance normalization of (N, C, H, W), or of one sample (C, H, W), over H and W.

    Everything else as in `InstanceNorm1d`; equal to torch.nn.InstanceNorm2d.
    """


class InstanceNorm3d(_OwnInstances, nn.InstanceNorm3d):
    """Instance normalization of (N, C, D, H, W), or of one sample (C, D, H, W), over D, H and W.

    Everything else as in `InstanceNorm1d`; equal to torch.nn.InstanceNorm3d.
    """


def _check_groups(input: Tensor, num_groups: int) -> None:
    check_floating("group_norm", input)
    shape = tuple(input.shape)
    if input.dim() < 2:
        raise RuntimeError(
            f"group_norm got an input of shape {shape}; expected (N, C) or (N, C, *): a batch axis and a channel "
            "axis. Add the missing axis, for example with input.unsqueeze(0)."
        )
    if num_groups < 1 or input.shape[1] % num_groups:
        raise RuntimeError(
            f"group_norm got num_groups={num_groups} with {input.shape[1]} channels: shape {shape}; expected a "
            "divisor of the number of channels. Choose another number of groups."
        )
    if input.numel() == num_groups:  # one sample, and groups of one value
        raise ValueError(
            f"group_norm expected more than 1 value per group, got input of shape {shape} with "
            f"num_groups={num_groups}: one value has no variance. Use fewer groups."
        )


def _check_instances(input: Tensor, running_mean, running_var, weight, bias) -> None:
    check_floating("instance_norm", input)
    if input.shape[2:].numel() == 1:
        raise ValueError(
            f"instance_norm expected more than 1 spatial element, got input of shape {tuple(input.shape)}: one value "
            "has no variance. Use larger inputs, or running statistics with use_input_stats=False."
        )
    if (running_mean is None) != (running_var is None):
        raise ValueError(
            "instance_norm got one of running_mean and running_var; expected both or neither. Pass the other too."
        )
    check_vectors({"running_mean": running_mean, "running_var": running_var, "weight": weight, "bias": bias}, input)


def _empty(input: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """No values, no statistics; gradients of zero."""
    zero = input.new_zeros(())
    return normalize_by(input, zero, zero, along_channels(weight, input), along_channels(bias, input), eps)
