"""Which layer feeds a batch normalization: observed while the model runs once, where its code can't be traced."""

import gc
import weakref
from collections import Counter, defaultdict

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from bnlib.norm.fold_flow import BATCH_NORM, LAYERS, PASSING, Feed, batch_norms, skeleton


def observed_feeds(model: nn.Module, example_input: Tensor | tuple) -> dict[str, Feed]:
    """The `Feed` of every batch normalization, by its name, as one run over `example_input` shows it.

    A copy of the model runs, so nothing of the model changes. What is seen holds for every input that takes the same
    way through the model's code.
    """
    sketch = skeleton(model)
    watch = _Watch(sketch)
    args = example_input if isinstance(example_input, tuple) else (example_input,)
    with torch.no_grad(), watch:
        result = sketch(*args)
    watch.note_what_is_left()  # the result and the model's attributes are still held here
    del result
    return {name: watch.feed(name) for name in batch_norms(sketch)}


class _Tensors:
    """What is known of tensors, without keeping them alive: the same object, not an equal one."""

    def __init__(self) -> None:
        self.known: dict[int, tuple[weakref.ref, str]] = {}

    def __setitem__(self, tensor: Tensor, name: str) -> None:
        self.known[id(tensor)] = weakref.ref(tensor), name

    def get(self, tensor: object) -> str | None:
        reference, name = self.known.get(id(tensor), (lambda: None, None))
        return name if reference() is tensor else None

    def alive(self) -> set[str]:
        return {name for reference, name in self.known.values() if reference() is not None}


class _Watch(TorchDispatchMode):
    """Sees every operation with its tensors, and through hooks which module carries it out."""

    def __init__(self, sketch: nn.Module) -> None:
        super().__init__()
        self.running: list[str] = [""]  # the modules being executed, innermost last
        self.calls: Counter[str] = Counter()
        self.outputs, self.makers, self.owned = _Tensors(), _Tensors(), _Tensors()
        self.fed: dict[str, tuple[str | None, str, int]] = {}  # name -> layer, or else what made the input; axes
        self.between: dict[str, list[str]] = defaultdict(list)  # layer -> what passed its output on
        self.used: dict[str, set[str]] = defaultdict(set)  # layer -> what took its output, but for the above
        self.read: set[str] = set()  # modules whose tensors were used outside of them
        for name, module in sketch.named_modules():
            module.register_forward_pre_hook(self._enter(name), with_kwargs=True)
            module.register_forward_hook(self._leave(name))
            if isinstance(module, (*LAYERS, BATCH_NORM)):
                for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
                    self.owned[tensor] = name

    def _enter(self, name: str):
        def enter(module: nn.Module, args: tuple, kwargs: dict) -> None:
            self.running.append(name)
            self.calls[name] += 1
            if isinstance(module, BATCH_NORM):
                x = args[0] if args else kwargs["input"]
                self.fed[name] = self.outputs.get(x), self.makers.get(x) or "the model's input", x.dim()

        return enter

    def _leave(self, name: str):
        def leave(module: nn.Module, args: tuple, output: object) -> None:
            self.running.pop()
            if isinstance(module, LAYERS) and isinstance(output, Tensor):
                self.outputs[output] = name
            elif type(module) in PASSING and self.outputs.get(output):
                self.between[self.outputs.get(output)].append(name)
            elif isinstance(output, Tensor) and next(module.children(), None) is None:
                self.makers[output] = f"{name} ({type(module).__name__})"

        return leave

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        inside = self.running[-1]
        for tensor in tree_leaves((args, kwargs)):
            layer, owner = self.outputs.get(tensor), self.owned.get(tensor)
            if layer and self.fed.get(inside, (None,))[0] != layer:
                self.used[layer].add(inside or f"the function {function.overloadpacket.__name__}")
            if owner and owner != inside:
                self.read.add(owner)
        result = function(*args, **kwargs)
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor) and self.makers.get(tensor) is None:
                self.makers[tensor] = f"the function {function.overloadpacket.__name__}"
        return result

    def note_what_is_left(self) -> None:
        """An output that outlives the run was returned or put aside."""
        if self.outputs.alive():
            gc.collect()  # or is left over in a cycle
        for layer in self.outputs.alive():
            self.used[layer].add("the model's output or an attribute")

    def feed(self, name: str) -> Feed:
        calls = self.calls[name]
        if calls != 1:
            return Feed((name,), None, f"{name} is called {calls} times" if calls else f"{name} is never called")
        layer, maker, axes = self.fed[name]
        if layer is None:
            return Feed((name,), axes, f"{maker} feeds it, no convolution or linear layer")
        path = (layer, *self.between[layer], name)
        if self.calls[layer] != 1:
            return Feed(path, axes, f"{layer} is called {self.calls[layer]} times")
        if self.used[layer]:
            return Feed(path, axes, f"the output of {layer} is used by {', '.join(sorted(self.used[layer]))} too")
        read = [part for part in (layer, name) if part in self.read]
        return Feed(path, axes, f"code outside of {read[0]} reads its parameters or buffers" if read else "")
