"""Exercise: ghost batch normalization, a large batch in parts (chapter 06)."""

import torch
from torch import Tensor
from torch.nn import functional as F

from bnlib.learn.exercise import Ask, CodeExercise, Inputs, Property, batch, by_hand, need, need_shape
from bnlib.learn.show import unequal


def ask(answer, inputs: Inputs):
    X = inputs["X"]
    Y = need("Y", answer(X, inputs["size"], inputs["eps"]), Tensor)
    whole = len(X) // inputs["size"] * inputs["size"]
    dropped = 0 < whole < len(X) and Y.shape == X[:whole].shape  # a mistake to be told by name
    need_shape("Y", Y, X[:whole].shape if dropped else X.shape)
    return {"len(Y)": len(Y), "Y": torch.cat([Y, 0 * X[len(Y) :]])}


def drawn(*shape: int, size: int):
    return lambda generator: {"X": batch(*shape, generator=generator), "size": size, "eps": 0.3}


def normalized(X, eps, dim=(0, 2, 3), correction=0):
    var, mean = torch.var_mean(X, dim=dim, correction=correction, keepdim=True)
    return (X - mean) / torch.sqrt(var + eps)


def right(X, size, eps):
    ghosts = []
    for x in X.split(size):
        mean = x.mean(dim=(0, 2, 3), keepdim=True)
        var = ((x - mean) ** 2).mean(dim=(0, 2, 3), keepdim=True)
        ghosts.append((x - mean) / torch.sqrt(var + eps))
    return torch.cat(ghosts)


def each(X, size, normalize):
    return torch.cat([normalize(x) for x in X.split(size)])


def strided(X, size, eps):
    Y, ghosts = torch.empty_like(X), -(-len(X) // size)
    for i in range(ghosts):
        Y[i::ghosts] = normalized(X[i::ghosts], eps)
    return Y


def evenly(X, size, eps):
    return torch.cat([normalized(x, eps) for x in X.tensor_split(-(-len(X) // size))])


def last_joined(X, size, eps):
    last = (len(X) // size - 1) * size
    return torch.cat([right(X[:last], size, eps), normalized(X[last:], eps)])


def full_ones(X, size, eps, Y):
    for i in range(len(X) // size):
        Y[i * size : (i + 1) * size] = normalized(X[i * size : (i + 1) * size], eps)
    return Y


def averaged(X, size, eps):
    pairs = [torch.var_mean(x, (0, 2, 3), correction=0, keepdim=True) for x in X.split(size)]
    var, mean = (sum(values) / len(pairs) for values in zip(*pairs, strict=True))
    return (X - mean) / torch.sqrt(var + eps)


def first_for_all(X, size, eps):
    var, mean = torch.var_mean(X[:size], (0, 2, 3), correction=0, keepdim=True)
    return (X - mean) / torch.sqrt(var + eps)


def eps_outside(x, eps, correction=0):
    var, mean = torch.var_mean(x, (0, 2, 3), correction=correction, keepdim=True)
    return (x - mean) / (torch.sqrt(var) + eps)


def no_root(x, eps):
    var, mean = torch.var_mean(x, (0, 2, 3), correction=0, keepdim=True)
    return (x - mean) / (var + eps)


MISTAKES = {
    "whole_batch": lambda X, size, eps: normalized(X, eps),
    "over_channels": lambda X, size, eps: each(X, size, lambda x: normalized(x, eps, (0, 1, 2, 3))),
    "strided": strided,
    "number_of_ghosts": lambda X, size, eps: torch.cat([normalized(x, eps) for x in X.chunk(size)]),
    "evenly": evenly,
    "last_joined": last_joined,
    "last_dropped": lambda X, size, eps: right(X[: len(X) // size * size], size, eps),
    "last_untouched": lambda X, size, eps: full_ones(X, size, eps, X.clone()),
    "last_zero": lambda X, size, eps: full_ones(X, size, eps, torch.zeros_like(X)),
    "averaged": averaged,
    "first_for_all": first_for_all,
    "per_pixel": lambda X, size, eps: each(X, size, lambda x: normalized(x, eps, (0,))),
    "per_sample": lambda X, size, eps: normalized(X, eps, (2, 3)),
    "unbiased": lambda X, size, eps: each(X, size, lambda x: normalized(x, eps, correction=1)),
    "eps_outside": lambda X, size, eps: each(X, size, lambda x: eps_outside(x, eps)),
    "unbiased_eps_outside": lambda X, size, eps: each(X, size, lambda x: eps_outside(x, eps, correction=1)),
    "no_eps": lambda X, size, eps: each(X, size, lambda x: normalized(x, 0.0)),
    "no_eps_unbiased": lambda X, size, eps: each(X, size, lambda x: normalized(x, 0.0, correction=1)),
    "no_root": lambda X, size, eps: each(X, size, lambda x: no_root(x, eps)),
}


def by_ghost(inputs: Inputs, Y, number):
    """One number for each ghost and channel, (ghosts, C)."""
    return torch.stack([number(y) for y in Y.split(inputs["size"])])


def zero_mean(ask: Ask, inputs: Inputs) -> str | None:
    means = by_ghost(inputs, ask(inputs)["Y"], lambda y: y.mean((0, 2, 3)))
    return unequal("[y.mean((0, 2, 3)) for y in Y.split(size)]", means, 0 * means)


def unit_variance(ask: Ask, inputs: Inputs) -> str | None:
    got, var = (by_ghost(inputs, Z, lambda z: z.var((0, 2, 3), correction=0)) for Z in (ask(inputs)["Y"], inputs["X"]))
    return unequal("[y.var((0, 2, 3), correction=0) for y in Y.split(size)]", got, var / (var + inputs["eps"]))


def ghosts_apart(ask: Ask, inputs: Inputs) -> str | None:
    """The same first ghost among others: the rest is turned round, and moved by 1."""
    X, size = inputs["X"], inputs["size"]
    other = torch.cat([X[:size], X[size:].flip(0) + 1])
    return unequal("Y[:size] among others", ask({**inputs, "X": other})["Y"][:size], ask(inputs)["Y"][:size])


def one_ghost(ask: Ask, inputs: Inputs) -> str | None:
    X = inputs["X"]
    expected = F.batch_norm(X, None, None, training=True, eps=inputs["eps"])
    return unequal("ghost_batch_norm(X, len(X), eps)", ask({**inputs, "size": len(X)})["Y"], expected)


def like_torch(ask: Ask, inputs: Inputs) -> str | None:
    parts = inputs["X"].split(inputs["size"])
    expected = torch.cat([F.batch_norm(x, None, None, training=True, eps=inputs["eps"]) for x in parts])
    return unequal("Y", ask(inputs)["Y"], expected)


EXERCISE = CodeExercise(
    name="ghost_batch_norm",
    chapter=5,
    call="ghost_batch_norm(X, size, eps)",
    ask=ask,
    inputs=(
        by_hand(X=[[[[1.0]]], [[[3.0]]], [[[4.0]]], [[[10.0]]]], size=2, eps=0.5),
        by_hand(X=[[[[1.0, 2.0]]], [[[3.0, 8.0]]], [[[4.0, 10.0]]], [[[1.0, 6.0]]]], size=3, eps=0.5),
        by_hand(X=[[[[1.0]], [[7.0]]], [[[3.0]], [[2.0]]], [[[4.0]], [[5.0]]], [[[10.0]], [[9.0]]]], size=2, eps=0.5),
        drawn(10, 2, 1, 3, size=4),
        drawn(7, 3, 2, 2, size=3),
    ),
    right=right,
    mistakes=MISTAKES,
    properties=(
        Property("zero_mean", zero_mean),
        Property("unit_variance", unit_variance),
        Property("ghosts_apart", ghosts_apart),
        Property("one_ghost", one_ghost),
        Property("like_torch", like_torch),
    ),
)
