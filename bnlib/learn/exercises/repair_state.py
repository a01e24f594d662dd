"""Exercise: repair a layer whose statistics are neither saved nor moved with the model (chapter 06, case 8)."""

import torch
from torch import nn

from bnlib.learn.exercise import (
    Ask,
    CodeExercise,
    Inputs,
    Property,
    batch,
    by_hand,
    need,
    need_attribute,
    need_shape,
)
from bnlib.learn.show import unequal

KEPT = ("mean", "std")
HELD = {name: f"{name} = layer.{name}; layer.fit(X); {name} is layer.{name}" for name in KEPT}
MOVED = {name: f"layer.double().{name}.dtype" for name in KEPT}
FITTED = {name: f"layer.{name} (after fit)" for name in KEPT}
NOTHING_ELSE = "set(layer.state_dict()) <= {'mean', 'std'}"


def ask(answer, inputs: Inputs):
    """A layer is fitted, saved, loaded into a new one and at last moved, to float64 as to another device."""
    X, d = inputs["X"], inputs["X"].shape[1:]
    layer = need("Standardize(…)", answer(*d), nn.Module)
    held = {name: need_shape(f"layer.{name}", need_attribute("layer", layer, name), d) for name in KEPT}
    need_attribute("layer", layer, "fit")(X)
    fitted = {}
    for name in KEPT:
        held_now = need_shape(f"layer.{name}", getattr(layer, name), d)
        fitted[FITTED[name]] = held_now.detach().clone()
    loaded = answer(*d)
    loaded.load_state_dict(layer.state_dict())
    seen = {
        "loaded(X)": need_shape("loaded(X)", loaded(X), X.shape),
        "layer(X)": need_shape("layer(X)", layer(X), X.shape).clone(),
        **fitted,
        "layer.state_dict()": words(name for name in layer.state_dict() if name in KEPT),
        NOTHING_ELSE: set(layer.state_dict()) <= set(KEPT),
        "layer.parameters()": words(name for name, _ in layer.named_parameters()),
        **{HELD[name]: held[name] is getattr(layer, name) for name in KEPT},
    }
    layer.double()
    return seen | {MOVED[name]: str(getattr(layer, name).dtype) for name in KEPT}


def words(names) -> str:
    return str(sorted(names))


def drawn(n: int, d: int):
    return lambda generator: {"X": batch(n, d, generator=generator)}


class Standardize(nn.Module):
    def __init__(self, num_features):
        super().__init__()
        self.mean = torch.zeros(num_features)
        self.std = torch.ones(num_features)

    def fit(self, X):
        self.mean = X.mean(dim=0)
        self.std = X.std(dim=0)

    def forward(self, X):
        return (X - self.mean) / self.std


class Right(nn.Module):
    def __init__(self, num_features):
        super().__init__()
        self.register_buffer("mean", torch.zeros(num_features))
        self.register_buffer("std", torch.ones(num_features))

    def fit(self, X):
        self.mean.copy_(X.mean(dim=0))
        self.std.copy_(X.std(dim=0))

    def forward(self, X):
        return (X - self.mean) / self.std


class Rebound(Right):
    def fit(self, X):
        self.mean = X.mean(dim=0)
        self.std = X.std(dim=0)


class MeanRebound(Right):
    def fit(self, X):
        self.mean = X.mean(dim=0)
        self.std.copy_(X.std(dim=0))


class StdRebound(Right):
    def fit(self, X):
        self.mean.copy_(X.mean(dim=0))
        self.std = X.std(dim=0)


class NotPersistent(Right):
    def __init__(self, num_features):
        super().__init__(num_features)
        self.register_buffer("mean", self.mean, persistent=False)
        self.register_buffer("std", self.std, persistent=False)


class Parameters(Right):
    def __init__(self, num_features):
        nn.Module.__init__(self)
        self.mean = nn.Parameter(torch.zeros(num_features))
        self.std = nn.Parameter(torch.ones(num_features))

    def fit(self, X):
        with torch.no_grad():
            super().fit(X)


class ParametersRebound(Parameters):
    def fit(self, X):
        self.mean = nn.Parameter(X.mean(dim=0))
        self.std = nn.Parameter(X.std(dim=0))


class MeanOnly(Right):
    def __init__(self, num_features):
        nn.Module.__init__(self)
        self.register_buffer("mean", torch.zeros(num_features))
        self.std = torch.ones(num_features)


class StdOnly(Right):
    def __init__(self, num_features):
        nn.Module.__init__(self)
        self.mean = torch.zeros(num_features)
        self.register_buffer("std", torch.ones(num_features))


class Beside(Standardize):
    def __init__(self, num_features):
        super().__init__(num_features)
        self.register_buffer("running_mean", self.mean)
        self.register_buffer("running_std", self.std)


class Added(Right):
    def fit(self, X):
        self.mean += X.mean(dim=0)
        self.std += X.std(dim=0)


class LocalNames(Right):
    def fit(self, X):
        mean, std = self.mean, self.std
        mean, std = X.mean(dim=0), X.std(dim=0)  # noqa: F841


class InPlaceUnregistered(Standardize):
    def fit(self, X):
        self.mean.copy_(X.mean(dim=0))
        self.std.copy_(X.std(dim=0))


MISTAKES = {
    "unchanged": Standardize,
    "parameters": Parameters,
    "parameters_rebound": ParametersRebound,
    "rebound": Rebound,
    "mean_rebound": MeanRebound,
    "std_rebound": StdRebound,
    "in_place_unregistered": InPlaceUnregistered,
    "not_persistent": NotPersistent,
    "mean_only": MeanOnly,
    "std_only": StdOnly,
    "beside": Beside,
    "added": Added,
    "local_names": LocalNames,
}
SOUND = {
    "parameters": ("layer.state_dict()", *MOVED.values()),
    "not_persistent": tuple(MOVED.values()),
    "mean_only": (MOVED["mean"],),
    "std_only": (MOVED["std"],),
    "in_place_unregistered": tuple(HELD.values()),
}


def loaded_alike(ask: Ask, inputs: Inputs) -> str | None:
    seen = ask(inputs)
    return unequal("loaded(X)", seen["loaded(X)"], seen["layer(X)"])


def standardized(ask: Ask, inputs: Inputs) -> str | None:
    X = inputs["X"]
    return unequal("layer(X)", ask(inputs)["layer(X)"], (X - X.mean(0)) / X.std(0))


def saved(ask: Ask, inputs: Inputs) -> str | None:
    seen = ask(inputs)
    pairs = (("layer.state_dict()", words(KEPT)), (NOTHING_ELSE, True))
    found = (unequal(key, seen[key], value) for key, value in pairs)
    return next((broken for broken in found if broken), None)


def nothing_to_learn(ask: Ask, inputs: Inputs) -> str | None:
    return unequal("layer.parameters()", ask(inputs)["layer.parameters()"], words(()))


def moved(ask: Ask, inputs: Inputs) -> str | None:
    seen = ask(inputs)
    found = (unequal(MOVED[name], seen[MOVED[name]], "torch.float64") for name in KEPT)
    return next((broken for broken in found if broken), None)


def left_in_place(ask: Ask, inputs: Inputs) -> str | None:
    seen = ask(inputs)
    found = (unequal(HELD[name], seen[HELD[name]], True) for name in KEPT)
    return next((broken for broken in found if broken), None)


EXERCISE = CodeExercise(
    name="repair_state",
    chapter=6,
    call="Standardize(num_features)",
    ask=ask,
    inputs=(by_hand(X=[[1.0], [3.0], [5.0]]), by_hand(X=[[1.0, 0.0], [5.0, 8.0]]), drawn(4, 3), drawn(8, 2)),
    right=Right,
    mistakes=MISTAKES,
    sound=SOUND,
    properties=(
        Property("standardized", standardized),
        Property("loaded_alike", loaded_alike),
        Property("saved", saved),
        Property("nothing_to_learn", nothing_to_learn),
        Property("moved", moved),
        Property("left_in_place", left_in_place),
    ),
    start=Standardize,
)
