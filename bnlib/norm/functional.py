"""Batch normalization as a function, every forward beside its hand-derived backward.

Names follow Ioffe & Szegedy (2015), algorithm 1: mean and var of the batch, x_hat = (x - mean) * rstd with
rstd = 1 / sqrt(var + eps), and y = weight * x_hat + bias. The backward pass is derived in chapter 02.
"""

import torch
from torch import Tensor
from torch.autograd import Function

from bnlib.norm.statistics import (
    along_channels,
    batch_mean_var,
    reduced_axes,
    update_moving,
    values_per_channel,
)

_HALF = (torch.float16, torch.bfloat16)


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalize every channel of a batch, then scale and shift it; torch.nn.functional.batch_norm's meaning.

        y = (x - mean) / sqrt(var + eps) * weight + bias

    In training, mean and var are those of the batch (var divides by m = N * spatial), and the running statistics
    move towards them (running_var towards the unbiased variance, which divides by m - 1). In prediction, mean
    and var are the running statistics.

    Args:
        input: (N, C, *). Half precision is computed in float32 and returned in half precision.
        running_mean, running_var: (C,), changed in place in training; may be None in training.
        weight, bias: (C,), γ and β; None for 1 and 0.
        training: which statistics normalize.
        momentum: weight of the new value in the running statistics (not of the old one).
        eps: added to the variance, inside of the root.

    Returns:
        (N, C, *), dtype and memory format of `input`.

    Raises:
        ValueError: fewer than two axes; or one value per channel in training, which has no variance.
        RuntimeError: running statistics missing in prediction, a vector that has not C elements, or dtypes
            that don't go together.

    Source: Ioffe & Szegedy (2015), https://arxiv.org/abs/1502.03167.
    """
    _check(input, running_mean, running_var, weight, bias, training)
    if not training:
        mean, var = (
            running_mean.detach().clone(),
            running_var.detach().clone(),
        )  # later updates in place do no harm
        return _Prediction.apply(input, weight, bias, mean, var, eps)
    if input.numel() == 0:  # no values: nothing to learn from, and gradients of zero
        return _scale_and_shift(input, weight, bias).to(input.dtype)
    output, mean, var = _Training.apply(input, weight, bias, eps)
    m = values_per_channel(input)
    if running_mean is not None:
        update_moving(running_mean, mean, momentum)
    if running_var is not None:
        update_moving(running_var, var * (m / (m - 1)), momentum)
    return output


class _Training(Function):
    """Normalize by the statistics of the batch. Returns the output and, outside of autograd, mean and var."""

    @staticmethod
    def forward(input, weight, bias, eps):
        x = _wide(input)
        mean, var = batch_mean_var(x)  # (1, C, 1, ...) each
        x_hat = (x - mean) * torch.rsqrt(var + eps)
        return _scale_and_shift(x_hat, weight, bias).to(input.dtype), mean, var

    @staticmethod
    def setup_context(ctx, inputs, output):
        input, weight, bias, ctx.eps = inputs
        _, mean, var = output
        ctx.mark_non_differentiable(mean, var)
        ctx.save_for_backward(input, weight, bias, mean, var)

    @staticmethod
    def backward(ctx, grad_output, _grad_mean, _grad_var):
        input, weight, bias, mean, var = ctx.saved_tensors
        x, g = _wide(input), _wide(grad_output)
        if torch.is_grad_enabled():  # second derivatives: mean and var depend on x, and saved tensors forget it
            mean, var = batch_mean_var(x)
        rstd = torch.rsqrt(var + ctx.eps)
        x_hat = (x - mean) * rstd
        axes = reduced_axes(x)
        grad_input = None
        if ctx.needs_input_grad[0]:
            g_hat = g if weight is None else g * along_channels(_wide(weight), x)
            along_one = g_hat.mean(axes, keepdim=True)  # the part that mean takes away
            along_x_hat = (g_hat * x_hat).mean(axes, keepdim=True)  # the part that var takes away
            grad_input = (rstd * (g_hat - along_one - x_hat * along_x_hat)).to(input.dtype)
        return grad_input, *_parameter_gradients(g, x_hat, weight, bias), None


class _Prediction(Function):
    """Normalize by given statistics: an affine map of every channel, whose backward is affine too."""

    @staticmethod
    def forward(input, weight, bias, mean, var, eps):
        x = _wide(input)
        x_hat = (x - along_channels(_wide(mean), x)) * along_channels(torch.rsqrt(_wide(var) + eps), x)
        return _scale_and_shift(x_hat, weight, bias).to(input.dtype)

    @staticmethod
    def setup_context(ctx, inputs, output):
        input, weight, bias, mean, var, ctx.eps = inputs
        ctx.save_for_backward(input, weight, bias, mean, var)

    @staticmethod
    def backward(ctx, grad_output):
        input, weight, bias, mean, var = ctx.saved_tensors
        x, g = _wide(input), _wide(grad_output)
        rstd = along_channels(torch.rsqrt(_wide(var) + ctx.eps), x)
        grad_input = None
        if ctx.needs_input_grad[0]:
            g_hat = g if weight is None else g * along_channels(_wide(weight), x)
            grad_input = (rstd * g_hat).to(input.dtype)
        x_hat = (x - along_channels(_wide(mean), x)) * rstd
        return grad_input, *_parameter_gradients(g, x_hat, weight, bias), None, None, None


def _scale_and_shift(x_hat: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    y = x_hat if weight is None else x_hat * along_channels(_wide(weight), x_hat)
    return y if bias is None else y + along_channels(_wide(bias), x_hat)


def _parameter_gradients(g: Tensor, x_hat: Tensor, weight: Tensor | None, bias: Tensor | None):
    """dγ = Σ g * x_hat and dβ = Σ g, over everything that shares the channel; None for an absent parameter."""
    axes = reduced_axes(g)
    grad_weight = None if weight is None else (g * x_hat).sum(axes).to(weight.dtype)
    grad_bias = None if bias is None else g.sum(axes).to(bias.dtype)
    return grad_weight, grad_bias


def _wide(x: Tensor) -> Tensor:
    """Half precision as float32: a sum of squares overflows float16 at a mean of 300."""
    return x.float() if x.dtype in _HALF else x


def _check(input, running_mean, running_var, weight, bias, training) -> None:
    if input.dim() < 2:
        raise ValueError(
            f"batch_norm got an input of shape {tuple(input.shape)}; expected (N, C) or (N, C, *): a batch axis "
            "and a channel axis. Add the missing axis, for example with input.unsqueeze(0)."
        )
    if not training and (running_mean is None or running_var is None):
        raise RuntimeError(
            "batch_norm got no running_mean or no running_var with training=False; expected both. Pass them, "
            "or normalize by the batch with training=True."
        )
    if training and values_per_channel(input) == 1:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input of shape {tuple(input.shape)}: one "
            "value has no variance. Use a batch of at least 2, or prediction mode (model.eval())."
        )
    channels = input.shape[1]
    named = {"running_mean": running_mean, "running_var": running_var, "weight": weight, "bias": bias}
    for name, vector in named.items():
        if vector is None:
            continue
        if vector.numel() != channels:
            raise RuntimeError(
                f"{name} should contain {channels} elements, one per channel of the input of shape "
                f"{tuple(input.shape)}, not {vector.numel()}. Build the layer with num_features={channels}."
            )
        if vector.dtype != input.dtype and not (input.dtype in _HALF and vector.dtype == torch.float32):
            raise RuntimeError(
                f"{name} is {vector.dtype} beside an input of {input.dtype}; expected the input's dtype, or "
                f"float32 with a half-precision input. Convert one of them, for example input.to({vector.dtype})."
            )
