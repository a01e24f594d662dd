"""Exercise: repair a block in which dropout shifts the variance that is kept for prediction (chapter 06, case 7)."""

import torch
from torch import nn
from torch.nn import functional as F

from bnlib.learn.exercise import Ask, CodeExercise, Inputs, Property, batch, by_hand, need, need_shape
from bnlib.learn.outcome import same
from bnlib.learn.show import unequal

PASSES, ROUNDS = 25, 60  # at most, until the statistics that a layer keeps stand still
COPIES = 40  # so many that each value is dropped in one of them and kept in another
PREDICTED, AGAIN = "Y (eval)", "Y (eval) == Y (eval again)"
LEAST, LARGEST = f"min of Y in {COPIES} copies (train)", f"max of Y in {COPIES} copies (train)"


def ask(answer, inputs: Inputs):
    """A pass in training mode over many copies of a batch, whose statistics are kept; then prediction."""
    X = inputs["X"]
    block = need("hidden(…)", answer(X.shape[1], inputs["p"]), nn.Module)
    copies = X.repeat(COPIES, 1)
    with torch.no_grad():
        settle(block, X, copies)
        Y = need_shape("Y", block(copies), copies.shape).view(COPIES, *X.shape)
        block.eval()
        predicted, again = (need_shape("Y", block(X), X.shape) for _ in range(2))
    alike = bool((predicted == again).all())
    unbiased, biased = (in_prediction(X, copies.var(0, correction=n)) for n in (1, 0))
    return {
        PREDICTED: unbiased if same(predicted, biased) else predicted,
        AGAIN: alike,
        LARGEST: Y.amax(0),
        LEAST: Y.amin(0),
    }


def settle(block: nn.Module, X: torch.Tensor, copies: torch.Tensor) -> None:
    """Bring the kept statistics near those of the copies: in layers of torch by momentum, in others by many passes."""
    for module in block.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = 1.0
    block.train()
    if all(type(module).__module__.startswith("torch.nn.") for module in block.modules()):
        return
    before = None
    with torch.random.fork_rng(devices=[]):  # the pass that is looked at draws the same numbers with or without these
        for _ in range(ROUNDS):
            for _ in range(PASSES):
                block(copies)
            now = need_shape("Y", block.eval()(X), X.shape)
            block.train()
            if before is not None and torch.allclose(before, now, rtol=0, atol=5e-6):
                return
            before = now


def in_prediction(X: torch.Tensor, var: torch.Tensor) -> torch.Tensor:
    """The right output in prediction mode, if a layer has kept that variance."""
    return F.relu(F.batch_norm(X, X.mean(0), var))


def drawn(n: int, d: int, p: float):
    return lambda generator: {"X": batch(n, d, generator=generator), "p": p}


def hidden(num_features, p):
    return nn.Sequential(
        nn.Dropout(p),
        nn.BatchNorm1d(num_features),
        nn.ReLU(),
    )


def right(num_features, p):
    return nn.Sequential(
        nn.BatchNorm1d(num_features),
        nn.ReLU(),
        nn.Dropout(p),
    )


class DropsAlways(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.p = p

    def forward(self, X):
        return F.dropout(X, self.p)


class Unscaled(nn.Module):
    def __init__(self, num_features, p):
        super().__init__()
        self.norm, self.p = nn.BatchNorm1d(num_features), p

    def forward(self, X):
        Y = F.relu(self.norm(X))
        return Y * (torch.rand_like(Y) >= self.p) if self.training else Y


def twice(num_features, p):
    return nn.Sequential(nn.Dropout(p), nn.BatchNorm1d(num_features), nn.ReLU(), nn.Dropout(p))


def statistics_of_the_batch(num_features, p):
    return nn.Sequential(nn.Dropout(p), nn.BatchNorm1d(num_features, track_running_stats=False), nn.ReLU())


MISTAKES = {
    "unchanged": hidden,
    "no_dropout": lambda d, p: nn.Sequential(nn.BatchNorm1d(d), nn.ReLU()),
    "no_norm": lambda d, p: nn.Sequential(nn.ReLU(), nn.Dropout(p)),
    "relu_first": lambda d, p: nn.Sequential(nn.ReLU(), nn.BatchNorm1d(d), nn.Dropout(p)),
    "no_relu": lambda d, p: nn.Sequential(nn.BatchNorm1d(d), nn.Dropout(p)),
    "other_share": lambda d, p: nn.Sequential(nn.BatchNorm1d(d), nn.ReLU(), nn.Dropout(1 - p)),
    "unscaled": Unscaled,
    "twice": twice,
    "statistics_of_the_batch": statistics_of_the_batch,
    "always": lambda d, p: nn.Sequential(nn.BatchNorm1d(d), nn.ReLU(), DropsAlways(p)),
}


def no_chance_in_prediction(ask: Ask, inputs: Inputs) -> str | None:
    return unequal(AGAIN, ask(inputs)[AGAIN], True)


def unit_variance_in_prediction(ask: Ask, inputs: Inputs) -> str | None:
    """The statistics that are kept are those of X: before the ReLU, what comes out has variance 1."""
    X, copies = inputs["X"], inputs["X"].repeat(COPIES, 1)
    return unequal(PREDICTED, ask(inputs)[PREDICTED], in_prediction(X, copies.var(0)))


def each_value_dropped(ask: Ask, inputs: Inputs) -> str | None:
    return unequal(LEAST, ask(inputs)[LEAST], torch.zeros_like(inputs["X"]))


def what_stays_is_scaled(ask: Ask, inputs: Inputs) -> str | None:
    kept = F.relu(F.batch_norm(inputs["X"], None, None, training=True))
    return unequal(LARGEST, ask(inputs)[LARGEST], kept / (1 - inputs["p"]))


EXERCISE = CodeExercise(
    name="repair_dropout",
    chapter=6,
    call="hidden(num_features, p)",
    ask=ask,
    inputs=(
        by_hand(X=[[1.0], [3.0]], p=0.5),
        by_hand(X=[[1.0, -2.0], [3.0, 4.0]], p=0.4),
        drawn(4, 3, p=0.4),
        drawn(8, 2, p=0.6),
    ),
    right=right,
    mistakes=MISTAKES,
    properties=(
        Property("no_chance_in_prediction", no_chance_in_prediction),
        Property("unit_variance_in_prediction", unit_variance_in_prediction),
        Property("each_value_dropped", each_value_dropped),
        Property("what_stays_is_scaled", what_stays_is_scaled),
    ),
    start=hidden,
)
