"""How one step of SGD runs: eagerly, compiled, or as one CUDA graph. The mathematics is the same on every path.

A step gathers its batch on the device, computes loss and gradients, and changes the weights. Loss and hits go into a
row of a table on the device, which is read when somebody wants to know: no step waits. Several processes add theirs up
at each step, so that each of them has the whole of it, to save and to show.
"""

from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bnlib.language import message
from bnlib.training.config import TrainConfig
from bnlib.training.distributed import World
from bnlib.training.fashion_mnist import FashionMNIST
from bnlib.training.kernels import accelerate, reason_against


class Steps:
    """The steps of an epoch, each run by the Python code below.

    Args:
        model: on the data's device; its parameters are what a step changes.
        forward: the model, or something faster that stands for it and shares its parameters and buffers.
        path: what `forward` is, in words, for the history.
    """

    def __init__(
        self, model: nn.Module, forward: Callable, data: FashionMNIST, config: TrainConfig, world: World, path: str
    ) -> None:
        self.forward, self.data, self.config, self.world, self.path = forward, data, config, world, path
        self.device = data.train_labels.device
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.keeps_gradients = False  # a graph writes them to the same memory each time

    def begin(self, order: Tensor, sums: Tensor, first: int = 0) -> None:
        """Start an epoch, or go on with it at step `first`.

        Args:
            order: (examples,) indices into the training images.
            sums: (steps, 2), whose rows before `first` are filled: summed loss and hits of each batch. They are
                continued in `self.sums`.
        """
        self.batches, self.sums = order.split(self.config.batch_size), sums

    def run(self, i: int) -> Tensor:
        """Step i of the epoch, from 0; returns the mean loss of the batch, 0-d, on the device."""
        return self.step(self.batches[i], self.sums[i])

    def step(self, batch: Tensor, sums: Tensor) -> Tensor:
        part = self.world.part(batch)
        x, y = self.data.train_images[part], self.data.train_labels[part]
        self._forget_gradients()
        with self._precision():
            logits = self.forward(x)  # (N, classes)
        loss = self._loss(logits.float(), y, len(batch))
        loss.backward()
        self._descend()
        loss = loss.detach() if self.world.size == 1 else loss.detach() / self.world.size
        sums[0] = loss * len(batch)
        sums[1] = (logits.argmax(1) == y).sum()
        return loss if self.world.size == 1 else self.world.total(sums)[0] / len(batch)  # of the whole batch

    def _forget_gradients(self) -> None:
        for parameter in self.parameters:
            if not self.keeps_gradients:
                parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad.zero_()

    @torch.no_grad()
    def _descend(self) -> None:
        """parameter <- parameter - lr gradient, as torch.optim.SGD does it, whose import takes two seconds."""
        moved = [parameter for parameter in self.parameters if parameter.grad is not None]
        torch._foreach_add_(moved, [parameter.grad for parameter in moved], alpha=-self.config.lr)

    def _loss(self, logits: Tensor, y: Tensor, n: int) -> Tensor:
        if self.world.size == 1:
            return F.cross_entropy(logits, y)
        return F.cross_entropy(logits, y, reduction="sum") * (self.world.size / n)  # see `distributed`

    def _precision(self):
        if self.config.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, getattr(torch, self.config.precision))


class GraphSteps(Steps):
    """The same steps as one CUDA graph that counts for itself: a step is a single launch.

    The graph reads and writes fixed addresses, so the order of the examples and the table of sums are buffers here.
    The tail of an epoch, smaller than a batch, runs eagerly.
    """

    def __init__(self, model: nn.Module, *arguments) -> None:
        super().__init__(model, *arguments)
        examples, size = len(self.data.train_labels), self.config.batch_size
        self.full = examples // size  # batches that are full
        self.order = torch.arange(examples, device=self.device)
        self.table = torch.empty(-(-examples // size), 2, device=self.device)
        self.next = torch.zeros(1, dtype=torch.int64, device=self.device)  # the step that comes next
        self.lane = torch.arange(size, device=self.device)
        self.loss = torch.zeros((), device=self.device)
        if self.full:
            self._capture(model)
        self.keeps_gradients = True

    def begin(self, order: Tensor, sums: Tensor, first: int = 0) -> None:
        self.order.copy_(order)
        self.table[:first] = sums[:first]
        self.next.fill_(first)
        super().begin(self.order, self.table, first)

    def run(self, i: int) -> Tensor:
        if i >= self.full:
            return super().run(i)
        self.graph.replay()
        return self.loss

    def _counted(self) -> None:
        """What the graph holds: take the next batch, run the step, count on."""
        batch = self.order[self.next * self.config.batch_size + self.lane]
        sums = torch.empty(2, device=self.device)
        self.loss.copy_(self.step(batch, sums))
        self.table.index_copy_(0, self.next, sums.unsqueeze(0))
        self.next += 1

    def _capture(self, model: nn.Module) -> None:
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        model.train()
        here = torch.cuda.current_stream(self.device)
        # cuBLAS has one workspace for each stream, which its graphs share: those that run side by side need their own
        # (https://github.com/pytorch/pytorch/issues/193402); nothing can be captured on the default stream
        stream = torch.cuda.Stream(self.device) if here == torch.cuda.default_stream(self.device) else here
        stream.wait_stream(here)
        with torch.cuda.stream(stream):  # libraries choose their algorithms and allocate before the capture
            for _ in range(3):
                self._counted()
                self.next.zero_()
        here.wait_stream(stream)
        self._forget_gradients()  # the graph's own are made in its own memory
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph, stream=stream):
            self._counted()
        with torch.no_grad():
            for name, tensor in model.state_dict().items():
                tensor.copy_(before[name])  # warming up was no training


def make_steps(
    model: nn.Module, data: FashionMNIST, config: TrainConfig, world: World, report: Callable[[str], None]
) -> Steps:
    """The steps for a configuration on the data's device.

    Args:
        report: called with a sentence where the path asked for can't be taken and another one is.
    """
    device, path = data.train_labels.device, config.path
    forward, words = world.wrap(model), "eager"
    if path == "compiled":
        reason = _against_compiling(device)
        if reason is None:
            forward, words = _compiled(model, forward, device)
        else:
            report(reason + message("training.instead_eager"))
    if path == "kernels":
        reason = message("training.loops_alone") if world.size > 1 else reason_against(model)
        if reason is None:
            forward, words = accelerate(model), "C++ loops"
        else:
            report(reason + message("training.instead_eager"))
    steps = (model, forward, data, config, world)
    if device.type == "cuda" and path in ("auto", "graph", "compiled"):
        reason = _against_graph(model, world)
        if reason is None:
            return GraphSteps(*steps, "CUDA graph" if words == "eager" else f"CUDA graph, {words}")
        if path == "graph":
            report(reason + message("training.instead_eager"))
    return Steps(*steps, words)


def _compiled(model: nn.Module, forward: nn.Module, device: torch.device) -> tuple[Callable, str]:
    if device.type != "cpu":
        return torch.compile(forward), "compiled"
    model.to(memory_format=torch.channels_last)
    return torch.compile(forward), "compiled, channels_last"


def _against_compiling(device: torch.device) -> str | None:
    """Why torch.compile can't make code for this device; None if nothing is known against it."""
    if device.type != "cpu":
        return None
    from torch._inductor.cpp_builder import get_cpp_compiler  # where torch.compile itself looks; takes two seconds
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler:
        return message("training.no_compiler")
    return None


def _against_graph(model: nn.Module, world: World) -> str | None:
    """Why a step of this model can't be captured once and replayed; None if nothing is known against it."""
    if world.size > 1:
        return message("training.graph_alone")
    for name, module in model.named_modules():
        if any(isinstance(value, Tensor) for value in vars(module).values()):  # rebound at each step, as in the lecture
            return message("training.graph_rebound", name=name)
    return None
