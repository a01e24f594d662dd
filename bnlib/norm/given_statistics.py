"""Normalization by statistics that are given, as in prediction: an affine map of x, and its derivatives.

    y = (x - mean) rstd weight + bias      with      rstd = 1 / sqrt(var + eps)

Nothing depends on other values of x, so the gradient is the upstream one times rstd and weight.
"""

from inspect import signature

import torch
from torch import Tensor
from torch.autograd import Function

from bnlib.norm.normalization import in_front, scale_and_shift_, scale_of, wide


def normalize_by(
    x: Tensor, mean: Tensor, var: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensor:
    """Normalize by given statistics: an affine map of x.

    Args:
        mean, var: whatever broadcasts against x; constants, wherever they came from. Copied where a gradient will
            need them, so that changing them afterwards does no harm.
        x, weight, bias, eps: as in `normalize`.
    """
    if torch.jit.is_tracing():  # which records operations and no Function; prediction is what it is used for
        return forward_by(x, weight, bias, mean.detach(), var.detach(), eps)
    function = NormalizeByTraced if torch.compiler.is_compiling() else NormalizeBy
    mean, var = mean.detach(), var.detach()
    if torch.is_grad_enabled():
        mean, var = kept(mean), kept(var)
    return function.apply(x, weight, bias, mean, var, eps)


def forward_by(input, weight, bias, mean, var, eps):
    centred = wide(input) - wide(mean)
    return scale_and_shift_(centred, torch.rsqrt(wide(var) + eps), weight, bias, ()).to(input.dtype)


def backward_by(grad, input, weight, bias, mean, var, eps, needs_input=True):
    g, rstd = wide(grad), torch.rsqrt(wide(var) + eps)
    grad_weight = grad_bias = None
    if weight is not None:
        grad_weight = (g * ((wide(input) - wide(mean)) * rstd)).sum_to_size(weight.shape).to(weight.dtype)
    if bias is not None:
        grad_bias = g.sum_to_size(bias.shape).to(bias.dtype)
    return (g * scale_of(rstd, weight)).to(input.dtype) if needs_input else None, grad_weight, grad_bias


def tangent_by(input_t, weight_t, bias_t, input, weight, mean, var, eps):
    x, rstd = wide(input), torch.rsqrt(wide(var) + eps)
    y_t = torch.zeros_like(x) if input_t is None else wide(input_t) * scale_of(rstd, weight)
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

    @staticmethod
    def setup_context(ctx, inputs, output):
        NormalizeByTraced.setup_context(ctx, inputs, output)
        input, weight, _, mean, var, _ = inputs
        ctx.save_for_forward(input, weight, mean, var)

    @staticmethod
    def jvp(ctx, input_t, weight_t, bias_t, *_):
        return tangent_by(input_t, weight_t, bias_t, *ctx.saved_tensors, ctx.eps)

    @staticmethod
    def vmap(info, in_dims, input, weight, bias, mean, var, eps):
        return NormalizeBy.apply(*in_front(info.batch_size, in_dims, input, weight, bias, mean, var), eps), 0


NormalizeByTraced.forward.__signature__ = signature(NormalizeByTraced.forward)


@torch.library.custom_op("bnlib::kept", mutates_args=())
def _opaque_clone(x: Tensor) -> Tensor:
    return x.clone()


_opaque_clone.register_fake(torch.empty_like)
_opaque_clone.register_vmap(lambda info, in_dims, x: (_opaque_clone(x), in_dims[0]))


def kept(x: Tensor) -> Tensor:
    """A copy of x for the backward pass, which stays what it is when x changes.

    Under torch.compile a clone is no such thing: the backward graph computes anew what is cheap, and takes buffers as
    it finds them. What comes from statistics that have moved meanwhile would come out wrong without a word (torch
    2.13, pytorch 197039). The result of an operation that it cannot look into is kept instead.
    """
    opaque = torch.compiler.is_compiling() and not _exporting()  # an exported graph has no backward pass
    return _opaque_clone(x) if opaque else x.clone()


_exporting = getattr(torch.compiler, "is_exporting", lambda: False)  # since torch 2.7
