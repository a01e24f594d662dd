"""Exercise: repair a frozen layer whose statistics drift, since train() undoes its eval() (chapter 06, cases 4, 5)."""

from collections import Counter
from traceback import walk_tb

import torch
from torch import nn
from torch.nn import functional as F

from bnlib.learn.exercise import Ask, CodeExercise, Inputs, Property, batch, by_hand, gradient, need, need_shape
from bnlib.learn.show import unequal

BUFFERS = ("running_mean", "running_var")
KEPT = ("weight", "bias", *BUFFERS)
GRADIENT = "grad(Y.sum(), X)"
CALLED = "layer.train() is layer"
ENDLESS = 50  # calls of one function within each other


def ask(answer, inputs: Inputs):
    """What the layer does; of one whose `train` calls itself without end, that alone."""
    try:
        return used(answer, inputs)
    except RecursionError as error:
        if not back_to_train(error):
            raise
        return {CALLED: "train() → … → train() → …"}


def used(answer, inputs: Inputs):
    """A trained state is loaded; then the layer works within a network in training mode, and in prediction mode."""
    X = inputs["X"]
    layer = need("FrozenBatchNorm(…)", answer(X.shape[1]), nn.Module)
    layer.load_state_dict({name: inputs[name].clone() for name in KEPT}, strict=False)
    net = nn.Sequential(layer).train()
    leaf = X.clone().requires_grad_()
    Y = need_shape("Y", net(leaf), X.shape)
    seen = {"Y (net.train())": Y, GRADIENT: gradient(Y.sum(), leaf)}
    state = layer.state_dict()
    for name in BUFFERS:
        seen[f"layer.{name} (after net.train())"] = state.get(name, torch.empty(0)).clone()
    seen["parameters that require grad"] = words(name for name, p in layer.named_parameters() if p.requires_grad)
    seen["Y (net.eval())"] = need_shape("Y", net.eval()(X), X.shape)
    seen[CALLED] = layer.train() is layer
    return seen | {"layer.state_dict()": words(name for name in state if name in KEPT)}


def back_to_train(error: RecursionError) -> bool:
    """Whether a `train` of the answer's own is on the way to the error again and again, and torch's is not."""
    calls = Counter(frame.f_code for frame, _ in walk_tb(error.__traceback__))
    often = [code for code, number in calls.items() if code.co_name == "train" and number >= ENDLESS]
    return bool(often) and nn.Module.train.__code__ not in often


def words(names) -> str:
    return str(sorted(names))


def drawn(n: int, d: int):
    def make(generator):
        X = batch(n, d, generator=generator)
        weight, bias = 0.5 + torch.rand(d, generator=generator), torch.randn(d, generator=generator)
        mean, var = torch.randn(d, generator=generator), 1 + torch.rand(d, generator=generator)
        return {"X": X, "weight": weight, "bias": bias, "running_mean": mean, "running_var": var}

    return make


class FrozenBatchNorm(nn.BatchNorm1d):
    def __init__(self, num_features):
        super().__init__(num_features)
        self.requires_grad_(False)
        self.eval()


class Right(nn.BatchNorm1d):
    def __init__(self, num_features):
        super().__init__(num_features)
        self.requires_grad_(False)
        self.eval()

    def train(self, mode=True):
        return super().train(False)


class TrainDoesNothing(FrozenBatchNorm):
    def train(self, mode=True):
        return self


class TrainReturnsNothing(FrozenBatchNorm):
    def train(self, mode=True):
        super().train(False)


class MomentumZero(FrozenBatchNorm):
    def __init__(self, num_features):
        super().__init__(num_features)
        self.momentum = 0.0


class NotTracked(nn.BatchNorm1d):
    def __init__(self, num_features):
        super().__init__(num_features, track_running_stats=False)
        self.requires_grad_(False)


class StillLearns(nn.BatchNorm1d):
    def train(self, mode=True):
        return super().train(False)


class NoGradient(Right):
    @torch.no_grad()
    def forward(self, X):
        return super().forward(X)


class WithoutAffine(Right):
    def forward(self, X):
        return F.batch_norm(X, self.running_mean, self.running_var, eps=self.eps)


class WithoutEps(Right):
    def forward(self, X):
        return (X - self.running_mean) / self.running_var.sqrt() * self.weight + self.bias


class EpsOutside(Right):
    def forward(self, X):
        return (X - self.running_mean) / (self.running_var.sqrt() + self.eps) * self.weight + self.bias


class TrainByEval(Right):
    def train(self, mode=True):
        return self.eval()


class OtherWayRound(FrozenBatchNorm):
    def train(self, mode=True):
        return super().train(not mode)


MISTAKES = {
    "unchanged": FrozenBatchNorm,
    "momentum_zero": MomentumZero,
    "not_tracked": NotTracked,
    "train_does_nothing": TrainDoesNothing,
    "train_returns_nothing": TrainReturnsNothing,
    "other_way_round": OtherWayRound,
    "still_learns": StillLearns,
    "no_gradient": NoGradient,
    "without_affine": WithoutAffine,
    "without_eps": WithoutEps,
    "eps_outside": EpsOutside,
    "train_calls_itself": TrainByEval,
}


def by_its_constants(ask: Ask, inputs: Inputs) -> str | None:
    seen = ask(inputs)
    weight, bias, mean, var = (inputs[name] for name in KEPT)
    expected = F.batch_norm(inputs["X"], mean, var, weight, bias)
    found = (unequal(name, seen[name], expected) for name in ("Y (net.train())", "Y (net.eval())"))
    return next((broken for broken in found if broken), None)


def statistics_stand_still(ask: Ask, inputs: Inputs) -> str | None:
    seen = ask(inputs)
    found = (unequal(f"layer.{name}", seen[f"layer.{name} (after net.train())"], inputs[name]) for name in BUFFERS)
    return next((broken for broken in found if broken), None)


def gradient_passes(ask: Ask, inputs: Inputs) -> str | None:
    expected = inputs["weight"] / torch.sqrt(inputs["running_var"] + 1e-5)
    return unequal(GRADIENT, ask(inputs)[GRADIENT], expected.expand_as(inputs["X"]))


SMALL = {"X": [[1.0], [3.0]], "weight": [2.0], "bias": [1.0], "running_mean": [1.0], "running_var": [4.0]}

EXERCISE = CodeExercise(
    name="repair_freeze",
    chapter=6,
    call="FrozenBatchNorm(num_features)",
    ask=ask,
    inputs=(by_hand(**SMALL), by_hand(**{**SMALL, "running_var": [0.0001]}), drawn(2, 2), drawn(4, 3), drawn(8, 2)),
    right=Right,
    mistakes=MISTAKES,
    sound={
        "momentum_zero": tuple(f"layer.{name} (after net.train())" for name in BUFFERS),
        "other_way_round": ("Y (net.train())",),
    },
    properties=(
        Property("by_its_constants", by_its_constants),
        Property("statistics_stand_still", statistics_stand_still),
        Property("gradient_passes", gradient_passes),
    ),
    start=FrozenBatchNorm,
)
