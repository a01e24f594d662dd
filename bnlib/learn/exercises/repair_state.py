"""Exercise: repair a layer whose statistics are neither saved nor moved with the model (chapter 06, case 8)."""

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
from bnlib.learn.exercises import _standardize
from bnlib.learn.show import unequal

KEPT = ("mean", "std")
HELD = {name: f"{name} = layer.{name}; layer.fit(X); {name} is layer.{name}" for name in KEPT}
MOVED = {name: f"layer.double().{name}.dtype" for name in KEPT}
FITTED = {name: f"layer.{name} (after fit)" for name in KEPT}
PART = "X[:2]"  # of the data that the layer is fitted on
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
        f"layer({PART})": need_shape(f"layer({PART})", layer(X[:2]), (2, *d)).clone(),
        f"loaded({PART})": need_shape(f"loaded({PART})", loaded(X[:2]), (2, *d)),
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


MISTAKES = {
    "unchanged": _standardize.Standardize,
    "parameters": _standardize.Parameters,
    "parameters_rebound": _standardize.ParametersRebound,
    "rebound": _standardize.Rebound,
    "mean_rebound": _standardize.MeanRebound,
    "std_rebound": _standardize.StdRebound,
    "in_place_unregistered": _standardize.InPlaceUnregistered,
    "not_persistent": _standardize.NotPersistent,
    "mean_only": _standardize.MeanOnly,
    "std_only": _standardize.StdOnly,
    "beside": _standardize.Beside,
    "added": _standardize.Added,
    "local_names": _standardize.LocalNames,
    "by_the_batch": _standardize.ByTheBatch,
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
    found = (unequal(f"loaded({x})", seen[f"loaded({x})"], seen[f"layer({x})"]) for x in ("X", PART))
    return next((broken for broken in found if broken), None)


def standardized(ask: Ask, inputs: Inputs) -> str | None:
    X, seen = inputs["X"], ask(inputs)
    due = (X - X.mean(0)) / X.std(0)
    found = (unequal(f"layer({x})", seen[f"layer({x})"], due[:n]) for x, n in (("X", len(X)), (PART, 2)))
    return next((broken for broken in found if broken), None)


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
    right=_standardize.Right,
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
    start=_standardize.Standardize,
)
