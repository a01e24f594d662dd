"""The one computation behind every normalization here, its forward beside its hand-derived derivatives.

All of them subtract a mean, divide by a standard deviation, scale and shift; they differ in which numbers share
their statistics. So everything below takes `axes`, those along which the statistics are taken: (0, 2, 3) for the
batch normalization of images, (1, 2, 3) for their layer normalization. Names follow Ioffe & Szegedy (2015), algorithm
1: with m values along `axes`,

    mean = Σ x / m      var = Σ (x - mean)² / m      rstd = 1 / sqrt(var + eps)      y = (x - mean) rstd weight + bias

The backward pass is derived in chapter 02. It takes x and two numbers for each group of m, so x itself is all of its
size that is kept until then.
"""

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


def normalize_by(
    x: Tensor, mean: Tensor, var: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensor:
    """Normalize by given statistics: an affine map of x.

    Args:
        mean, var: whatever broadcasts against x; constants, wherever they came from. Copied where a gradient will
            need them, so that changing them afterwards does no harm.
        x, weight, bias, eps: as in `normalize`.
    """
    function = NormalizeByTraced if torch.compiler.is_compiling() else NormalizeBy
    return function.apply(x, weight, bias, *constants(mean, var), eps)


# ---- by the statistics along the axes


def forward(input, weight, bias, axes, eps, center):
    x = wide(input)
    mean = x.mean(axes, keepdim=True) if center else None
    centred = x - mean if center else x
    var = centred.square().mean(axes, keepdim=True)
    y = _scale_and_shift(centred, torch.rsqrt(var + eps), weight, bias, axes)
    return y.to(input.dtype), mean if center else torch.zeros_like(var), var


def backward(grad, grad_mean, grad_var, input, weight, bias, mean, var, axes, eps, center, needs_input=True):
    x, g = wide(input), wide(grad)
    centred = x - mean if center else x
    rstd = torch.rsqrt(var + eps)
    m = x.numel() // var.numel()
    grad_weight = grad_bias = grad_input = None
    if _varies(weight, axes, x.dim()):  # layer normalization and its like: a weight for each of the m
        grad_weight = (g * (centred * rstd)).sum_to_size(weight.shape)
        grad_bias = None if bias is None else g.sum_to_size(bias.shape)
        g, scale = g * wide(weight), rstd
        sum_g, sum_gx = g.sum(axes, keepdim=True), (g * centred).sum(axes, keepdim=True)
    else:  # batch normalization: one weight for all m, so it waits outside of the sums
        sum_g, sum_gx = g.sum(axes, keepdim=True), (g * centred).sum(axes, keepdim=True)
        grad_weight = None if weight is None else (sum_gx * rstd).sum_to_size(weight.shape)
        grad_bias = None if bias is None else sum_g.sum_to_size(bias.shape)
        scale = rstd if weight is None else rstd * wide(weight)
    if needs_input:
        along_x = scale * rstd.square() * sum_gx / m - grad_var * (2 / m)  # what var takes away, and its own gradient
        along_one = (scale * sum_g - grad_mean) / m if center else torch.zeros_like(along_x)  # likewise for mean
        grad_input = torch.addcmul(torch.addcmul(-along_one, centred, -along_x), g, scale).to(input.dtype)
    return grad_input, _as(weight, grad_weight), _as(bias, grad_bias)


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
        input, weight, bias, *ctx.options = inputs
        _, mean, var = output  # outputs, not intermediates: these have a history for second derivatives
        ctx.save_for_backward(input, weight, bias, mean, var)

    @staticmethod
    def backward(ctx, *grads):
        found = backward(*grads, *ctx.saved_tensors, *ctx.options, ctx.needs_input_grad[0])
        return *found, None, None, None


class Normalize(NormalizeTraced):
    """The same with forward-mode derivatives and vmap."""

    generate_vmap_rule = True

    @staticmethod
    def setup_context(ctx, inputs, output):
        NormalizeTraced.setup_context(ctx, inputs, output)
        input, weight, bias, *_ = inputs
        ctx.save_for_forward(input, weight, *output[1:])

    @staticmethod
    def jvp(ctx, input_t, weight_t, bias_t, *_):
        return tangent(input_t, weight_t, bias_t, *ctx.saved_tensors, *ctx.options)


# ---- by given statistics


def forward_by(input, weight, bias, mean, var, eps):
    x = wide(input)
    return _scale_and_shift(x - wide(mean), torch.rsqrt(wide(var) + eps), weight, bias, ()).to(input.dtype)


def backward_by(grad, input, weight, bias, mean, var, eps, needs_input=True):
    x, g = wide(input), wide(grad)
    rstd = torch.rsqrt(wide(var) + eps)
    grad_weight = None if weight is None else (g * ((x - wide(mean)) * rstd)).sum_to_size(weight.shape)
    grad_bias = None if bias is None else g.sum_to_size(bias.shape)
    grad_input = (g * _scale(rstd, weight)).to(input.dtype) if needs_input else None
    return grad_input, _as(weight, grad_weight), _as(bias, grad_bias)


def tangent_by(input_t, weight_t, bias_t, input, weight, mean, var, eps):
    x, rstd = wide(input), torch.rsqrt(wide(var) + eps)
    y_t = torch.zeros_like(x) if input_t is None else wide(input_t) * _scale(rstd, weight)
    y_t = y_t if weight_t is None else y_t + wide(weight_t) * ((x - wide(mean)) * rstd)
    return (y_t if bias_t is None else y_t + wide(bias_t)).to(input.dtype)


class NormalizeByTraced(Function):
    """What torch.compile can trace."""

    @staticmethod
    def forward(input, weight, bias, mean, var, eps):
        return forward_by(input, weight, bias, mean, var, eps)

    @staticmethod
    def setup_context(ctx, inputs, output):
        *tensors, ctx.eps = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx, grad):
        return *backward_by(grad, *ctx.saved_tensors, ctx.eps, ctx.needs_input_grad[0]), None, None, None


class NormalizeBy(NormalizeByTraced):
    """The same with forward-mode derivatives and vmap."""

    generate_vmap_rule = True

    @staticmethod
    def setup_context(ctx, inputs, output):
        NormalizeByTraced.setup_context(ctx, inputs, output)
        input, weight, _, mean, var, _ = inputs
        ctx.save_for_forward(input, weight, mean, var)

    @staticmethod
    def jvp(ctx, input_t, weight_t, bias_t, *_):
        return tangent_by(input_t, weight_t, bias_t, *ctx.saved_tensors, ctx.eps)


# ---- small parts


def wide(x: Tensor) -> Tensor:
    """Half precision as float32: a sum of squares overflows float16 at a mean of 300."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def constants(*statistics: Tensor) -> tuple[Tensor, ...]:
    """Given statistics as constants, copied where a backward pass will look at them again."""
    kept = torch.is_grad_enabled()
    return tuple(s.detach().clone() if kept else s.detach() for s in statistics)


def _scale(rstd: Tensor, weight: Tensor | None) -> Tensor:
    return rstd if weight is None else rstd * wide(weight)


def _scale_and_shift(centred: Tensor, rstd: Tensor, weight: Tensor | None, bias: Tensor | None, axes: Axes) -> Tensor:
    if _varies(weight, axes, centred.dim()):
        centred, scale = centred * rstd, wide(weight)
    else:
        scale = _scale(rstd, weight)
    return centred * scale if bias is None else torch.addcmul(wide(bias), centred, scale)


def _varies(weight: Tensor | None, axes: Axes, dims: int) -> bool:
    """Whether the weight differs along the axes of the statistics; if not, it can be kept out of the sums."""
    if weight is None:
        return False
    shape = (1,) * (dims - weight.dim()) + tuple(weight.shape)
    return any(shape[axis] > 1 for axis in axes)


def _as(parameter: Tensor | None, grad: Tensor | None) -> Tensor | None:
    return None if grad is None else grad.to(parameter.dtype)
