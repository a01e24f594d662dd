"""Which layer feeds a batch normalization: read from the model's code by torch.fx, without running it."""

import inspect
from dataclasses import replace
from itertools import product

from torch import Tensor, fx, nn
from torch.nn.modules import activation, dropout

from bnlib.norm.fold_flow import BATCH_NORM, LAYERS, PASSING, Feed, batch_norms, skeleton

SHAPE_ONLY = ("shape", "size", "dim", "ndim", "device", "dtype")  # reading these off an output doesn't use its values
MOST_WAYS = 16  # to call a model, by its optional arguments
ELEMENTWISE = ("relu", "sigmoid", "tanh", "gelu", "silu", "leaky_relu", "dropout")


def traced_feeds(model: nn.Module) -> dict[str, Feed]:
    """The `Feed` of every batch normalization of a model, by its name. The model isn't run and not changed.

    A module that torch.fx can't trace (its code decides on values or shapes, say) is taken as a whole, and what
    happens inside of it stays unknown.
    """
    found: dict[str, Feed] = {}
    ways = _ways(model)
    if len(ways) > MOST_WAYS:
        why = f"the model can be called in {len(ways)} ways by its optional arguments; pass example_input to see one"
        return {name: Feed((name,), None, why) for name in batch_norms(model)}
    for way in ways:
        sketch = skeleton(model)
        for name, feed in _Traced(sketch, *_trace(sketch, way)).feeds().items():
            if way and feed.obstacle:
                called = ", ".join(f"{key}={value}" for key, value in way.items())
                feed = replace(feed, obstacle=f"{feed.obstacle} (when called with {called})")
            if name not in found or not found[name].obstacle:
                found[name] = feed
    return found


def _ways(model: nn.Module) -> list[dict[str, bool | None]]:
    """The ways to call a model that a trace can't tell apart by itself, as values of its optional arguments.

    An argument that stands for a value is never None and can't be asked for true or false; so those that default to
    None are left out once and given once, and switches are set to both.
    """
    choices: list[list[dict]] = []
    for name, parameter in inspect.signature(model.forward).parameters.items():
        if parameter.default is None:
            choices.append([{name: None}, {}])
        elif isinstance(parameter.default, bool):
            choices.append([{name: False}, {name: True}])
    return [{key: value for part in way for key, value in part.items()} for way in product(*choices)]


class _Tracer(fx.Tracer):
    """Records calls of modules; opens containers, takes single layers and what can't be traced as a whole."""

    def __init__(self, opaque: dict[str, str]) -> None:
        super().__init__()
        self.opaque = opaque  # name -> why it is taken as a whole
        self.failed: list[nn.Module] = []  # innermost first
        self.read: set[int] = set()  # ids of the tensors that code reads off a module

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        if isinstance(module, (*LAYERS, BATCH_NORM)) or next(module.children(), None) is None:
            return True  # one layer; nothing can be folded inside
        if super().is_leaf_module(module, name):
            self.opaque.setdefault(name, f"torch.fx doesn't look into {type(module).__name__}")
        return name in self.opaque

    def call_module(self, module, forward, args, kwargs):
        try:
            return super().call_module(module, forward, args, kwargs)
        except Exception:
            self.failed.append(module)
            raise

    def getattr(self, attr, value, cache):
        if isinstance(value, Tensor):
            self.read.add(id(value))
        return super().getattr(attr, value, cache)


def _trace(sketch: nn.Module, way: dict[str, bool | None]) -> tuple[fx.Graph, _Tracer]:
    """The graph of calls. What can't be traced becomes opaque, from the inside out, the whole model at last."""
    opaque: dict[str, str] = {}
    while True:
        tracer = _Tracer(opaque)
        try:
            return tracer.trace(sketch, way or None), tracer
        except Exception as error:  # whatever a model's code does with a value that isn't there
            names = {module: name for name, module in sketch.named_modules()}
            name = names.get(tracer.failed[0], "") if tracer.failed else ""
            why = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}"
            if name in opaque or not name:
                opaque[""] = why
                return fx.Graph(), tracer
            opaque[name] = why


class _Traced:
    """Questions to a graph of calls."""

    def __init__(self, model: nn.Module, graph: fx.Graph, tracer: _Tracer) -> None:
        self.model, self.tracer = model, tracer
        self.modules = dict(model.named_modules())
        self.calls: dict[str, list[fx.Node]] = {name: [] for name in self.modules}
        for node in graph.nodes:
            if node.op == "call_module":
                self.calls[node.target].append(node)
        values = [value for module in model.modules() for value in vars(module).values()]
        self.put_aside = [value.node for value in values if isinstance(value, fx.Proxy)]

    def feeds(self) -> dict[str, Feed]:
        return {name: self.feed(name) for name in batch_norms(self.model)}

    def feed(self, name: str) -> Feed:
        """Walk from a batch normalization against the flow to the layer that feeds it, or to an obstacle."""
        path, obstacle = (name,), self.trouble(name) if name else "it is the whole model, no layer feeds it"
        if obstacle:
            return Feed(path, None, obstacle)
        node = self.calls[name][0]
        while True:
            source = node.args[0] if node.args else node.kwargs.get("input")
            module = self.modules[source.target] if _is_call(source) else None
            if not isinstance(module, LAYERS) and type(module) not in PASSING:
                return Feed(path, None, f"{self.describe(source)} feeds it, no convolution or linear layer")
            path = (source.target, *path)
            others = [self.describe(user) for user in source.users if user is not node and not _shape_only(user)]
            others += ["an attribute of the model"] * (source in self.put_aside)
            if others:
                return Feed(path, None, f"the output of {source.target} is used by {', '.join(others)} too")
            if isinstance(module, LAYERS):
                return Feed(path, self.axes(source), self.trouble(source.target))
            node = source

    def trouble(self, name: str) -> str:
        """Why a layer isn't simply called once."""
        module = self.modules[name]
        aliases = [alias for alias, other in self.model.named_modules(remove_duplicate=False) if other is module]
        for whole, why in self.tracer.opaque.items():
            if any(alias == whole or alias.startswith(f"{whole}." if whole else "") for alias in aliases):
                return f"the code of {whole or 'the model'} can't be traced ({why}); pass example_input to run it"
        calls = len(self.calls[name])
        if calls != 1:
            return f"{name} is called {calls} times" if calls else f"{name} is never called"
        if any(id(t) in self.tracer.read for t in (*module.parameters(recurse=False), *module.buffers(recurse=False))):
            return f"code outside of {name} reads its parameters or buffers"
        return ""

    def axes(self, node: fx.Node) -> int | None:
        """The number of axes of a value, followed back to a flattening to (N, features)."""
        while isinstance(node, fx.Node):
            module = self.modules[node.target] if _is_call(node) else None
            if _flattens(node, module):
                return 2
            if not _keeps_axes(node, module):
                return None
            node = node.args[0] if node.args else node.kwargs.get("input")
        return None

    def describe(self, node: object) -> str:
        if not isinstance(node, fx.Node):
            return "a constant"
        if _is_call(node):
            return f"{node.target} ({type(self.modules[node.target]).__name__})"
        kinds = {"placeholder": "the model's input", "output": "the model's output", "get_attr": "the attribute"}
        kinds |= {"call_function": "the function", "call_method": "the method"}
        named = getattr(node.target, "__name__", node.target)
        return kinds[node.op] if node.op in ("placeholder", "output") else f"{kinds[node.op]} {named}"


def _is_call(node: object) -> bool:
    return isinstance(node, fx.Node) and node.op == "call_module"


def _shape_only(node: fx.Node) -> bool:
    if node.op == "call_function" and node.target is getattr:
        return node.args[1] in SHAPE_ONLY
    return node.op == "call_method" and node.target in SHAPE_ONLY


def _flattens(node: fx.Node, module: nn.Module | None) -> bool:
    if module is not None:
        return type(module) is nn.Flatten and (module.start_dim, module.end_dim) == (1, -1)
    name = getattr(node.target, "__name__", node.target)
    if name in ("view", "reshape") and node.op == "call_method":
        return len(node.args) == 3  # the tensor and two sizes
    return name == "flatten" and node.args[1:] in ((1,), (1, -1)) and not node.kwargs


def _keeps_axes(node: fx.Node, module: nn.Module | None) -> bool:
    if module is not None:
        known = type(module).__module__ in (activation.__name__, dropout.__name__)
        layer = isinstance(module, (*LAYERS, BATCH_NORM)) or type(module) is nn.Identity
        return layer or (known and not isinstance(module, nn.MultiheadAttention))
    return getattr(node.target, "__name__", node.target) in ELEMENTWISE
