"""When training breaks down: at which step, at which learning rate, and in which layer first."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from bnlib.language import message

if TYPE_CHECKING:
    from bnlib.training.history import History

EXPLODED = 1e4  # nats per example: the right class had probability exp(-10000); guessing costs ln 10 = 2.3


class DivergedError(RuntimeError):
    """The training loss stopped being a finite number, or exploded (more than 10,000 nats per example).

    epoch, step: where, both from 1, step within the epoch.
    lr: the learning rate.
    layer: the first layer, in the order of the forward pass, whose output was not finite or beyond 10,000; "" if none
        was found.
    history: what had been finished.

    The model is left with the weights from before that step.
    """

    def __init__(self, epoch: int, step: int, loss: float, lr: float, layer: str, history: "History") -> None:
        self.epoch, self.step, self.loss, self.lr, self.layer, self.history = epoch, step, loss, lr, layer, history
        where = message("training.diverged_layer", layer=layer) if layer else ""
        super().__init__(message("training.diverged", epoch=epoch, step=step, loss=loss, lr=lr) + where)

    def __reduce__(self):
        return type(self), (self.epoch, self.step, self.loss, self.lr, self.layer, self.history)


def is_broken(losses: Tensor) -> Tensor:
    """Which mean losses are no training any more: nan, infinite, or exploded; of any shape."""
    return ~(losses <= EXPLODED)


@torch.no_grad()
def first_layer_affected(model: nn.Module, images: Tensor) -> str:
    """The name of the first layer whose output, for these images in the model's mode, is not finite or explodes.

    Buffers of the model move as in any forward pass.
    """
    found: list[str] = []
    hooks = []
    for name, module in model.named_modules():
        if next(module.children(), None) is None:  # layers, not what holds them

            def look(module, inputs, output, name=name) -> None:
                if not found and isinstance(output, Tensor) and is_broken(output.abs()).any():
                    found.append(name)

            hooks.append(module.register_forward_hook(look))
    try:
        model(images)
    finally:
        for hook in hooks:
            hook.remove()
    return found[0] if found else ""
