"""What must hold of a layer and the batch normalization behind it, so that one can stand for both."""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from bnlib.norm.fold_flow import BATCH_NORM, Feed, hooks_of
from bnlib.norm.fold_weights import scale_and_shift
from bnlib.norm.layers import OwnForward

DIMENSIONS = {
    nn.Conv1d: 1,
    nn.Conv2d: 2,
    nn.Conv3d: 3,
    nn.ConvTranspose1d: 1,
    nn.ConvTranspose2d: 2,
    nn.ConvTranspose3d: 3,
    nn.Linear: 0,
}
NORM_DIMENSIONS = {nn.BatchNorm1d: 1, nn.BatchNorm2d: 2, nn.BatchNorm3d: 3}
FORWARDS = (BATCH_NORM.forward, nn.SyncBatchNorm.forward, OwnForward.forward)
HALF, WIDE = (torch.float16, torch.bfloat16), (torch.float32, torch.float64)


def obstacle(model: nn.Module, feed: Feed) -> str:
    """The first reason that forbids folding along `feed`, as a clause; empty if there is none."""
    return next(_obstacles(model, feed), "")


def _obstacles(model: nn.Module, feed: Feed) -> Iterator[str]:
    if feed.obstacle:
        yield feed.obstacle
        return
    first, last = feed.path[0], feed.path[-1]
    layer, norm = model.get_submodule(first), model.get_submodule(last)
    yield from _layer(first, layer)
    yield from _tensors(first, layer)
    yield from _tensors(last, norm)
    yield from _alone(model, first, layer)
    yield from _watched(model, feed.path)
    yield from _norm(last, norm)
    yield from _together(first, layer, last, norm, feed.axes)


def _watched(model: nn.Module, path: tuple[str, ...]) -> Iterator[str]:
    """Hooks see or change values: on the modules of the path, and on what holds one end of it but not the other."""
    holders = [{name.rsplit(".", depth)[0] for depth in range(name.count(".") + 1)} for name in path]
    for name in sorted(set.union(*holders) - set.intersection(*holders)):
        if any(hooks_of_kind for hooks_of_kind in hooks_of(model.get_submodule(name))):
            yield f"{name} has hooks, which would see other values"


def _layer(name: str, layer: nn.Module) -> Iterator[str]:
    kind = next((kind for kind in DIMENSIONS if isinstance(layer, kind)), None)
    methods = ("forward", "_conv_forward")
    own = kind is None or any(getattr(type(layer), m, None) is not getattr(kind, m, None) for m in methods)
    if own or any(m in vars(layer) for m in methods):
        yield f"{name} is a {type(layer).__name__} with a forward pass of its own"


def _tensors(name: str, module: nn.Module) -> Iterator[str]:
    """Parameters must be plain ones that hold values."""
    computed = is_parametrized(module) or any(key not in module._parameters for key in ("weight", "bias"))
    if computed:  # weight_norm, spectral_norm and pruning keep other parameters, and compute the weight from them
        yield f"the weight or bias of {name} is computed from other parameters; make it permanent first"
        return
    for tensor in (*module._parameters.values(), *module._buffers.values()):
        if tensor is None:
            continue
        if type(tensor) not in (nn.Parameter, Tensor):
            yield f"{name} holds a {type(tensor).__name__}, not a plain tensor"
        elif tensor.is_meta:
            yield f"{name} is on the meta device and has no values"


def _alone(model: nn.Module, name: str, module: nn.Module) -> Iterator[str]:
    """A layer's parameters must be the layer's alone: folded, they differ from what the other uses."""
    others = [other for other in model.modules() if other is not module]
    kept = {id(p) for p in module._parameters.values() if p is not None}
    if any(id(p) in kept for other in others for p in other._parameters.values()):
        yield f"{name} shares its parameters with another module"


def _norm(name: str, norm: BATCH_NORM) -> Iterator[str]:
    if norm.running_mean is None or norm.running_var is None:
        yield f"{name} has no running statistics and normalizes by the batch in prediction too"
    elif "forward" in vars(norm) or (type(norm).forward not in FORWARDS and not _is_affine(norm)):
        yield f"{name} is a {type(norm).__name__}, which does more in prediction than scale and shift"


def _is_affine(norm: BATCH_NORM) -> bool:
    """Whether a class of unknown code is a scale and a shift in prediction: asked with values of both signs."""
    asked = copy.deepcopy(norm).to(device="cpu", dtype=torch.float64)
    scale, shift = scale_and_shift(asked)
    for axes in (2, 4, 5):
        shape = (8, norm.num_features, *(2,) * (axes - 2))
        x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 3
        try:
            with torch.no_grad():
                y = asked(x)
        except (ValueError, RuntimeError):  # not this number of axes
            continue
        by_channel = (1, -1, *(1,) * (axes - 2))
        return torch.allclose(y, x * scale.view(by_channel) + shift.view(by_channel), rtol=1e-6, atol=1e-6)
    return False


def _together(first: str, layer: nn.Module, last: str, norm: BATCH_NORM, axes: int | None) -> Iterator[str]:
    dimensions = next(d for kind, d in DIMENSIONS.items() if isinstance(layer, kind))
    channels = layer.out_channels if dimensions else layer.out_features
    if norm.num_features != channels:
        yield f"{first} makes {channels} channels and {last} takes {norm.num_features}"
    expected = next((d for kind, d in NORM_DIMENSIONS.items() if isinstance(norm, kind)), None)
    if not dimensions:
        yield from _linear(first, last, axes)
    elif expected not in (None, dimensions) or axes not in (None, dimensions + 2):
        yield f"{last} doesn't take the channels of {first}, a {type(layer).__name__}, on axis 1"
    own, others = layer.weight.dtype, {t.dtype for t in _values(norm)}
    allowed = {own, torch.float32} if own in HALF else {own}
    if own not in HALF + WIDE or not others <= allowed:
        kinds = ", ".join(sorted(map(str, others)))
        yield f"the dtypes of {first} ({own}) and {last} ({kinds}) don't go together"
    if any(t.device != layer.weight.device for t in _values(norm)):
        yield f"{first} and {last} are on different devices"


def _linear(first: str, last: str, axes: int | None) -> Iterator[str]:
    """A linear layer has its features on the last axis, which is axis 1 of (N, C) and of nothing else."""
    if axes is None:
        yield f"the output of {first} may have more axes than (N, C), and its features elsewhere; pass example_input"
    elif axes != 2:
        yield f"{first} gives {axes} axes and has its features on the last one; {last} normalizes along axis 1"


def _values(norm: BATCH_NORM) -> list[Tensor]:
    return [t for t in (norm.weight, norm.bias, norm.running_mean, norm.running_var) if t is not None]
