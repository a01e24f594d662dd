"""Folding: for prediction, work batch normalization into the layer that feeds it, and lose nothing but the cost.

The formulas are in `fold_weights`, who feeds whom in `fold_traced` and `fold_observed`, what must hold of a pair in
`fold_conditions`; here the pairs are folded and reported.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from bnlib.norm.fold_conditions import obstacle
from bnlib.norm.fold_flow import LAYERS, batch_norms, duplicate
from bnlib.norm.fold_observed import observed_feeds
from bnlib.norm.fold_traced import traced_feeds
from bnlib.norm.fold_weights import folded_weight_and_bias, scale_and_shift


@dataclass(frozen=True)
class FoldEntry:
    """What became of one batch normalization.

    Attributes:
        batch_norm: its name in the model.
        layer: name of the convolution or linear layer that feeds it; None where none does, or none that is known.
        reason: why it was kept, a clause; empty if it was folded into `layer`.
    """

    batch_norm: str
    layer: str | None
    reason: str = ""

    @property
    def folded(self) -> bool:
        return not self.reason

    def __str__(self) -> str:
        name = self.batch_norm or "(the model)"
        return f"{name} folded into {self.layer}" if self.folded else f"{name} kept: {self.reason}"


@dataclass(frozen=True)
class FoldReport:
    """An entry for every batch normalization of a model, in the model's order; printed, one line each."""

    entries: tuple[FoldEntry, ...]

    @property
    def folded(self) -> tuple[FoldEntry, ...]:
        return tuple(entry for entry in self.entries if entry.folded)

    @property
    def kept(self) -> tuple[FoldEntry, ...]:
        return tuple(entry for entry in self.entries if not entry.folded)

    def __str__(self) -> str:
        if not self.entries:
            return "nothing to fold: no batch normalization found"
        title = f"batch normalizations folded: {len(self.folded)} of {len(self.entries)}"
        return "\n".join([title, *(f"  {entry}" for entry in self.entries)])


class Folding(NamedTuple):
    """The folded model and what was done: `folded, report = fold_batch_norm(model)`."""

    model: nn.Module
    report: FoldReport


def fold_batch_norm(model: nn.Module, example_input: Tensor | tuple | None = None) -> Folding:
    """Copy a model, with each batch normalization worked into the convolution or linear layer that feeds it.

        W' = W weight / sqrt(running_var + eps)        b' = (b - running_mean) weight / sqrt(running_var + eps) + bias

    per output channel, computed in float64 and rounded once to the layer's dtype. A folded batch normalization
    becomes nn.Identity in its place, for code that asks for its class or attributes too; the layer gets a bias if it
    had none. Layers: Conv1d to 3d, ConvTranspose1d
    to 3d, Linear, with all their options; batch normalizations: all derived from torch's, ours among them.

    A pair is folded only if the flow of data allows it: the layer's output enters this batch normalization and
    nothing else, both are called once, and only nn.Identity or dropout lies between. The flow is read from the code
    by torch.fx. Where code can't be traced, or doesn't say whether a linear layer's output is (N, C), `example_input`
    lets the model run once, and what this run shows must hold for all inputs. A convolution's input is taken to have
    a batch axis. Whatever isn't certain to be right is kept, and the report says why.

    Args:
        model: in prediction mode, all of it. Not changed.
        example_input: the model's argument, or a tuple of its arguments, on its device. A copy of the model runs.

    Returns:
        model: the copy, in prediction mode, requires_grad as it was (a new bias has that of the batch
            normalization's, or none); to be used for prediction: what is folded can't be trained as it was.
        report: a `FoldReport` to print or to read, an entry for every batch normalization.

    Raises:
        TypeError: a model that isn't a torch.nn.Module, or has a part compiled by torch.jit or torch.compile.
        RuntimeError: a module in training mode, or a lazy one without parameters yet.

    Source: Jacob et al. (2018), section 3.2, https://arxiv.org/abs/1712.05877; compare torch.nn.utils.fusion.
    """
    _check(model)
    feeds = traced_feeds(model) if example_input is None else observed_feeds(model, example_input)
    folded = duplicate(model)
    entries = []
    for name in batch_norms(folded):
        first = feeds[name].path[0]
        layer = first if isinstance(model.get_submodule(first), LAYERS) else None
        reason = obstacle(model, feeds[name]) or _fold(folded, first, name)
        entries.append(FoldEntry(name, layer, reason))
    return Folding(folded, FoldReport(tuple(entries)))


def _fold(model: nn.Module, layer_name: str, norm_name: str) -> str:
    """Fold one pair in place, or say why its numbers forbid it."""
    layer, norm = model.get_submodule(layer_name), model.get_submodule(norm_name)
    weight, bias = folded_weight_and_bias(layer, *scale_and_shift(norm))
    if not (torch.isfinite(weight).all() and torch.isfinite(bias).all()):
        return f"the folded weight or bias of {layer_name} isn't finite in {weight.dtype}"
    source = layer.bias if layer.bias is not None else norm.bias
    layer.bias = nn.Parameter(bias, requires_grad=source is not None and source.requires_grad)
    layer.weight = nn.Parameter(weight, requires_grad=layer.weight.requires_grad)
    _become_identity(norm)
    return ""


def _become_identity(module: nn.Module) -> None:
    """Turn the object itself into nn.Identity, so that every list and name that holds it holds the identity."""
    identity = nn.Identity().train(module.training)
    vars(module).clear()
    module.__class__ = nn.Identity
    vars(module).update(vars(identity))


def _check(model: nn.Module) -> None:
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"fold_batch_norm got {type(model).__name__} {model!r}; expected a torch.nn.Module. Pass the model itself."
        )
    for name, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule) or hasattr(module, "_orig_mod"):  # as torch.compile leaves it
            raise TypeError(
                f"fold_batch_norm found {name or 'the model itself'} compiled, a {type(module).__name__}; expected "
                "modules as they were written. Fold the model first and compile it afterwards."
            )
    training = [name or "the model itself" for name, module in model.named_modules() if module.training]
    if training:
        more = f" and {len(training) - 1} more" if len(training) > 1 else ""
        raise RuntimeError(
            f"fold_batch_norm found {training[0]}{more} in training mode; expected prediction mode, where "
            "normalization is by constants. Call model.eval() first."
        )
    lazy = [name for name, parameter in (*model.named_parameters(), *model.named_buffers()) if is_lazy(parameter)]
    if lazy:
        raise RuntimeError(
            f"fold_batch_norm found {lazy[0]} without a shape yet; expected parameters with values. "
            "Run the model over one batch first, so that lazy modules learn their shapes."
        )
