"""The one computation behind every normalization here, its forward beside its hand-derived derivatives.

All of them subtract a mean, divide by a standard deviation, scale and shift; they differ in which numbers share
their statistics. So everything below takes `axes`, those along which the statistics are taken: (0, 2, 3) for the
batch normalization of images, (1, 2, 3) for their layer normalization. Names follow Ioffe & Szegedy (2015), algorithm
1: with m values along `axes`,

    mean = Σ x / m      var = Σ (x - mean)² / m      rstd = 1 / sqrt(var + eps)      y = (x - mean) rstd weight + bias

The backward pass is derived in chapter 02. It takes x and two numbers for each group of m, so x itself is all of its
size that is kept until then.
"""

from inspect import signature

import torch
from torch import Tensor
from torch.autograd import Function

Axes = tuple[int, ...]


def normalize(
    x: Tensor, axes: Axes, weight: Tensor | None, bias: Tensor | None, eps: float, center: bool = True
) -> tuple[Tensor, Tensor, Tensor]:
    """Normalize by the statistics along `axes`, then scale and shift.

    Args:
        x: floating point, at least one value along `axes`; half precision is computed in float32.
        axes: at least one, none negative.
        weight, bias: whatever broadcasts against x, or None for 1 and 0; bias varies along `axes` only where weight
            does.
        eps: added to the variance, inside of the root.
        center: False leaves the mean in, as RMSNorm does: var is then the mean square, and the mean returned is 0.

    Returns:
        y with dtype and memory format of x; mean and var of size 1 along `axes`, var dividing by m. All three can be
        differentiated in reverse and in forward mode, any number of times.
    """
    function = NormalizeTraced if torch.compiler.is_compiling() else Normalize
    return function.apply(x, weight, bias, axes, eps, center)


def forward(input, weight, bias, axes, eps, center):
    x = wide(input)
    if torch.compiler.is_compiling() and center and x.dim() > 2:  # one pass over x; eagerly, two passes are faster
        var, mean = torch.var_mean(x, axes, correction=0, keepdim=True)
        centred = x - mean
    else:
        mean = _mean(x, axes) if center else None
        centred = x - mean if center else x.clone()
        var = _mean(centred.square(), axes)
    y = scale_and_shift_(centred, torch.rsqrt(var + eps), weight, bias, axes)
    return y.to(input.dtype), mean if center else torch.zeros_like(var), var


def backward(grad, grad_mean, grad_var, input, weight, bias, mean, var, axes, eps, center, needs_input=True):
    x = wide(input)
    g = torch.zeros_like(x) if grad is None else wide(grad)
    centred = x - mean if center else x
    rstd = torch.rsqrt(var + eps)
    grad_weight = grad_bias = None
    if _varies(weight, axes, x.dim()):  # layer normalization and its like: a weight for each of the m values
        grad_weight = (g * (centred * rstd)).sum_to_size(weight.shape).to(weight.dtype)
        grad_bias = None if bias is None else g.sum_to_size(bias.shape).to(bias.dtype)
        g, scale = g * wide(weight), rstd
        sum_g, sum_gx = _sum(g, axes), _sum(g * centred, axes)
    else:  # batch normalization: one weight for all m, so it waits outside of the sums
        sum_g, sum_gx = _sum(g, axes), _sum(g * centred, axes)
        grad_weight = None if weight is None else (sum_gx * rstd).sum_to_size(weight.shape).to(weight.dtype)
        grad_bias = None if bias is None else sum_g.sum_to_size(bias.shape).to(bias.dtype)
        scale = scale_of(rstd, weight)
    if not needs_input:
        return None, grad_weight, grad_bias
    m = x.numel() // var.numel()
    along_one = torch.zeros_like(scale) - sum_g / m if center else torch.zeros_like(scale)  # what mean takes away
    along_x = rstd.square() * sum_gx * (-1 / m)  # what var takes away
    grad_x = torch.addcmul(along_one, centred, along_x).add_(g).mul_(scale)
    if grad_var is not None:  # in second derivatives, and where somebody learns from the statistics
        grad_x = grad_x + centred * (grad_var * (2 / m))
    if grad_mean is not None and center:
        grad_x = grad_x + grad_mean / m
    return grad_x.to(input.dtype), grad_weight, grad_bias


def tangent(input_t, weight_t, bias_t, input, weight, mean, var, axes, eps, center):
    x, rstd = wide(input), torch.rsqrt(var + eps)
    x_hat = (x - mean) * rstd
    y_t, mean_t, var_t = torch.zeros_like(x), torch.zeros_like(mean), torch.zeros_like(var)
    if input_t is not None:
        t = wide(input_t)
        mean_t = t.mean(axes, keepdim=True) if center else mean_t
        along_x = (t * x_hat).mean(axes, keepdim=True)
        x_hat_t = rstd * (t - mean_t - x_hat * along_x)  # the same projection as in the backward pass
        y_t = x_hat_t if weight is None else x_hat_t * wide(weight)
        var_t = 2 * along_x / rstd
    y_t = y_t if weight_t is None else y_t + wide(weight_t) * x_hat
    y_t = y_t if bias_t is None else y_t + wide(bias_t)
    return y_t.to(input.dtype), mean_t, var_t


class NormalizeTraced(Function):
    """What torch.compile can trace: it refuses a Function that has a jvp."""

    @staticmethod
    def forward(input, weight, bias, axes, eps, center):
        return forward(input, weight, bias, axes, eps, center)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.set_materialize_grads(False)
        input, weight, bias, *ctx.options = inputs
        _, mean, var = output  # outputs, not intermediates: these have a history for second derivatives
        ctx.save_for_backward(input, weight, bias, mean, var)

    @staticmethod
    def backward(ctx, *grads):
        found = backward(*grads, *ctx.saved_tensors, *ctx.options, ctx.needs_input_grad[0])
        return *found, None, None, None


class Normalize(NormalizeTraced):
    """The same with forward-mode derivatives and vmap."""

    @staticmethod
    def setup_context(ctx, inputs, output):
        NormalizeTraced.setup_context(ctx, inputs, output)
        input, weight, *_ = inputs
        ctx.save_for_forward(input, weight, *output[1:])

    @staticmethod
    def jvp(ctx, input_t, weight_t, bias_t, *_):
        return tangent(input_t, weight_t, bias_t, *ctx.saved_tensors, *ctx.options)

    @staticmethod
    def vmap(info, in_dims, input, weight, bias, axes, eps, center):
        x, *others = in_front(info.batch_size, in_dims, input, weight, bias)
        axes = tuple(axis + 1 for axis in axes)  # one more axis, along which no statistics are taken
        return Normalize.apply(x, *others, axes, eps, center), (0, 0, 0)


# Function.apply asks for the signature at each call, and inspect is slow to find it anew
NormalizeTraced.forward.__signature__ = signature(NormalizeTraced.forward)


# ---- small parts


def wide(x: Tensor) -> Tensor:
    """Half precision as float32: a sum of squares overflows float16 at a mean of 300."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def _sum(x: Tensor, axes: Axes) -> Tensor:
    """x.sum(axes, keepdim=True); the columns of a matrix under torch.compile in blocks of rows that stay in the
    cache: its own loop walks down one column after the other, and was a fifth slower at (1024, 256)."""
    if torch.compiler.is_compiling() and axes == (0,) and x.dim() == 2 and x.shape[0] >= 64 and x.shape[0] % 8 == 0:
        return x.unflatten(0, (-1, 8)).sum(1).sum(0, keepdim=True)
    return x.sum(axes, keepdim=True)


def _mean(x: Tensor, axes: Axes) -> Tensor:
    total = _sum(x, axes)
    return total / (x.numel() // total.numel())


def scale_of(rstd: Tensor, weight: Tensor | None) -> Tensor:
    return rstd if weight is None else rstd * wide(weight)


def scale_and_shift_(centred: Tensor, rstd: Tensor, weight: Tensor | None, bias: Tensor | None, axes: Axes) -> Tensor:
    """centred * rstd * weight + bias, written over `centred`: a new tensor of that size costs more than the sums."""
    if _varies(weight, axes, centred.dim()):
        y = centred.mul_(rstd).mul_(wide(weight))
    else:
        y = centred.mul_(scale_of(rstd, weight))
    return y if bias is None else y.add_(wide(bias))


def _varies(weight: Tensor | None, axes: Axes, dims: int) -> bool:
    """Whether the weight differs along the axes of the statistics; if not, it can be kept out of the sums."""
    if weight is None:
        return False
    shape = (1,) * (dims - weight.dim()) + tuple(weight.shape)
    return any(shape[axis] > 1 for axis in axes)


def in_front(size: int, in_dims: tuple[int | None, ...], x: Tensor, *others: Tensor | None) -> list[Tensor | None]:
    """vmap's axis as the first of every tensor that has it, and of x in any case; the others broadcast against x."""
    x = x.expand(size, *x.shape) if in_dims[0] is None else x.movedim(in_dims[0], 0)
    moved = [x]
    for other, axis in zip(others, in_dims[1:], strict=False):
        if other is not None and axis is not None:
            other = other.movedim(axis, 0)
            other = other.reshape(size, *(1,) * (x.dim() - other.dim()), *other.shape[1:])
        moved.append(other)
    return moved
