"""Exercise: population statistics from batches of unequal size (chapter 06, recalibration)."""

from collections.abc import Callable

import torch
from torch import Tensor

from bnlib.learn.exercise import Ask, CodeExercise, Inputs, Property, Seen, Unfit, batch, by_hand, need_shape
from bnlib.learn.show import unequal

NAMES = ("mean", "var")
AXES = (0, 2, 3)
FAR = 512.0  # of numbers so large the squares have lost in float32 what the variance needs, the numbers have not


def ask(answer, inputs: Inputs):
    """The answer gets all inputs, in their order, as one list."""
    batches = list(inputs.values())
    found = answer(batches)
    if not isinstance(found, (tuple, list)) or len(found) != len(NAMES):
        raise Unfit("type", name="recalibrate(…)", got=type(found).__name__, expected="(mean, var)")
    shape = batches[0].shape[1:2]
    return {name: need_shape(name, value, shape) for name, value in zip(NAMES, found, strict=True)}


def named(*batches: Tensor) -> Inputs:
    return {f"X{i}": X for i, X in enumerate(batches, start=1)}


def drawn(*sizes: int, shape: tuple[int, int, int]):
    """Batches of the same distribution, but each moved by a number of its own, as batches that are not well mixed."""

    def make(generator):
        whole = batch(sum(sizes), *shape, generator=generator)
        return named(*(X + torch.randn(1, generator=generator) for X in whole.split(sizes)))

    return make


def right(batches):
    n = sum(X.numel() // X.shape[1] for X in batches)  # N * H * W, of all together
    mean = sum(X.sum(dim=(0, 2, 3)) for X in batches) / n
    squares = sum(((X - mean.view(1, -1, 1, 1)) ** 2).sum(dim=(0, 2, 3)) for X in batches)
    return mean, squares / n


def parts(batches, correction=0):
    """Of each batch: its share of all samples, and its mean and variance, (batches, C)."""
    statistics = [torch.var_mean(X, AXES, correction=correction) for X in batches]
    shares = torch.tensor([float(len(X)) for X in batches])[:, None]
    var, mean = (torch.stack(s) for s in zip(*statistics, strict=True))
    return shares / shares.sum(), mean, var


def plain_average(batches, correction=0):
    _, mean, var = parts(batches, correction)
    return mean.mean(0), var.mean(0)


def plain_mean(batches):
    return plain_average(batches)[0], right(batches)[1]


def plain_variance(batches):
    return right(batches)[0], plain_average(batches)[1]


def around_plain_mean(batches):
    mean, X = plain_average(batches)[0], torch.cat(batches)
    return mean, ((X - mean.view(1, -1, 1, 1)) ** 2).mean(dim=AXES)


def between_forgotten(batches):
    share, mean, var = parts(batches)
    return (share * mean).sum(0), (share * var).sum(0)


def unweighted(batches):
    _, mean, var = parts(batches)
    return mean.mean(0), var.mean(0) + mean.var(0, correction=0)


def unbiased_within(batches):
    share, mean, var = parts(batches, correction=1)
    middle = (share * mean).sum(0)
    return middle, (share * (var + (mean - middle) ** 2)).sum(0)


def unbiased(batches):
    var, mean = torch.var_mean(torch.cat(batches), AXES)
    return mean, var


def cancellation(batches):
    n = sum(X.numel() // X.shape[1] for X in batches)
    mean = sum(X.sum(dim=AXES) for X in batches) / n
    return mean, sum((X**2).sum(dim=AXES) for X in batches) / n - mean**2


def moving_average(first: float, correction: int, momentum: float = 0.1):
    """From 0 for the mean and from `first` for the variance, which is that of each batch with this correction."""

    def answer(batches):
        _, means, variances = parts(batches, correction)
        mean, var = torch.zeros_like(means[0]), torch.full_like(means[0], first)
        for of_batch, spread in zip(means, variances, strict=True):
            mean, var = mean.lerp(of_batch, momentum), var.lerp(spread, momentum)
        return mean, var

    return answer


def last_unbiased(batches):
    var, mean = torch.var_mean(batches[-1], AXES)
    return mean, var


def with_its_momentum(first: float, correction: int):
    """The moving average whose momentum an answer has kept, if it can be one: read off its first mean."""

    def fitted(cases: list[tuple[Inputs, Seen]]) -> Callable | None:
        inputs, seen = cases[0]
        early, late = (float(X[:, 0].mean()) for X in inputs.values())
        found = float(seen["mean"][0])  # early * (1 - m) * m + late * m, which grows with m where late is larger
        root = (early + late) ** 2 - 4 * early * found
        momentum = (early + late - root**0.5) / (2 * early) if root > 0 else 0.0
        return moving_average(first, correction, momentum) if 0.001 <= momentum <= 0.999 else None

    return fitted


def divided_by_samples(batches):
    n = sum(len(X) for X in batches)
    mean = sum(X.sum(dim=AXES) for X in batches) / n
    return mean, sum(((X - mean.view(1, -1, 1, 1)) ** 2).sum(dim=AXES) for X in batches) / n


def variance_divided_by_samples(batches):
    X = torch.cat(batches)
    mean = X.mean(dim=AXES, keepdim=True)
    return mean.flatten(), ((X - mean) ** 2).sum(dim=AXES) / len(X)


MOVING = {
    "moving_average": (1.0, 1),
    "moving_biased": (1.0, 0),
    "moving_from_zero": (0.0, 1),
    "moving_from_zero_biased": (0.0, 0),
}
MISTAKES = {
    "plain_mean": plain_mean,
    "plain_variance": plain_variance,
    "around_plain_mean": around_plain_mean,
    "plain_average": plain_average,
    "like_update_bn": lambda batches: plain_average(batches, correction=1),
    "between_forgotten": between_forgotten,
    "unweighted": unweighted,
    "unbiased_within": unbiased_within,
    "unbiased": unbiased,
    "cancellation": cancellation,
    "last_batch": lambda batches: right(batches[-1:]),
    "last_batch_unbiased": last_unbiased,
    **{name: moving_average(*how) for name, how in MOVING.items()},
    "divided_by_samples": divided_by_samples,
    "variance_divided_by_samples": variance_divided_by_samples,
    "deviation": lambda batches: (right(batches)[0], right(batches)[1].sqrt()),
}
OF_BOTH = (  # their sentences speak of the mean and of the variance
    *("around_plain_mean", "plain_average", "like_update_bn", "unweighted", "divided_by_samples"),
    *("last_batch", "last_batch_unbiased", *MOVING),
)


def both(call: str, seen, mean, var) -> str | None:
    """None if mean and variance are as given, else the first that is not."""
    pairs = zip(NAMES, (mean, var), strict=True)
    found = (unequal(name, seen[name], value) for name, value in pairs)
    broken = next((each for each in found if each), None)
    return broken and f"{call}: {broken}"


def any_order(ask: Ask, inputs: Inputs) -> str | None:
    seen = ask(inputs)
    return both("recalibrate(batches[::-1])", ask(named(*reversed(inputs.values()))), *seen.values())


def dealt_otherwise(ask: Ask, inputs: Inputs) -> str | None:
    """The last sample alone: the inputs by hand are dealt otherwise. Two values at least in a batch."""
    whole, seen = torch.cat(list(inputs.values())), ask(inputs)
    return both("recalibrate([X[:-1], X[-1:]])", ask(named(whole[:-1].clone(), whole[-1:].clone())), *seen.values())


def far_from_zero(ask: Ask, inputs: Inputs) -> str | None:
    moved = named(*(X + FAR for X in inputs.values()))
    var, mean = torch.var_mean(torch.cat(list(moved.values())).double(), AXES, correction=0)
    return both(f"recalibrate([X + {FAR:g} for X in batches])", ask(moved), mean, var)


def doubled(ask: Ask, inputs: Inputs) -> str | None:
    seen = ask(inputs)
    twice = ask(named(*(2 * X for X in inputs.values())))
    return both("recalibrate([2 * X for X in batches])", twice, 2 * seen["mean"], 4 * seen["var"])


def like_torch(ask: Ask, inputs: Inputs) -> str | None:
    var, mean = torch.var_mean(torch.cat(list(inputs.values())), AXES, correction=0)
    return both("recalibrate(batches)", ask(inputs), mean, var)


EXERCISE = CodeExercise(
    name="recalibrate",
    chapter=4,
    call="recalibrate(batches)",
    ask=ask,
    inputs=(
        by_hand(X1=[[[[1.0, 3.0]]]], X2=[[[[4.0, 6.0]]], [[[8.0, 10.0]]]]),
        by_hand(X1=[[[[8191.0, 8193.0]]]], X2=[[[[8191.0, 8193.0]]], [[[8193.0, 8191.0]]]]),
        by_hand(X1=[[[[1.0, 3.0]], [[0.0, 2.0]]]], X2=[[[[4.0, 6.0]], [[7.0, 7.0]]], [[[8.0, 10.0]], [[-1.0, 5.0]]]]),
        drawn(6, 2, 4, shape=(3, 2, 2)),
        drawn(5, 5, 1, shape=(2, 1, 3)),
    ),
    right=right,
    mistakes=MISTAKES,
    telling=dict.fromkeys(OF_BOTH, NAMES),
    fitted={name: with_its_momentum(*how) for name, how in MOVING.items()},
    properties=(
        Property("any_order", any_order),
        Property("dealt_otherwise", dealt_otherwise),
        Property("far_from_zero", far_from_zero),
        Property("doubled", doubled),
        Property("like_torch", like_torch),
    ),
)
