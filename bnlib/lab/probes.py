"""What goes on inside of a model while it trains: activations, gradients, updates, statistics, γ and β, by layer.

Probes listen; they change nothing: with and without them a run ends with the same weights, bit for bit. They hang on
modules' hooks and on the trainer's callback, so they need steps that call the modules: the trainer's path "eager".
"""

from collections.abc import Callable, Iterator, Sequence

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from bnlib.training import Moment

NEAR = 0.05  # of the distance between a bounded activation's two ends: closer to an end, a unit is saturated
SAMPLE = 10_000  # outputs of a layer, evenly spaced, from which its quantiles are taken
# whether an output is where the activation is flat, or nearly
SATURATED: dict[type[nn.Module], Callable[[Tensor], Tensor]] = {
    nn.Sigmoid: lambda y: (y < NEAR) | (y > 1 - NEAR),
    nn.Tanh: lambda y: y.abs() > 1 - 2 * NEAR,
    nn.ReLU: lambda y: y == 0,
}


class Probes:
    """Record a model's layers every few steps: `with Probes(model) as probes: train(..., callback=probes)`.

    A step is recorded as the trainer takes it: activations are those of its minibatch in training mode, gradients and
    updates its own. What is recorded of each layer, by name:

    - of every layer without children its outputs: mean, std, and the quantiles asked for, as q0.15 and so on (of
      10,000 outputs, evenly spaced, where there are more); of a
      sigmoid, tanh or ReLU `saturated`, the fraction of outputs within 5 % of an end of their range, or at zero;
    - of every parameter: gradient_norm; update_ratio, the norm of what the step changed over the parameter's own norm
      before it (missing where that is zero);
    - of batch normalization: batch_mean and batch_std of its inputs, moving_mean and moving_std after the step, gamma
      and beta, each as mean over channels; lag, the distance between batch and moving mean in batch standard
      deviations, root mean square over channels.

    Args:
        model: in which hooks are hung until the context ends.
        every: steps between two recorded ones; the first step is recorded.
        quantiles: of the outputs, each between 0 and 1.

    Raises:
        ValueError: `every` below 1.
        RuntimeError: at a step to be recorded whose forward pass the hooks didn't see.
    """

    def __init__(self, model: nn.Module, every: int = 1, quantiles: Sequence[float] = (0.15, 0.5, 0.85)) -> None:
        if every < 1:
            raise ValueError(f"expected every >= 1 steps between two records; got {every}")
        self.model, self.every, self.quantiles = model, every, tuple(quantiles)
        self.rows: list[tuple[int, str, str, float]] = []
        self._step, self._seen = 0, False  # steps done; whether the hooks have seen the present one
        self._before: dict[str, Tensor] = {}  # parameters before the step
        self._inputs: dict[str, tuple[Tensor, Tensor]] = {}  # of normalizations: mean and variance by channel
        self._hooks: list = []

    def __enter__(self) -> "Probes":
        self._hooks = [self.model.register_forward_pre_hook(self._begin)]
        for name, module in self.model.named_modules():
            if next(module.children(), None) is None:
                self._hooks.append(module.register_forward_hook(self._listener(name)))
        return self

    def __exit__(self, *exception: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def __call__(self, moment: Moment) -> None:
        """The trainer's callback."""
        if moment.kind != "step":
            return
        if moment.step % self.every == 1 % self.every:
            if not self._seen:
                raise RuntimeError(
                    f"step {moment.step} called no module of the model, so there is nothing to record: train with "
                    'TrainConfig(path="eager")'
                )
            self._parameters(moment.step)
            self._statistics(moment.step)
        self._step, self._seen = moment.step, False

    def table(self) -> pd.DataFrame:
        """What was recorded: step (from 1), layer, quantity, value; one row for each."""
        return pd.DataFrame(self.rows, columns=["step", "layer", "quantity", "value"])

    def _due(self) -> bool:
        return self.model.training and (self._step + 1) % self.every == 1 % self.every

    def _begin(self, module: nn.Module, inputs: tuple) -> None:
        if self._due():
            self._seen = True
            self._before = {name: p.detach().clone() for name, p in self.model.named_parameters()}

    def _listener(self, name: str) -> Callable:
        @torch.no_grad()
        def listen(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            if not self._due():
                return
            self._record(self._step + 1, name, self._of_outputs(module, output.detach().float()))
            if isinstance(module, _BatchNorm):
                x = inputs[0].detach().transpose(0, 1).flatten(1)  # (C, values)
                self._inputs[name] = x.mean(1), x.var(1, correction=0)

        return listen

    def _of_outputs(self, module: nn.Module, y: Tensor) -> Iterator[tuple[str, Tensor]]:
        yield "mean", y.mean()
        yield "std", y.std(correction=0)
        some = y.flatten()
        ordered = some[:: -(-len(some) // SAMPLE)].sort().values  # sorting all would cost more than the step
        for q in self.quantiles:
            yield f"q{q:g}", ordered[round(q * (len(ordered) - 1))]
        if type(module) in SATURATED:
            yield "saturated", SATURATED[type(module)](y).float().mean()

    @torch.no_grad()
    def _parameters(self, step: int) -> None:
        for name, parameter in self.model.named_parameters():
            before = self._before[name]
            found = [] if parameter.grad is None else [("gradient_norm", parameter.grad.norm())]
            if before.norm() > 0:
                found.append(("update_ratio", (parameter - before).norm() / before.norm()))
            self._record(step, name, found)

    @torch.no_grad()
    def _statistics(self, step: int) -> None:
        for name, (mean, var) in self._inputs.items():
            layer = self.model.get_submodule(name)
            found = [("batch_mean", mean.mean()), ("batch_std", var.sqrt().mean())]
            if layer.running_mean is not None:
                lag = (layer.running_mean - mean) / (var + layer.eps).sqrt()
                found += [("moving_mean", layer.running_mean.mean()), ("lag", lag.square().mean().sqrt())]
                found.append(("moving_std", layer.running_var.sqrt().mean()))
            if layer.affine:
                found += [("gamma", layer.weight.mean()), ("beta", layer.bias.mean())]
            self._record(step, name, found)
        self._inputs = {}

    def _record(self, step: int, layer: str, found: Iterator[tuple[str, Tensor]] | list[tuple[str, Tensor]]) -> None:
        self.rows += [(step, layer, quantity, value.item()) for quantity, value in found]
