"""Exercise: repair a prediction that depends on the company, for want of eval() (chapter 06, case 1)."""

from copy import deepcopy

import torch
from torch import nn

from bnlib.learn.exercise import Ask, CodeExercise, Inputs, Property, batch, by_hand, need_shape
from bnlib.learn.show import unequal

BUFFERS = ("running_mean", "running_var")
LEARNED = {"net[0].weight": "weight", "net[0].bias": "bias"}
MODES = ("net.training", "net[0].training", "net[1].training")


def ask(answer, inputs: Inputs):
    """One prediction by a network of normalization and dropout; then its statistics, and the mode of each part."""
    X = inputs["X"]
    norm, dropout = nn.BatchNorm1d(X.shape[1]), nn.Dropout(inputs["p"])
    net = nn.Sequential(norm, dropout).train(inputs["net.training"])
    norm.train(inputs["net[0].training"])
    for name in BUFFERS:
        getattr(norm, name).copy_(inputs[name])
    with torch.no_grad():
        for name in LEARNED.keys() & inputs.keys():  # in the smallest inputs these are 1 and 0, as in a new layer
            getattr(norm, LEARNED[name]).copy_(inputs[name])
    scores = need_shape("scores", answer(net, X), X.shape)
    kept = {f"net[0].{name} (after)": getattr(norm, name).clone() for name in BUFFERS}
    modes = {f"{name} (after)": m.training for name, m in zip(MODES, (net, norm, dropout), strict=True)}
    return {"scores": scores, **kept, **modes, "scores.requires_grad": scores.requires_grad}


def drawn(n: int, d: int):
    """A trained layer, the variance of whose last feature is so small that eps shows."""

    def make(generator):
        X, mean = batch(n, d, generator=generator), torch.randn(d, generator=generator)
        var = 1 + torch.rand(d, generator=generator)
        var[-1] /= 1000
        learned = {name: 0.5 + torch.rand(d, generator=generator) for name in LEARNED}
        return given(X=X, running_mean=mean, running_var=var, **learned, p=0.5)

    return make


def given(**values):
    return {**values, "net.training": True, "net[0].training": True}


def predict(net, X):
    with torch.no_grad():
        return net(X)


def right(net, X):
    before = [(module, module.training) for module in net.modules()]
    net.eval()
    with torch.no_grad():
        scores = net(X)
    for module, training in before:
        module.training = training
    return scores


@torch.no_grad()
def not_restored(net, X):
    return net.eval()(X)


@torch.no_grad()
def train_after(net, X):
    scores = net.eval()(X)
    net.train()
    return scores


@torch.no_grad()
def all_alike(net, X):
    before = net.training
    scores = net.eval()(X)
    net.train(before)
    return scores


@torch.no_grad()
def top_only(net, X):
    net.training = False
    return net(X)


@torch.no_grad()
def too_late(net, X):
    scores = net(X)
    net.eval()
    return scores


@torch.no_grad()
def norm_only(net, X):
    norms = [(module, module.training) for module in net.modules() if isinstance(module, nn.BatchNorm1d)]
    for module, _ in norms:
        module.eval()
    scores = net(X)
    for module, training in norms:
        module.train(training)
    return scores


@torch.no_grad()
def statistics_put_back(net, X):
    before = deepcopy(net.state_dict())
    scores = net(X)
    net.load_state_dict(before)
    return scores


def with_graph(net, X):
    before = [(module, module.training) for module in net.modules()]
    scores = net.eval()(X)
    for module, training in before:
        module.training = training
    return scores


MISTAKES = {
    "unchanged": predict,
    "not_restored": not_restored,
    "train_after": train_after,
    "all_alike": all_alike,
    "top_only": top_only,
    "too_late": too_late,
    "norm_only": norm_only,
    "statistics_put_back": statistics_put_back,
    "with_graph": with_graph,
}


def alone(ask: Ask, inputs: Inputs) -> str | None:
    X = inputs["X"]
    more = ask({**inputs, "X": torch.cat([X, X + 10])})["scores"][: len(X)]
    return unequal("scores (with X + 10 beside)", more, ask(inputs)["scores"])


def by_the_buffers(ask: Ask, inputs: Inputs) -> str | None:
    X, mean, var = (inputs[name] for name in ("X", *BUFFERS))
    weight, bias = inputs.get("net[0].weight", 1.0), inputs.get("net[0].bias", 0.0)
    return unequal("scores", ask(inputs)["scores"], weight * (X - mean) / torch.sqrt(var + 1e-5) + bias)


def statistics_untouched(ask: Ask, inputs: Inputs) -> str | None:
    seen = ask(inputs)
    found = (unequal(f"net[0].{name}", seen[f"net[0].{name} (after)"], inputs[name]) for name in BUFFERS)
    return next((broken for broken in found if broken), None)


def modes_as_before(ask: Ask, inputs: Inputs) -> str | None:
    seen = ask(inputs)
    before = (inputs["net.training"], inputs["net[0].training"], inputs["net.training"])
    found = (unequal(name, seen[f"{name} (after)"], mode) for name, mode in zip(MODES, before, strict=True))
    return next((broken for broken in found if broken), None)


SMALL = given(X=[[1.0], [3.0]], running_mean=[1.0], running_var=[4.0], p=0.0)
TRAINED = {"net[0].weight": [2.0], "net[0].bias": [1.0]}

EXERCISE = CodeExercise(
    name="repair_predict",
    chapter=6,
    call="predict(net, X)",
    ask=ask,
    inputs=(
        by_hand(**SMALL),
        by_hand(**{**SMALL, "net.training": False, "net[0].training": False}),
        by_hand(**{**SMALL, "net[0].training": False}),
        by_hand(**{**SMALL, "p": 0.5}),
        by_hand(**SMALL, **TRAINED),
        by_hand(**{**SMALL, "running_var": [0.0001]}),
        drawn(4, 3),
        drawn(8, 2),
    ),
    right=right,
    mistakes=MISTAKES,
    sound={"statistics_put_back": tuple(f"net[0].{name} (after)" for name in BUFFERS)},
    properties=(
        Property("alone", alone),
        Property("by_the_buffers", by_the_buffers),
        Property("statistics_untouched", statistics_untouched),
        Property("modes_as_before", modes_as_before),
    ),
    start=predict,
)
