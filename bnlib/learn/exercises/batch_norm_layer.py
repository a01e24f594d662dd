"""Exercise: the layer, with running statistics and two modes (chapter 03)."""

import torch
from torch import nn
from torch.nn import functional as F

from bnlib.learn.exercise import (
    Ask,
    CodeExercise,
    Inputs,
    Property,
    batch,
    by_hand,
    gradient,
    need,
    need_attribute,
    need_shape,
)
from bnlib.learn.exercises._batch_norm_layer import MISTAKES, BatchNorm
from bnlib.learn.outcome import same
from bnlib.learn.show import unequal

PARAMETERS, BUFFERS = ("weight", "bias"), ("running_mean", "running_var")
KEPT = PARAMETERS + BUFFERS
GRADIENT = "grad(Y[0].sum(), X)"
GRAPH = ("running statistics require grad", "running statistics have a grad_fn")
PREDICTED = ("eval", "eval, X.requires_grad", "eval, no_grad")
OTHER = ("train, no_grad", *PREDICTED)
MOVED = {when: f"running statistics change ({when})" for when in OTHER}
BY_BATCH = {when: f"Y ({when}) == Y (train)" for when in OTHER}  # of the same batch, but for a shift
UNREGISTERED = ("layer.state_dict()", "layer.buffers()", *(f"layer.double().{name}.dtype" for name in BUFFERS))


def both(*when: str) -> tuple[str, ...]:
    """How it updates and how it normalizes."""
    return tuple(key[each] for each in when for key in (MOVED, BY_BATCH))


TELLING = {
    "mode_from_grad": both("train, no_grad", "eval", "eval, X.requires_grad"),
    "mode_from_input": both("train, no_grad", "eval, X.requires_grad"),
    "not_without_grad": both("train, no_grad"),
    "no_update_without_grad": (MOVED["train, no_grad"],),
    "always_training": both(*PREDICTED),
    "batch_in_prediction": tuple(BY_BATCH[when] for when in PREDICTED),
    "updates_in_prediction": tuple(MOVED[when] for when in PREDICTED),
    "from_graph": GRAPH,
    "plain_tensors": UNREGISTERED,
    "nothing_registered": (
        "layer.parameters()",
        *UNREGISTERED,
        *(f"layer.double().{name}.dtype" for name in PARAMETERS),
    ),
    "statistics_as_parameters": ("layer.parameters()",),
    "biased_kept": ("layer.running_var (after 1)",),
    "other_way_round": ("layer.running_mean (after 1)",),
    "starts_at_zero": ("layer.running_var (init)",),
}
SOUND = {
    "mode_from_grad": both("eval, no_grad"),
    "mode_from_input": both("eval", "eval, no_grad"),
    "not_without_grad": both(*PREDICTED),
    "no_update_without_grad": (BY_BATCH["train, no_grad"], *both(*PREDICTED)),
}


def ask(answer, inputs: Inputs):
    """Training mode with and without gradients, then prediction mode with and without, and what the layer registers."""
    X = inputs["X"]
    layer = need("BatchNorm(…)", answer(X.shape[1], inputs["eps"], inputs["momentum"]), nn.Module)
    for name in KEPT:
        need_shape(f"layer.{name}", need_attribute("layer", layer, name), X.shape[1:])
    seen = {f"layer.{name} (init)": kept(layer, name) for name in KEPT}
    with torch.no_grad():
        layer.weight.copy_(inputs["weight"])
        layer.bias.copy_(inputs["bias"])
    layer.train()
    leaf = X.clone().requires_grad_()
    seen["Y (train)"] = Y = need_shape("Y", layer(leaf), X.shape)
    seen[GRADIENT] = gradient(Y[0].sum(), leaf)
    seen |= buffers(layer, "after 1")
    running = [getattr(layer, name) for name in BUFFERS]
    seen[GRAPH[0]] = any(value.requires_grad for value in running)
    seen[GRAPH[1]] = any(value.grad_fn is not None for value in running)
    with torch.no_grad():
        seen["Y (train, no_grad)"] = layer(X + 1)
    seen |= buffers(layer, "after 2")
    seen[MOVED["train, no_grad"]] = differ(seen, "after 1", "after 2")
    layer.eval()
    before = "after 2"
    for mode, x in zip(PREDICTED, (X, leaf, X + 1), strict=True):
        with torch.set_grad_enabled("no_grad" not in mode):
            seen[f"Y ({mode})"] = layer(x)
        seen |= buffers(layer, f"after {mode}")
        seen[MOVED[mode]] = differ(seen, before, f"after {mode}")
        before = f"after {mode}"
    seen |= {key: same(seen[f"Y ({when})"], Y.detach()) for when, key in BY_BATCH.items()}
    return registered(layer) | seen


def registered(layer: nn.Module):
    """Of what the layer keeps: what is a parameter or a buffer, what is saved, and the dtype after `double()`."""
    seen = {
        "layer.parameters()": words(name for name, _ in layer.named_parameters()),
        "layer.state_dict()": words(name for name in layer.state_dict() if name in KEPT),
        "layer.buffers()": words(name for name, _ in layer.named_buffers() if name in BUFFERS),
    }
    moved = layer.double()
    return seen | {f"layer.double().{name}.dtype": str(getattr(moved, name).dtype) for name in KEPT}


def kept(layer: nn.Module, name: str):
    return getattr(layer, name).detach().clone()


def buffers(layer: nn.Module, when: str):
    return {f"layer.{name} ({when})": kept(layer, name) for name in BUFFERS}


def differ(seen, one: str, other: str) -> bool:
    return any(not same(seen[f"layer.{name} ({one})"], seen[f"layer.{name} ({other})"]) for name in BUFFERS)


def words(names) -> str:
    return ", ".join(sorted(names))


def drawn(n: int, d: int):
    def make(generator):
        weight, bias = 0.5 + torch.rand(d, generator=generator), torch.randn(d, generator=generator)
        return {"X": batch(n, d, generator=generator), "weight": weight, "bias": bias, "eps": 0.3, "momentum": 0.2}

    return make


def like_torch_in_training(ask: Ask, inputs: Inputs) -> str | None:
    weight, bias = inputs["weight"], inputs["bias"]
    expected = F.batch_norm(inputs["X"], None, None, weight, bias, training=True, eps=inputs["eps"])
    return unequal("Y (train)", ask(inputs)["Y (train)"], expected)


def gradient_like_torch(ask: Ask, inputs: Inputs) -> str | None:
    X = inputs["X"].clone().requires_grad_()
    Y = F.batch_norm(X, None, None, inputs["weight"], inputs["bias"], training=True, eps=inputs["eps"])
    return unequal(GRADIENT, ask(inputs)[GRADIENT], gradient(Y[0].sum(), X))


def alone_in_prediction(ask: Ask, inputs: Inputs) -> str | None:
    """Prediction mode with the running statistics that the layer has, sample by sample."""
    seen = ask(inputs)
    mean, var = seen["layer.running_mean (after 2)"], seen["layer.running_var (after 2)"]
    expected = F.batch_norm(inputs["X"], mean, var, inputs["weight"], inputs["bias"], eps=inputs["eps"])
    names = ("Y (eval)", "Y (eval, X.requires_grad)")
    return next((broken for name in names if (broken := unequal(name, seen[name], expected))), None)


def unchanged_in_prediction(ask: Ask, inputs: Inputs) -> str | None:
    seen = ask(inputs)
    pairs = ((f"layer.{name} (after {when})", f"layer.{name} (after 2)") for when in PREDICTED for name in BUFFERS)
    return next((broken for a, b in pairs if (broken := unequal(a, seen[a], seen[b]))), None)


def gradients_off_alike(ask: Ask, inputs: Inputs) -> str | None:
    """A batch moved by 1 gives the same output in training mode, with gradients or without."""
    seen = ask(inputs)
    return unequal("Y (train, no_grad)", seen["Y (train, no_grad)"], seen["Y (train)"])


def buffers_like_torch(ask: Ask, inputs: Inputs) -> str | None:
    mean, var, seen = torch.zeros_like(inputs["weight"]), torch.ones_like(inputs["weight"]), ask(inputs)
    F.batch_norm(inputs["X"], mean, var, training=True, momentum=inputs["momentum"])
    return unequal("layer.running_mean", seen["layer.running_mean (after 1)"], mean) or unequal(
        "layer.running_var", seen["layer.running_var (after 1)"], var
    )


def updated_without_grad(ask: Ask, inputs: Inputs) -> str | None:
    """From what the buffers are after the first batch, the second one moves them as it would with gradients."""
    seen = ask(inputs)
    mean, var = (seen[f"layer.{name} (after 1)"].clone() for name in BUFFERS)
    F.batch_norm(inputs["X"] + 1, mean, var, training=True, momentum=inputs["momentum"])
    pairs = zip(BUFFERS, (mean, var), strict=True)
    found = (unequal(f"layer.{name} (after 2)", seen[f"layer.{name} (after 2)"], value) for name, value in pairs)
    return next(filter(None, found), None)


def first_values(ask: Ask, inputs: Inputs) -> str | None:
    seen, values = ask(inputs), dict(zip(KEPT, (1.0, 0.0, 0.0, 1.0), strict=True))
    names = ((f"layer.{name} (init)", torch.full_like(inputs["weight"], value)) for name, value in values.items())
    return next((broken for name, value in names if (broken := unequal(name, seen[name], value))), None)


def learned(ask: Ask, inputs: Inputs) -> str | None:
    return unequal("layer.parameters()", ask(inputs)["layer.parameters()"], words(PARAMETERS))


def saved(ask: Ask, inputs: Inputs) -> str | None:
    return unequal("layer.state_dict()", ask(inputs)["layer.state_dict()"], words(KEPT))


def without_gradients(ask: Ask, inputs: Inputs) -> str | None:
    return unequal(GRAPH[0], ask(inputs)[GRAPH[0]], False)


SMALL = {"X": [[1.0], [3.0]], "weight": [2.0], "bias": [1.0], "eps": 0.25, "momentum": 0.25}

EXERCISE = CodeExercise(
    name="batch_norm_layer",
    chapter=3,
    call="BatchNorm(num_features, eps, momentum)",
    ask=ask,
    inputs=(
        by_hand(**SMALL),
        by_hand(**{**SMALL, "X": [[1.0, 2.0], [3.0, 8.0]], "weight": [2.0, 0.5], "bias": [1.0, -1.0]}),
        drawn(4, 3),
        drawn(8, 2),
    ),
    right=BatchNorm,
    mistakes=MISTAKES,
    telling=TELLING,
    sound=SOUND,
    properties=(
        Property("like_torch_in_training", like_torch_in_training),
        Property("gradient_like_torch", gradient_like_torch),
        Property("gradients_off_alike", gradients_off_alike),
        Property("buffers_like_torch", buffers_like_torch),
        Property("updated_without_grad", updated_without_grad),
        Property("unchanged_in_prediction", unchanged_in_prediction),
        Property("alone_in_prediction", alone_in_prediction),
        Property("first_values", first_values),
        Property("learned", learned),
        Property("saved", saved),
        Property("without_gradients", without_gradients),
    ),
)
