"""Batch normalization as a function: what it accepts, which statistics normalize, and how the running ones move.

The arithmetic and its derivatives are in `bnlib.norm.normalization`; here it is given the axes of a batch.
"""

from collections.abc import Callable
from functools import cache
from types import FunctionType

import torch
import torch.nn.functional as F
from torch import Tensor

from bnlib.norm.given_statistics import kept, normalize_by
from bnlib.norm.normalization import normalize
from bnlib.norm.statistics import along_channels, reduced_axes, update_moving, values_per_channel

IMPLEMENTATIONS = ("explicit", "compiled", "native")


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float | Tensor = 0.1,
    eps: float = 1e-5,
    *,
    impl: str = "explicit",
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
        momentum: weight of the new value in the running statistics (not of the old one); a number or a 0-d tensor.
        eps: added to the variance, inside of the root.
        impl: "explicit" runs the formulas as they are written, "compiled" the same formulas through torch.compile,
            "native" torch's own kernels. Results agree but for rounding. Forward-mode derivatives and torch.func are
            the explicit form's; second derivatives raise in the compiled form, as in all that torch.compile makes.

    Returns:
        (N, C, *), dtype and memory format of `input`.

    Raises:
        ValueError: fewer than two axes; one value per channel in training, which has no variance; one running
            statistic without the other in training; an eps below 0, or 0 in training; an unknown impl.
        RuntimeError: running statistics missing in prediction, a vector that has not C elements, or dtypes
            that don't go together.
        NotImplementedError: integers or complex numbers.

    Source: Ioffe & Szegedy (2015), https://arxiv.org/abs/1502.03167.
    """
    check_impl(impl)
    check_arguments(input, running_mean, running_var, weight, bias, training)
    check_eps(eps, training)
    form = {"explicit": _explicit, "compiled": _compiled, "native": _native}[impl]
    return form(input, running_mean, running_var, weight, bias, training, momentum, eps)


def _explicit(input, running_mean, running_var, weight, bias, training, momentum, eps) -> Tensor:
    gamma, beta = along_channels(weight, input), along_channels(bias, input)
    if not training:
        mean, var = along_channels(running_mean, input), along_channels(running_var, input)
        return normalize_by(input, mean, var, gamma, beta, eps)
    if input.numel() == 0:  # no values: nothing to learn from, and gradients of zero
        zero = input.new_zeros(())
        return normalize_by(input, zero, zero, gamma, beta, eps)
    output, mean, var = normalize(input, reduced_axes(input), gamma, beta, eps)
    if running_mean is not None:
        m = values_per_channel(input)
        update_moving(running_mean, mean, momentum)
        update_moving(running_var, var * (m / (m - 1)), momentum)
    return output


def _compiled(*arguments) -> Tensor:
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        return _explicit(*arguments)  # the graph around it is being compiled already, or exported
    input, training = arguments[0], arguments[5]
    return _compiler(input.dim(), input.shape[1], training)(*arguments)


@cache
def _compiler(dims: int, channels: int, training: bool) -> Callable[..., Tensor]:
    """The compiled form for one kind of layer, made on first use: importing the compiler takes seconds.

    torch.compile stops compiling after 8 variants of one code object, and parameters of another size are another
    variant: a LeNet in training and evaluation has more. So every kind of layer gets a code object of its own.
    """
    code = _explicit.__code__.replace(co_name=f"batch_norm_{dims}d_{channels}_{'training' if training else 'eval'}")
    return torch.compile(FunctionType(code, globals()))


def _native(input, running_mean, running_var, weight, bias, training, momentum, eps) -> Tensor:
    """torch's kernels, kept from where they are wrong or stop.

    - Input and upstream gradient come in one layout: with two of them the gradient of torch 2.13 is wrong on a CPU
      for some strides, such as those of (N, L, C).transpose(1, 2).unsqueeze(-1).
    - Prediction goes by copies of the running statistics: a later training step moves them unseen by autograd, and
      the gradient of torch 2.13 is then that of the moved ones.
    - A momentum that is a tensor moves them by ours: the kernel takes a number, for which one would have to wait.
    """
    layout = _layout(input)
    input = input.contiguous(memory_format=layout)
    running, by_tensor = (running_mean, running_var), training and isinstance(momentum, Tensor)
    if not training and torch.is_grad_enabled() and not torch.jit.is_tracing():
        running = kept(running_mean), kept(running_var)
    elif by_tensor:
        running = tuple(None if v is None else v.clone() for v in running)
    step = 1.0 if by_tensor or not training else momentum  # 1: the copies become the batch's own statistics
    output = F.batch_norm(input, *running, weight, bias, training, step, eps)
    if by_tensor:
        for vector, new in zip((running_mean, running_var), running, strict=True):
            if vector is not None:
                update_moving(vector, new, momentum)
    if output.requires_grad:
        output.register_hook(lambda grad: grad.contiguous(memory_format=layout))
    return output


def _layout(input: Tensor) -> torch.memory_format:
    last = {4: torch.channels_last, 5: torch.channels_last_3d}.get(input.dim())
    if last is None or input.is_contiguous() or not input.is_contiguous(memory_format=last):
        return torch.contiguous_format
    return last


def check_impl(impl: str) -> str:
    """The name of a form of the operation, or ValueError."""
    if impl not in IMPLEMENTATIONS:
        raise ValueError(f"impl is {impl!r}; expected one of {', '.join(map(repr, IMPLEMENTATIONS))}.")
    return impl


def check_arguments(input, running_mean, running_var, weight, bias, training) -> None:
    """Refuse what has no meaning for a batch normalization over (N, C, *); errors as in `batch_norm`."""
    if input.dim() < 2:
        raise ValueError(
            f"batch_norm got an input of shape {tuple(input.shape)}; expected (N, C) or (N, C, *): a batch axis "
            "and a channel axis. Add the missing axis, for example with input.unsqueeze(0)."
        )
    check_floating("batch_norm", input)
    if not training and (running_mean is None or running_var is None):
        raise RuntimeError(
            "batch_norm got no running_mean or no running_var with training=False; expected both. Pass them, "
            "or normalize by the batch with training=True."
        )
    if (running_mean is None) != (running_var is None):
        raise ValueError(
            "batch_norm got one of running_mean and running_var; expected both or neither. Pass the other too."
        )
    if training and values_per_channel(input) == 1:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input of shape {tuple(input.shape)}: one "
            "value has no variance. Use a batch of at least 2, or prediction mode (model.eval())."
        )
    check_vectors({"running_mean": running_mean, "running_var": running_var, "weight": weight, "bias": bias}, input)


def check_floating(function: str, input: Tensor) -> None:
    """Refuse integers and complex numbers."""
    if not input.is_floating_point():
        raise NotImplementedError(
            f"{function} got an input of {input.dtype}; expected floating point. Convert it, for example with "
            "input.float(), or complex numbers with torch.view_as_real."
        )


def check_eps(eps: float, training: bool) -> None:
    """Refuse what could make a root of something negative, or divide a channel without variance by zero."""
    if eps < 0 or (training and eps == 0):
        expected = "a positive number in training" if training else "at least 0"
        raise ValueError(f"batch_norm got eps={eps}; expected {expected}. The default is 1e-5.")


def check_vectors(named: dict[str, Tensor | None], input: Tensor) -> None:
    """Refuse (C,) parameters and buffers that do not fit an input (N, C, *) in size or dtype."""
    for name, vector in named.items():
        if vector is not None:
            _check_vector(name, vector, input)


def _check_vector(name: str, vector: Tensor, input: Tensor) -> None:
    channels = input.shape[1]
    if vector.numel() != channels:
        raise RuntimeError(
            f"{name} should contain {channels} elements, one per channel of the input of shape "
            f"{tuple(input.shape)}, not {vector.numel()}. Build the layer with num_features={channels}."
        )
    half = input.dtype in (torch.float16, torch.bfloat16)
    if vector.dtype != input.dtype and not (half and vector.dtype == torch.float32):
        raise RuntimeError(
            f"{name} is {vector.dtype} beside an input of {input.dtype}; expected the input's dtype, or "
            f"float32 with a half-precision input. Convert one of them, for example input.to({vector.dtype})."
        )
