"""Exercise: repair a block in which dropout shifts the variance that is kept for prediction (chapter 06, case 7)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bnlib.learn.exercise import Ask, CodeExercise, Inputs, Property, batch, by_hand, need, need_shape
from bnlib.learn.outcome import same
from bnlib.learn.show import unequal

PASSES, ROUNDS = 25, 20  # so many passes twice, if need be, show where the statistics that a layer keeps will be
STOPS = 3e-3
COPIES, FEW, TIMES = 40, 4, 25  # more copies at once are less exact in float32
MANY = COPIES * FEW  # each value is dropped in one and kept in another; TIMES as many have the share p to 0.05: 6 sigma
PREDICTED, AGAIN = "Y (eval)", "Y (eval) == Y (eval again)"
ALONE = "Y (eval) == Y (eval, with X + 10 beside)"
LEAST, LARGEST = f"min of Y in {MANY} copies (train)", f"max of Y in {MANY} copies (train)"
SHARE = f"share dropped in {TIMES * MANY} copies (train)"
ONE_BY_ONE = "of one sample some numbers are dropped, some are not (train)"


def ask(answer, inputs: Inputs):
    """A pass in training mode over copies of a batch, whose statistics are kept; prediction, also in company.

    Then what is dropped of many copies in training mode, in tenths: a right answer may draw as it likes.
    """
    X = inputs["X"]
    block = need("hidden(…)", answer(X.shape[1], inputs["p"]), nn.Module)
    copies = X.repeat(COPIES, 1)
    with torch.no_grad():
        carried = settle(block, copies)
        need_shape("Y", block(copies), copies.shape)
        block.eval()
        predicted, again = (need_shape("Y", block(X), X.shape) for _ in range(2))
        company = torch.cat([X, X + 10])
        beside = need_shape("Y", block(company), company.shape)[: len(X)]
        block.train()
        Y = torch.cat([need_shape("Y", block(copies), copies.shape) for _ in range(TIMES * FEW)])
    Y = Y.view(TIMES, MANY, *X.shape)
    dropped = Y == 0
    alike = bool((predicted == again).all())
    unbiased, biased = (in_prediction(X, copies.var(0, correction=n)) for n in (1, 0))
    right = same(predicted, biased) or (carried and any(near(predicted, due) for due in (unbiased, biased)))
    return {
        PREDICTED: unbiased if right else predicted,
        AGAIN: alike,
        ALONE: same(beside, predicted) or not alike,  # of chance in prediction, that alone is told
        LARGEST: Y.amax(1).amin(0),
        LEAST: Y.amin(1).amax(0),
        SHARE: round(dropped[..., positive(X)].float().mean().item(), 1),
        ONE_BY_ONE: apart(dropped, positive(X)),
    }


def positive(X: Tensor) -> Tensor:
    """Where the ReLU of the normalized batch is not 0."""
    return F.batch_norm(X, None, None, training=True) > 1e-3


def apart(dropped: Tensor, places: Tensor) -> bool:
    """Whether some of a sample's numbers are dropped in a copy and others kept; true if no sample has two places."""
    number = (dropped & places).sum(-1)
    return bool(((number > 0) & (number < places.sum(-1))).any() or (places.sum(-1) < 2).all())


def settle(block: nn.Module, copies: Tensor) -> bool:
    """Bring the kept statistics to those of the copies: in layers of torch by momentum, in others by many passes.

    Each pass draws the random numbers that the one draws which is looked at, so its statistics are the same. What has
    not settled by then is carried on to where it is going, so that it does not matter how slowly a layer forgets; then
    it is true that something was carried on.
    """
    for module in block.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = 1.0
    block.train()
    if all(type(module).__module__.startswith("torch.nn.") for module in block.modules()):
        return False
    begin, past = torch.get_rng_state(), []
    with torch.random.fork_rng(devices=[]):
        for number in range(2 * ROUNDS + 1):
            for _ in range(PASSES):
                torch.set_rng_state(begin)
                block(copies)
            past.append({key: value.clone() for key, value in numbers(block).items()})
            if number and all(key in past[-2] and torch.equal(past[-2][key], past[-1][key]) for key in past[-1]):
                return False
    carry_on(block, past[0], past[ROUNDS])
    return True


def near(Y: Tensor, due: Tensor) -> bool:
    """As near as a slow moving average in float32 comes: where a step is lost in rounding, it stops."""
    return torch.allclose(Y, due, rtol=STOPS, atol=STOPS)


def numbers(block: nn.Module) -> dict[tuple[nn.Module, str], Tensor]:
    """All that the parts of a block keep, by part and name: buffers, parameters, and tensors as plain attributes."""
    found = {}
    for part in block.modules():
        every = [*vars(part).items(), *part.named_parameters(recurse=False), *part.named_buffers(recurse=False)]
        found |= {
            (part, name): value for name, value in every if isinstance(value, Tensor) and value.is_floating_point()
        }
    return found


def carry_on(block: nn.Module, first: dict, second: dict) -> None:
    """Take moving averages to their end: over the same number of passes, what is missing shrinks by the same factor."""
    for key, now in numbers(block).items():
        if all(key in past and past[key].shape == now.shape for past in (first, second)):
            earlier, later = second[key] - first[key], now - second[key]
            left = later / earlier
            now += torch.where((left > 0) & (left < 0.99), later * left / (1 - left), 0.0)


def in_prediction(X: Tensor, var: Tensor) -> Tensor:
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


class MaskInverted(Unscaled):
    def forward(self, X):
        Y = F.relu(self.norm(X))
        return Y * (torch.rand_like(Y) < self.p) / (1 - self.p) if self.training else Y


def twice(num_features, p):
    return nn.Sequential(nn.Dropout(p), nn.BatchNorm1d(num_features), nn.ReLU(), nn.Dropout(p))


def untracked(num_features):
    return nn.BatchNorm1d(num_features, track_running_stats=False)


MISTAKES = {
    "unchanged": hidden,
    "no_dropout": lambda d, p: nn.Sequential(nn.BatchNorm1d(d), nn.ReLU()),
    "no_norm": lambda d, p: nn.Sequential(nn.ReLU(), nn.Dropout(p)),
    "relu_first": lambda d, p: nn.Sequential(nn.ReLU(), nn.BatchNorm1d(d), nn.Dropout(p)),
    "no_relu": lambda d, p: nn.Sequential(nn.BatchNorm1d(d), nn.Dropout(p)),
    "other_share": lambda d, p: nn.Sequential(nn.BatchNorm1d(d), nn.ReLU(), nn.Dropout(1 - p)),
    "mask_inverted": MaskInverted,
    "whole_samples": lambda d, p: nn.Sequential(nn.BatchNorm1d(d), nn.ReLU(), nn.Dropout1d(p)),
    "unscaled": Unscaled,
    "twice": twice,
    "statistics_of_the_batch": lambda d, p: nn.Sequential(untracked(d), nn.ReLU(), nn.Dropout(p)),
    "statistics_of_the_batch_alone": lambda d, p: nn.Sequential(nn.Dropout(p), untracked(d), nn.ReLU()),
    "always": lambda d, p: nn.Sequential(nn.BatchNorm1d(d), nn.ReLU(), DropsAlways(p)),
}
TELLING = dict.fromkeys(("no_norm", "no_relu", "relu_first", "twice"), (PREDICTED,))
SOUND = {"twice": (LEAST,), "unscaled": (LEAST,), "other_share": (LEAST,), "mask_inverted": (LEAST, LARGEST)}


def no_chance_in_prediction(ask: Ask, inputs: Inputs) -> str | None:
    return unequal(AGAIN, ask(inputs)[AGAIN], True)


def alone_in_prediction(ask: Ask, inputs: Inputs) -> str | None:
    return unequal(ALONE, ask(inputs)[ALONE], True)


def unit_variance_in_prediction(ask: Ask, inputs: Inputs) -> str | None:
    """The statistics that are kept are those of X: before the ReLU, what comes out has variance 1."""
    X, copies = inputs["X"], inputs["X"].repeat(COPIES, 1)
    return unequal(PREDICTED, ask(inputs)[PREDICTED], in_prediction(X, copies.var(0)))


def each_value_dropped(ask: Ask, inputs: Inputs) -> str | None:
    return unequal(LEAST, ask(inputs)[LEAST], torch.zeros_like(inputs["X"]))


def share_dropped(ask: Ask, inputs: Inputs) -> str | None:
    return unequal(SHARE, ask(inputs)[SHARE], inputs["p"])


def one_by_one(ask: Ask, inputs: Inputs) -> str | None:
    return unequal(ONE_BY_ONE, ask(inputs)[ONE_BY_ONE], True)


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
        by_hand(X=[[1.0, -2.0], [3.0, 4.0]], p=0.2),
        drawn(4, 3, p=0.4),
        drawn(8, 2, p=0.6),
    ),
    right=right,
    mistakes=MISTAKES,
    telling=TELLING,
    sound=SOUND,
    properties=(
        Property("no_chance_in_prediction", no_chance_in_prediction),
        Property("alone_in_prediction", alone_in_prediction),
        Property("unit_variance_in_prediction", unit_variance_in_prediction),
        Property("each_value_dropped", each_value_dropped),
        Property("share_dropped", share_dropped),
        Property("one_by_one", one_by_one),
        Property("what_stays_is_scaled", what_stays_is_scaled),
    ),
    start=hidden,
)
