"""The formulas of folding: a layer's weight and bias with the batch normalization behind it worked in.

Prediction mode normalizes by constants, so batch normalization is one multiplication and one addition per channel,

    y = (z - mean) / sqrt(var + eps) * gamma + beta = z * scale + (beta - mean * scale)
    scale = gamma / sqrt(var + eps)

and what makes z, a convolution or a linear layer, is linear in its weight and bias: z = W * x + b. Together

    y = W' * x + b'        W' = W scale        b' = (b - mean) * scale + beta

with each channel's scale on the part of W that makes this output channel.
"""

import torch
from torch import Tensor, nn


def scale_and_shift(norm: nn.modules.batchnorm._BatchNorm) -> tuple[Tensor, Tensor]:
    """What a batch normalization in prediction mode multiplies by and adds.

        scale = weight / sqrt(running_var + eps)        shift = bias - running_mean * scale

    Returns:
        scale (C,) and shift (C,), float64 on the CPU, without history.
    """
    scale = torch.rsqrt(exact(norm.running_var) + norm.eps)
    if norm.weight is not None:
        scale = scale * exact(norm.weight)
    shift = -exact(norm.running_mean) * scale
    return scale, shift if norm.bias is None else shift + exact(norm.bias)


def folded_weight_and_bias(layer: nn.Module, scale: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
    """Weight and bias of a layer that does what `layer`, then `* scale + shift` on its output channels, do.

        W' = W scale        b' = b * scale + shift

    Args:
        layer: a convolution of one to three dimensions, transposed or not, or a linear layer; unchanged.
        scale, shift: (C,), one number per output channel, float64.

    Returns:
        W' in the shape, memory format and device of layer.weight, b' (C,); both computed in float64 and rounded
        once to the dtype of layer.weight.
    """
    weight, bias = layer.weight, layer.bias
    folded = exact(weight) * along_outputs(scale, layer)
    shifted = shift if bias is None else exact(bias) * scale + shift
    empty = torch.empty_like(weight, requires_grad=False)
    return empty.copy_(folded), shifted.to(device=weight.device, dtype=weight.dtype)


def along_outputs(scale: Tensor, layer: nn.Module) -> Tensor:
    """View or expand a (C,) vector so that it multiplies layer.weight along the output channels.

    A convolution keeps its weight as (out, in / groups, *kernel) and a linear layer as (out, in): axis 0. A transposed
    convolution keeps (in, out / groups, *kernel): row i lies in group i // (in / groups), and in group g column j
    makes output channel g * out / groups + j.
    """
    kernel = (1,) * (layer.weight.dim() - 2)
    if not getattr(layer, "transposed", False):
        return scale.view(-1, 1, *kernel)
    inputs, outputs = layer.weight.shape[:2]
    by_group = scale.view(layer.groups, 1, outputs)
    return by_group.expand(-1, inputs // layer.groups, -1).reshape(inputs, outputs, *kernel)


def exact(x: Tensor) -> Tensor:
    """float64 on the CPU: an accelerator may have none."""
    return x.detach().to(device="cpu", dtype=torch.float64)
