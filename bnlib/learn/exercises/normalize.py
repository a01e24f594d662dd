"""Exercise: normalize each feature of a batch (chapter 02, equations 2.1 to 2.3)."""

import torch
from torch.nn import functional as F

from bnlib.learn.exercise import Ask, CodeExercise, Inputs, Property, batch, by_hand
from bnlib.learn.show import unequal


def ask(answer, inputs: Inputs):
    return {"normalized": answer(inputs["X"], inputs["eps"])}


def drawn(n: int, d: int):
    return lambda generator: {"X": batch(n, d, generator=generator), "eps": 0.3}


def right(X, eps):
    mean = X.mean(dim=0)
    var = ((X - mean) ** 2).mean(dim=0)
    return (X - mean) / torch.sqrt(var + eps)


def along(X, eps, dim=0, correction=0):
    var, mean = torch.var_mean(X, dim=dim, correction=correction, keepdim=True)
    return (X - mean) / torch.sqrt(var + eps)


def along_by_std(X, eps, dim):
    """With torch's std, and eps outside the root."""
    return (X - X.mean(dim, keepdim=True)) / (X.std(dim, keepdim=True) + eps)


def rows_against_columns(X, eps, correction=0):
    return (X - X.mean(1)) / torch.sqrt(X.var(1, correction=correction) + eps)


MISTAKES = {
    "rows_against_columns": rows_against_columns,
    "rows_against_columns_unbiased": lambda X, eps: rows_against_columns(X, eps, correction=1),
    "rows_against_columns_std": lambda X, eps: (X - X.mean(1)) / (X.std(1) + eps),
    "per_sample": lambda X, eps: along(X, eps, dim=1),
    "per_sample_unbiased": lambda X, eps: along(X, eps, dim=1, correction=1),
    "per_sample_std": lambda X, eps: along_by_std(X, eps, dim=1),
    "over_everything": lambda X, eps: along(X, eps, dim=(0, 1)),
    "over_everything_unbiased": lambda X, eps: along(X, eps, dim=(0, 1), correction=1),
    "over_everything_std": lambda X, eps: along_by_std(X, eps, dim=(0, 1)),
    "unbiased": lambda X, eps: along(X, eps, correction=1),
    "eps_outside": lambda X, eps: (X - X.mean(0)) / (X.std(0, correction=0) + eps),
    "eps_outside_unbiased": lambda X, eps: along_by_std(X, eps, dim=0),
    "no_eps": lambda X, eps: along(X, 0.0),
    "no_eps_unbiased": lambda X, eps: along(X, 0.0, correction=1),
    "no_root": lambda X, eps: (X - X.mean(0)) / (X.var(0, correction=0) + eps),
    "mean_kept": lambda X, eps: X / torch.sqrt(X.var(0, correction=0) + eps),
    "mean_square": lambda X, eps: (X - X.mean(0)) / torch.sqrt((X**2).mean(0) + eps),
    "multiplied": lambda X, eps: (X - X.mean(0)) * torch.sqrt(X.var(0, correction=0) + eps),
}


def zero_mean(ask: Ask, inputs: Inputs) -> str | None:
    mean = ask(inputs)["normalized"].mean(0)
    return unequal("normalized.mean(0)", mean, 0 * mean)


def unit_variance(ask: Ask, inputs: Inputs) -> str | None:
    var, got = inputs["X"].var(0, correction=0), ask(inputs)["normalized"].var(0, correction=0)
    return unequal("normalized.var(0, correction=0)", got, var / (var + inputs["eps"]))


def shift_and_scale(ask: Ask, inputs: Inputs) -> str | None:
    """Stretching by a, with eps by a², and shifting change nothing."""
    other = {"X": 2 * inputs["X"] + 1, "eps": 4 * inputs["eps"]}
    return unequal("normalize(2 * X + 1, 4 * eps)", ask(other)["normalized"], ask(inputs)["normalized"])


def features_apart(ask: Ask, inputs: Inputs) -> str | None:
    X = inputs["X"]
    alone = ask({**inputs, "X": X[:, :1].clone()})["normalized"]
    return unequal("normalize(X[:, :1], eps)", alone, ask(inputs)["normalized"][:, :1])


def like_torch(ask: Ask, inputs: Inputs) -> str | None:
    expected = F.batch_norm(inputs["X"], None, None, training=True, eps=inputs["eps"])
    return unequal("normalized", ask(inputs)["normalized"], expected)


EXERCISE = CodeExercise(
    name="normalize",
    chapter=2,
    call="normalize(X, eps)",
    ask=ask,
    inputs=(
        by_hand(X=[[1.0], [3.0]], eps=0.25),
        by_hand(X=[[1.0, 2.0], [3.0, 8.0]], eps=0.5),
        by_hand(X=[[1.0, 5.0], [1.0, 6.0], [4.0, 10.0]], eps=0.5),
        by_hand(X=[[2.0, 1.0], [2.0, 5.0]], eps=0.5),  # a feature that does not vary
        drawn(4, 3),
        drawn(16, 5),
    ),
    right=right,
    mistakes=MISTAKES,
    properties=(
        Property("zero_mean", zero_mean),
        Property("unit_variance", unit_variance),
        Property("features_apart", features_apart),
        Property("shift_and_scale", shift_and_scale),
        Property("like_torch", like_torch),
    ),
)
