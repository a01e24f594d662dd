"""What is said of the flow of data around a batch normalization, and the means to look at it.

A layer may take over a batch normalization only if its output goes there and nowhere else. The order in which a model
lists its modules doesn't say so; the flow of data does. `fold_traced` reads it from the code, `fold_observed` from
one run; both answer with a `Feed` for every batch normalization.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn

LAYERS = (nn.modules.conv._ConvNd, nn.Linear)
BATCH_NORM = nn.modules.batchnorm._BatchNorm
# what leaves every value alone in prediction mode; exact types, a derived class may do more
PASSING = (
    nn.Identity,
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.AlphaDropout,
    nn.FeatureAlphaDropout,
)


@dataclass(frozen=True)
class Feed:
    """How one batch normalization is fed.

    Attributes:
        path: names of the modules from the feeding layer to the batch normalization, both included; what lies
            between them only passes values on. Shorter, or the name alone, where no layer feeds it directly.
        axes: number of axes of what enters, None where the code doesn't say.
        obstacle: why nothing can be folded here, empty if the flow allows it.
    """

    path: tuple[str, ...]
    axes: int | None = None
    obstacle: str = ""


def batch_norms(model: nn.Module) -> dict[str, BATCH_NORM]:
    """The batch normalization layers of a model by name, each once."""
    return {name: module for name, module in model.named_modules() if isinstance(module, BATCH_NORM)}


def skeleton(model: nn.Module) -> nn.Module:
    """A copy that shares its parameters with the model and has no hooks: to look at, not to keep."""
    sketch = duplicate(model, {id(p): p for p in model.parameters()})
    for module in sketch.modules():
        for hooks in hooks_of(module):
            hooks.clear()
        parameter = next(module.parameters(recurse=False), None)
        for name, value in list(vars(module).items()):
            if isinstance(value, Tensor) and value.is_floating_point() and parameter is not None:
                # a computed weight: the hook that would renew it after .double() or .to(device) is gone
                setattr(module, name, value.to(parameter))
    return sketch


def duplicate(model: nn.Module, shared: dict[int, Tensor] | None = None) -> nn.Module:
    """A deep copy; computed tensors, as torch.nn.utils.weight_norm leaves them on a module, are copied as values."""
    kept = [value for module in model.modules() for value in vars(module).values() if isinstance(value, Tensor)]
    computed = {id(value): value.detach().clone() for value in kept if not value.is_leaf}
    return copy.deepcopy(model, computed | (shared or {}))


def hooks_of(module: nn.Module) -> Iterator[dict]:
    """The hooks that see or change a module's values, as torch keeps them: four dictionaries."""
    for kind in ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks"):
        yield getattr(module, kind)
