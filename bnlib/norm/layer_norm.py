"""Layer normalization and root mean square normalization: each sample by its own statistics, over its last axes.

Nothing depends on the batch, so training and prediction are one, and there are no running statistics.
"""

import torch
from torch import Tensor, nn

from bnlib.norm.functional import check_floating
from bnlib.norm.given_statistics import normalize_by
from bnlib.norm.normalization import normalize


def layer_norm(
    input: Tensor,
    normalized_shape: tuple[int, ...] | list[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalize over the last axes, then scale and shift; torch.nn.functional.layer_norm's meaning.

        y = (x - mean) / sqrt(var + eps) * weight + bias

    mean and var are taken over the last len(normalized_shape) axes, for each sample; var divides by their number
    of values. weight and bias have an element for each of these.

    Args:
        input: (*, *normalized_shape). Half precision is computed in float32 and returned in half precision.
        normalized_shape: the last sizes of input's shape, at least one.
        weight, bias: of normalized_shape; None for 1 and 0.
        eps: added to the variance, inside of the root.

    Returns:
        The shape, dtype and memory format of `input`.

    Raises:
        TypeError: a normalized_shape that is no tuple or list.
        RuntimeError: a normalized_shape that is empty or not how input's shape ends, a weight or bias of another
            shape, or dtypes that don't go together.
        NotImplementedError: integers or complex numbers.

    Source: Ba, Kiros, Hinton (2016), https://arxiv.org/abs/1607.06450.
    """
    axes = _last_axes("layer_norm", input, normalized_shape, weight, bias)
    for name, parameter in (("weight", weight), ("bias", bias)):
        _check_dtype(name, parameter, input)
    if weight is None and bias is not None:  # the bias varies along the axes, so the weight has to
        weight = torch.ones_like(bias)
    if input.numel() == 0:
        return _empty(input, weight, bias, eps)
    return normalize(input, axes, weight, bias, eps)[0]


def rms_norm(
    input: Tensor,
    normalized_shape: tuple[int, ...] | list[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """Divide by the root mean square over the last axes, then scale; torch.nn.functional.rms_norm's meaning.

        y = x / sqrt(Σ x² / n + eps) * weight

    Layer normalization that leaves the mean in, and has no bias; n is the number of values of normalized_shape.

    Args:
        input, normalized_shape, weight: as in `layer_norm`; as in torch, weight may be of any floating dtype.
        eps: added to the mean square, inside of the root; None for the machine epsilon of the dtype that is computed
            in, 1.2e-7 (float32, also for half precision) or 2.2e-16 (float64).

    Returns:
        The shape, dtype and memory format of `input`.

    Raises:
        TypeError, RuntimeError, NotImplementedError: as `layer_norm` does.

    Source: Zhang & Sennrich (2019), https://arxiv.org/abs/1910.07467.
    """
    axes = _last_axes("rms_norm", input, normalized_shape, weight)
    if eps is None:
        eps = torch.finfo(torch.promote_types(input.dtype, torch.float32)).eps
    if input.numel() == 0:
        return _empty(input, weight, None, eps)
    return normalize(input, axes, weight, None, eps, center=False)[0]


class LayerNorm(nn.LayerNorm):
    """Layer normalization over the last axes, by `layer_norm`.

        y = (x - mean) / sqrt(var + eps) * weight + bias

    Arguments, state_dict and behaviour are torch.nn.LayerNorm's: normalized_shape (an int for one axis), eps,
    elementwise_affine (weight and, unless bias is False, bias of normalized_shape), device, dtype.

    Raises:
        RuntimeError: an input whose shape doesn't end in normalized_shape.
    """

    def forward(self, input: Tensor) -> Tensor:
        return layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)


class RMSNorm(nn.RMSNorm):
    """Root mean square normalization over the last axes, by `rms_norm`.

        y = x / sqrt(Σ x² / n + eps) * weight

    Arguments, state_dict and behaviour are torch.nn.RMSNorm's: normalized_shape (an int for one axis), eps (None
    for the machine epsilon), elementwise_affine (weight of normalized_shape), device, dtype.

    Raises:
        RuntimeError: an input whose shape doesn't end in normalized_shape.
    """

    def forward(self, x: Tensor) -> Tensor:
        return rms_norm(x, self.normalized_shape, self.weight, self.eps)


def _last_axes(function: str, input: Tensor, normalized_shape, *parameters: Tensor | None) -> tuple[int, ...]:
    """The axes that normalized_shape names, once it is known to fit."""
    if not isinstance(normalized_shape, tuple | list):
        raise TypeError(
            f"{function} got a normalized_shape of type {type(normalized_shape).__name__}; expected a tuple or list "
            f"of ints. For the last axis alone pass ({normalized_shape},)."
        )
    check_floating(function, input)
    shape, given = tuple(input.shape), tuple(normalized_shape)
    if not given or len(given) > len(shape) or shape[-len(given) :] != given:
        raise RuntimeError(
            f"{function} got normalized_shape={list(given)} with an input of shape {shape}; expected the last sizes "
            "of that shape, at least one. Pass them, for example input.shape[-1:]."
        )
    for name, parameter in zip(("weight", "bias"), parameters, strict=False):
        if parameter is not None and tuple(parameter.shape) != given:
            raise RuntimeError(
                f"{function} got a {name} of shape {tuple(parameter.shape)} with normalized_shape={list(given)}; "
                "expected the same shape. Reshape one of them."
            )
    return tuple(range(len(shape) - len(given), len(shape)))


def _check_dtype(name: str, parameter: Tensor | None, input: Tensor) -> None:
    half = input.dtype in (torch.float16, torch.bfloat16)
    if parameter is None or parameter.dtype == input.dtype or (half and parameter.dtype == torch.float32):
        return
    raise RuntimeError(
        f"layer_norm got a {name} of {parameter.dtype} beside an input of {input.dtype}; expected the input's dtype, "
        f"or float32 with a half-precision input. Convert one of them, for example input.to({parameter.dtype})."
    )


def _empty(input: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """No values, no statistics; gradients of zero."""
    zero = input.new_zeros(())
    return normalize_by(input, zero, zero, weight, bias, eps)
