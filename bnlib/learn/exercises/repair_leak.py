"""Exercise: repair a measurement that wakes the network it measures (chapter 06, cases 2 and 5)."""

from copy import deepcopy
from numbers import Real

import torch
from torch import Tensor, nn

from bnlib.learn.exercise import Ask, CodeExercise, Inputs, Property, Unfit, by_hand
from bnlib.learn.show import unequal

BUFFERS = ("running_mean", "running_var")
MODES = ("net.training", "net[0].training")


def ask(answer, inputs: Inputs):
    """The accuracy of a network that answers 1 where a normalized number is positive; then its statistics and mode."""
    norm, linear = nn.BatchNorm1d(1), nn.Linear(1, 2)
    net = nn.Sequential(norm, linear).train(inputs["net.training"])
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[-1.0], [1.0]]))
        linear.bias.zero_()
        for name in BUFFERS:
            getattr(norm, name).copy_(inputs[name])
    batches = [(inputs["X1"], inputs["y1"]), (inputs["X2"], inputs["y2"])]
    found = number(answer(net, batches))
    kept = {f"net[0].{name} (after)": getattr(norm, name).clone() for name in BUFFERS}
    modes = {f"{name} (after)": module.training for name, module in zip(MODES, (net, norm), strict=True)}
    return {"accuracy": found, **kept, **modes}


def number(found: object) -> float:
    """A number, also one in a tensor, of NumPy or a fraction.

    Raises:
        Unfit: if it is none.
    """
    if found is None:
        raise Unfit("nothing", name="accuracy")
    if isinstance(found, Tensor) and found.numel() == 1:
        return float(found)
    if isinstance(found, Real):
        return float(found)
    raise Unfit("type", name="accuracy", got=type(found).__name__, expected="float")


def drawn(n1: int, n2: int, training: bool):
    """Two batches about the running mean; most labels say on which side of it a number lies."""

    def make(generator):
        mean = torch.randn(1, generator=generator)
        X1, X2 = (mean + place + torch.randn(n, 1, generator=generator) for n, place in ((n1, 0.0), (n2, 1.5)))
        y1, y2 = (((X > mean).squeeze(1) ^ (torch.rand(len(X), generator=generator) < 0.2)).long() for X in (X1, X2))
        given = {"X1": X1, "y1": y1, "X2": X2, "y2": y2, "running_mean": mean}
        return {**given, "running_var": 1 + torch.rand(1, generator=generator), "net.training": training}

    return make


def accuracy(net, batches):
    hits, total = 0, 0
    net.eval()
    for X, y in batches:
        with torch.no_grad():
            hits += (net(X).argmax(dim=1) == y).sum().item()
        total += len(y)
        net.train()
    return hits / total


def right(net, batches):
    before, hits, total = net.training, 0, 0
    net.eval()
    for X, y in batches:
        with torch.no_grad():
            hits += (net(X).argmax(dim=1) == y).sum().item()
        total += len(y)
    net.train(before)
    return hits / total


@torch.no_grad()
def hits(net, batches) -> float:
    return sum((net(X).argmax(dim=1) == y).sum().item() for X, y in batches) / sum(len(y) for _, y in batches)


def train_after(net, batches):
    found = hits(net.eval(), batches)
    net.train()
    return found


def not_restored(net, batches):
    return hits(net.eval(), batches)


def always_training(net, batches):
    return hits(net.train(), batches)


def eval_too_late(net, batches):
    found, total = 0.0, 0
    for X, y in batches:
        found += hits(net, [(X, y)]) * len(y)
        total += len(y)
        net.eval()
    return found / total


def mean_of_batches(net, batches):
    before = net.training
    found = [hits(net.eval(), [part]) for part in batches]
    net.train(before)
    return sum(found) / len(found)


def statistics_put_back(net, batches):
    before, state = net.training, deepcopy(net.state_dict())
    found = accuracy(net, batches)
    net.load_state_dict(state)
    net.train(before)
    return found


MISTAKES = {
    "unchanged": accuracy,
    "train_after": train_after,
    "not_restored": not_restored,
    "always_training": always_training,
    "eval_too_late": eval_too_late,
    "mean_of_batches": mean_of_batches,
    "statistics_put_back": statistics_put_back,
}


def by_the_buffers(ask: Ask, inputs: Inputs) -> str | None:
    X, y = (torch.cat([inputs[f"{name}1"], inputs[f"{name}2"]]) for name in "Xy")
    expected = ((X > inputs["running_mean"]).squeeze(1) == (y == 1)).float().mean().item()
    return unequal("accuracy", ask(inputs)["accuracy"], expected)


def order_of_batches(ask: Ask, inputs: Inputs) -> str | None:
    exchanged = {"X1": inputs["X2"], "y1": inputs["y2"], "X2": inputs["X1"], "y2": inputs["y1"]}
    return unequal("accuracy (X2 first)", ask({**inputs, **exchanged})["accuracy"], ask(inputs)["accuracy"])


def statistics_untouched(ask: Ask, inputs: Inputs) -> str | None:
    seen = ask(inputs)
    found = (unequal(f"net[0].{name}", seen[f"net[0].{name} (after)"], inputs[name]) for name in BUFFERS)
    return next((broken for broken in found if broken), None)


def mode_as_before(ask: Ask, inputs: Inputs) -> str | None:
    seen = ask(inputs)
    found = (unequal(name, seen[f"{name} (after)"], inputs["net.training"]) for name in MODES)
    return next((broken for broken in found if broken), None)


SMALL = {"X1": [[1.0], [3.0]], "y1": [0, 1], "X2": [[3.0], [5.0]], "y2": [1, 1]}
SMALL |= {"running_mean": [2.0], "running_var": [1.0], "net.training": True}

EXERCISE = CodeExercise(
    name="repair_leak",
    chapter=6,
    call="accuracy(net, batches)",
    ask=ask,
    inputs=(
        by_hand(**SMALL),
        by_hand(**{**SMALL, "net.training": False}),
        by_hand(**{**SMALL, "X1": [[3.0], [5.0]], "y1": [1, 1], "X2": [[1.0], [3.0]], "y2": [0, 1]}),
        drawn(6, 3, training=False),
        drawn(3, 8, training=True),
    ),
    right=right,
    mistakes=MISTAKES,
    sound={"statistics_put_back": tuple(f"net[0].{name} (after)" for name in BUFFERS)},
    properties=(
        Property("by_the_buffers", by_the_buffers),
        Property("order_of_batches", order_of_batches),
        Property("statistics_untouched", statistics_untouched),
        Property("mode_as_before", mode_as_before),
    ),
    start=accuracy,
)
