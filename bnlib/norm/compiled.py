"""The formulas of `bnlib.norm.normalization`, forward and backward compiled to one kernel each by torch.compile.

The first call of a kind compiles for seconds and needs a C++ compiler (on a GPU, Triton).
"""

from functools import cache

import torch
from torch import Tensor

from bnlib.norm import normalization
from bnlib.norm.normalization import Axes, NormalizeByTraced, NormalizeTraced


def normalize(
    x: Tensor, axes: Axes, weight: Tensor | None, bias: Tensor | None, eps: float, center: bool = True
) -> tuple[Tensor, Tensor, Tensor]:
    """As `normalization.normalize`."""
    function = NormalizeTraced if torch.compiler.is_compiling() else NormalizeCompiled
    return function.apply(x, weight, bias, axes, eps, center)


def normalize_by(
    x: Tensor, mean: Tensor, var: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensor:
    """As `normalization.normalize_by`."""
    function = NormalizeByTraced if torch.compiler.is_compiling() else NormalizeByCompiled
    return function.apply(x, weight, bias, *normalization.constants(mean, var), eps)


class NormalizeCompiled(NormalizeTraced):
    """`normalization.Normalize`, compiled."""

    @staticmethod
    def forward(*args):
        return _compiled("forward")(*args)

    @staticmethod
    def backward(ctx, *grads):
        args = (*grads, *ctx.saved_tensors, *ctx.options, ctx.needs_input_grad[0])
        return *_compiled("backward")(*args), None, None, None


class NormalizeByCompiled(NormalizeByTraced):
    """`normalization.NormalizeBy`, compiled."""

    @staticmethod
    def forward(*args):
        return _compiled("forward_by")(*args)

    @staticmethod
    def backward(ctx, grad):
        args = (grad, *ctx.saved_tensors, ctx.eps, ctx.needs_input_grad[0])
        return *_compiled("backward_by")(*args), None, None, None


@cache
def _compiled(name: str):
    return torch.compile(getattr(normalization, name))  # on first use: importing the compiler takes seconds
