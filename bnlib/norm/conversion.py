"""Exchange the normalization layers of a model for others that hold the very same parameters and buffers."""

from collections.abc import Callable

from torch import nn

from bnlib.norm.layers import OwnForward


def replace_layers(module: nn.Module, kinds: tuple[type, ...], build: Callable[[nn.Module], nn.Module]) -> nn.Module:
    """`module` with every layer of `kinds` replaced by build(layer), wherever it stands."""
    if isinstance(module, kinds):
        return build(module)
    built = {}
    for name, layer in list(module.named_modules(remove_duplicate=False)):
        if isinstance(layer, kinds):
            if layer not in built:
                built[layer] = build(layer)
            module.set_submodule(name, built[layer])
    return module


def with_state_of(layer: nn.Module, cls: type[nn.Module]) -> nn.Module:
    """A `cls` with the options, the very tensors and the mode of `layer`."""
    options = (layer.num_features, layer.eps, layer.momentum, layer.affine, layer.track_running_stats)
    new = cls(*options, device="meta")
    for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked", "training"):
        setattr(new, name, getattr(layer, name))
    if isinstance(new, OwnForward):
        new.impl = getattr(layer, "impl", new.impl)
    return new
