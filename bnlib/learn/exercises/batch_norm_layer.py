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
from bnlib.learn.show import unequal

PARAMETERS, BUFFERS = ("weight", "bias"), ("running_mean", "running_var")
KEPT = PARAMETERS + BUFFERS
GRADIENT = "grad(Y[0].sum(), X)"


def ask(answer, inputs: Inputs):
    """Training mode with and without gradients, then prediction mode with and without, and what the layer keeps."""
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
    seen["running statistics require grad"] = any(getattr(layer, name).requires_grad for name in BUFFERS)
    with torch.no_grad():
        seen["Y (train, no_grad)"] = layer(X + 1)
    seen |= buffers(layer, "after 2")
    layer.eval()
    seen["Y (eval)"] = layer(X)
    with torch.no_grad():
        seen["Y (eval, no_grad)"] = layer(X + 1)
    seen |= buffers(layer, "after eval")
    seen["layer.parameters()"] = words(name for name, _ in layer.named_parameters())
    return seen | {"layer.state_dict()": words(name for name in layer.state_dict() if name in KEPT)}


def kept(layer: nn.Module, name: str):
    return getattr(layer, name).detach().clone()


def buffers(layer: nn.Module, when: str):
    return {f"layer.{name} ({when})": kept(layer, name) for name in BUFFERS}


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
    return unequal("Y (eval)", seen["Y (eval)"], expected)


def unchanged_in_prediction(ask: Ask, inputs: Inputs) -> str | None:
    seen = ask(inputs)
    pairs = ((f"layer.{name} (after eval)", f"layer.{name} (after 2)") for name in BUFFERS)
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
    properties=(
        Property("like_torch_in_training", like_torch_in_training),
        Property("gradient_like_torch", gradient_like_torch),
        Property("gradients_off_alike", gradients_off_alike),
        Property("buffers_like_torch", buffers_like_torch),
        Property("unchanged_in_prediction", unchanged_in_prediction),
        Property("alone_in_prediction", alone_in_prediction),
    ),
)
