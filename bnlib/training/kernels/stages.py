"""LeNet on the loops of stage.cpp: which models they fit, and one autograd.Function for either stage.

The model keeps its parameters and buffers; the loops read them, and gradients reach them through autograd. Inside,
eight images stand side by side: a tensor is (groups, channels, rows, columns, 8), the last group filled up with zeros.
"""

import ctypes
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from bnlib.language import message
from bnlib.norm import BatchNorm2d
from bnlib.norm.layers import recomputing
from bnlib.norm.statistics import update_moving
from bnlib.training.kernels.build import SHAPES, BuildError, libraries, parallel, threads
from bnlib.training.lenet import LeNet

LANES = 8
PLAIN = ["conv1", "sigmoid1", "pool1", "conv2", "sigmoid2", "pool2"]
NORMED = ["conv1", "norm1", "sigmoid1", "pool1", "conv2", "norm2", "sigmoid2", "pool2"]
LAYERS = {  # kind, and how it prints its options
    "conv1": (nn.Conv2d, "1, 6, kernel_size=(5, 5), stride=(1, 1)"),
    "conv2": (nn.Conv2d, "6, 16, kernel_size=(5, 5), stride=(1, 1)"),
    "sigmoid": (nn.Sigmoid, ""),
    "pool": (nn.AvgPool2d, "kernel_size=2, stride=2, padding=0"),
}
HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")


def accelerate(model: LeNet) -> Callable[[Tensor], Tensor]:
    """A function that computes what the model computes, its convolutional stages by the C++ loops.

    It shares the model's parameters, buffers and modes: backward() fills the model's gradients, and in training the
    running statistics move as the layers move them. What the loops don't cover is left to the model itself: images
    that want a gradient, are not float32 on a CPU or not (N, 1, 28, 28) with N > 0, and whatever `reason_against` says
    of the model by then. Equal inputs give equal bits in the stages, whatever the number of threads
    (torch.get_num_threads()); second derivatives are refused.

    Returns:
        A function from images (N, 1, 28, 28) to logits (N, num_classes).

    Raises:
        RuntimeError: with the sentence of `reason_against`, where there is one.
    """
    if reason := reason_against(model):
        raise RuntimeError(reason)

    def forward(images: Tensor) -> Tensor:
        n = len(images)
        covered = images.dtype == torch.float32 and images.device.type == "cpu" and images.shape[1:] == (1, 28, 28)
        if not covered or n == 0 or images.requires_grad or _misfit(model):
            return model(images)
        x = F.pad(images.reshape(n, 784), (0, 0, 0, -n % LANES)).view(-1, LANES, 784)
        x = x.mT.contiguous()  # (groups, 784, 8)
        for i in (0, 1):
            conv, norm = model.get_submodule(f"conv{i + 1}"), getattr(model, f"norm{i + 1}", None)
            gamma, beta = (norm.weight, norm.bias) if norm else (torch.ones(SHAPES[i][1]), torch.zeros(SHAPES[i][1]))
            parameters = (tensor.contiguous() for tensor in (conv.weight, conv.bias, gamma, beta))
            x = _Stage.apply(x, *parameters, i, n, norm)
        x = x.view(-1, 256, LANES).mT.reshape(-1, 256)[:n]  # flattened: (N, 256)
        layers = list(model.children())
        for layer in layers[layers.index(model.pool2) + 1 :]:
            x = layer(x)
        return x

    return forward


def reason_against(model: nn.Module) -> str | None:
    """Why the model can't run on the loops, in one sentence of the current language; None where it can.

    They are for a LeNet whose two stages are as LeNet builds them, without hooks, in float32 on a CPU, with torch's or
    bnlib's BatchNorm2d (scaled, shifted, running statistics tracked) or with none; and they need a C++ compiler.
    """
    if reason := _misfit(model):
        return reason
    built = libraries()
    return message(built.key, **built.fields) if isinstance(built, BuildError) else None


def _misfit(model: nn.Module) -> str | None:
    """The part of the reason that lies in the model; asked before each pass, as hooks come and go."""
    if type(model) is not LeNet:
        return message("kernels.model", kind=type(model).__name__)
    layers = model._modules
    names = [name for name in NORMED if name in layers]
    if list(layers)[: len(names)] != names or names not in (PLAIN, NORMED):
        return message("kernels.order", got=", ".join(layers))
    for name, layer in [("LeNet", model), *((name, layers[name]) for name in names)]:
        if any(getattr(layer, hooks) for hooks in HOOKS):
            return message("kernels.hooks", name=name)
        if layer is not model and not _is_as_built(name, layer):
            return message("kernels.layer", name=name, got=repr(layer))
        for tensor in (*layer._parameters.values(), *layer._buffers.values()):
            if not tensor.is_cpu or tensor.dtype not in (torch.float32, torch.int64):  # int64: the count of batches
                return message("kernels.tensors", name=name, dtype=tensor.dtype, device=tensor.device)
    return None


def _is_as_built(name: str, layer: nn.Module) -> bool:
    if "norm" not in name:
        kind, options = LAYERS[name if name in LAYERS else name[:-1]]
        divisor = getattr(layer, "divisor_override", None)  # of a pooling layer, which doesn't print it
        return type(layer) is kind and layer.extra_repr() == options and divisor is None
    if type(layer) not in (nn.BatchNorm2d, BatchNorm2d) or not layer.track_running_stats:
        return False
    complete = all(tensor is not None for tensor in (*layer._parameters.values(), *layer._buffers.values()))
    return complete and layer.num_features == SHAPES[int(name[-1]) - 1][1]


class _Stage(torch.autograd.Function):
    """Convolution, normalization, sigmoid and pooling of n images; norm is the layer, or None."""

    @staticmethod
    def forward(ctx, x, weight, bias, gamma, beta, i, n, norm):
        _, channels, rows = SHAPES[i]
        y = x.new_empty(len(x), channels, rows, rows, LANES)
        sums = x.new_empty(len(x), 2, channels, LANES)
        _run(i, "convolve", n, x, weight, bias, y, sums)
        ctx.m = n * rows**2 if norm and norm.training else math.inf  # values that share mean and var; constants: ∞
        if norm is None:
            mean, rstd = torch.zeros(channels), torch.ones(channels)
        elif norm.training:
            own, squares = _by_image(sums, n) / rows**2  # mean and variance of each image, (channels, n)
            mean = own.mean(1)
            var = squares.mean(1) + (own - mean[:, None]).square().mean(1)  # within the images, and between them
            _update(norm, mean, var * (ctx.m / (ctx.m - 1)))
            mean, rstd = mean.float(), (var + norm.eps).rsqrt().float()
        else:
            mean, rstd = norm.running_mean.clone(), (norm.running_var + norm.eps).rsqrt()
        scale = gamma * rstd
        p = x.new_empty(len(x), channels, rows // 2, rows // 2, LANES)
        _run(i, "activate", n, y, mean, scale, beta, p)
        ctx.save_for_backward(x, weight, y, mean, rstd, scale, beta)
        ctx.i, ctx.n = i, n
        return p

    @staticmethod
    @once_differentiable
    def backward(ctx, dp):
        x, weight, y, mean, rstd, scale, beta = ctx.saved_tensors
        g, sums = torch.empty_like(y), x.new_empty(len(x), 2, len(mean), LANES)
        _run(ctx.i, "activate_backward", ctx.n, dp.contiguous(), y, mean, scale, beta, g, sums)
        sum_g, sum_gy = _by_image(sums, ctx.n).sum(2)  # Σ g and Σ g (y - mean), in float64
        along_one, along_y = (sum_g / ctx.m).float(), (sum_gy / ctx.m * rstd.double().square()).float()
        dx, dw = torch.empty_like(x) if ctx.needs_input_grad[0] else None, torch.empty_like(weight)
        _run(ctx.i, "convolve_backward", ctx.n, g, y, mean, scale, along_one, along_y, x, weight, dw, dx)
        db = torch.zeros_like(scale) if ctx.m < math.inf else (sum_g * scale).float()  # the mean takes a shift away
        return dx, dw, db, (sum_gy * rstd).float(), sum_g.float(), None, None, None


def _run(i: int, step: str, n: int, *tensors: Tensor | None) -> None:
    pointers = [None if tensor is None else ctypes.c_void_p(tensor.data_ptr()) for tensor in tensors]
    getattr(libraries()[i], step)(n, threads(), parallel(), *pointers)


def _by_image(sums: Tensor, n: int) -> Tensor:
    """(groups, 2, channels, 8) as (2, channels, n) in float64, without the lanes that hold no image."""
    return sums.permute(1, 2, 0, 3).flatten(2)[..., :n].double()


def _update(norm: nn.BatchNorm2d, mean: Tensor, var: Tensor) -> None:
    """Move the running statistics as the layer itself does."""
    if isinstance(norm, BatchNorm2d) and recomputing():
        return
    norm.num_batches_tracked.add_(1)
    momentum = 1 / norm.num_batches_tracked.item() if norm.momentum is None else norm.momentum
    update_moving(norm.running_mean, mean.float(), momentum)
    update_moving(norm.running_var, var.float(), momentum)
