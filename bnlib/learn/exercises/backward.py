"""Exercise: the backward pass of a batch of images (chapter 02, the projection)."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from bnlib.learn.exercise import Ask, CodeExercise, Inputs, Property, Unfit, batch, by_hand
from bnlib.learn.show import unequal

NAMES = ("dX", "dgamma", "dbeta")
AXES = (0, 2, 3)
CHANNELS = (1, -1, 1, 1)


def ask(answer, inputs: Inputs):
    found = answer(inputs["dY"], inputs["X"], inputs["gamma"], inputs["eps"])
    if not isinstance(found, (tuple, list)) or len(found) != len(NAMES):
        raise Unfit("type", name="backward(…)", got=type(found).__name__, expected="(dX, dgamma, dbeta)")
    return dict(zip(NAMES, found, strict=True))


def drawn(*shape: int):
    def make(generator):
        gamma = 0.5 + torch.rand(shape[1], generator=generator)
        dY, X = torch.randn(shape, generator=generator) + 0.5, batch(*shape, generator=generator)
        return {"dY": dY, "X": X, "gamma": gamma, "eps": 0.3}

    return make


def right(dY, X, gamma, eps):
    mean = X.mean(dim=(0, 2, 3), keepdim=True)
    var = ((X - mean) ** 2).mean(dim=(0, 2, 3), keepdim=True)
    rstd = 1 / torch.sqrt(var + eps)
    x_hat = (X - mean) * rstd
    dbeta = dY.sum(dim=(0, 2, 3))
    dgamma = (dY * x_hat).sum(dim=(0, 2, 3))
    m = X.numel() / X.shape[1]  # N * H * W
    removed = (dbeta.view(1, -1, 1, 1) + x_hat * dgamma.view(1, -1, 1, 1)) / m
    return gamma.view(1, -1, 1, 1) * rstd * (dY - removed), dgamma, dbeta


class Parts(NamedTuple):
    """What wrong answers are put together from; one and along are the means of dY and of dY · x_hat."""

    gamma: Tensor
    rstd: Tensor
    x_hat: Tensor
    one: Tensor
    along: Tensor
    pixels: int


def parts(dY, X, gamma, eps) -> Parts:
    var, mean = torch.var_mean(X, AXES, correction=0, keepdim=True)
    rstd = torch.rsqrt(var + eps)
    x_hat = (X - mean) * rstd
    one, along = dY.mean(AXES, keepdim=True), (dY * x_hat).mean(AXES, keepdim=True)
    return Parts(gamma.view(1, -1, 1, 1), rstd, x_hat, one, along, X[0, 0].numel())


def with_dX(formula):
    """A wrong answer whose dX comes from a formula of dY and the parts."""

    def answer(dY, X, gamma, eps):
        p = parts(dY, X, gamma, eps)
        return formula(dY, p), (dY * p.x_hat).sum(AXES), dY.sum(AXES)

    return answer


def with_sums(formula):
    """A wrong answer with the right dX, and dgamma and dbeta from a formula of dY, X and x_hat."""

    def answer(dY, X, gamma, eps):
        return right(dY, X, gamma, eps)[0], *formula(dY, X, parts(dY, X, gamma, eps).x_hat)

    return answer


def with_rstd(formula, correction=0):
    """A wrong answer that has something else for 1 / sqrt(var + eps), from var and eps, wherever it stands."""

    def answer(dY, X, gamma, eps):
        var = X.var(AXES, correction=correction, keepdim=True)
        return put_together(dY, X, gamma, formula(var, eps))

    return answer


def with_shapes(**shapes):
    """A wrong answer whose gamma or sums are of another shape than (1, C, 1, 1) in dX."""

    def answer(dY, X, gamma, eps):
        return put_together(dY, X, gamma, parts(dY, X, gamma, eps).rstd, **shapes)

    return answer


def put_together(dY, X, gamma, rstd, of_gamma=CHANNELS, of_sums=CHANNELS):
    x_hat = (X - X.mean(AXES, keepdim=True)) * rstd
    dgamma, dbeta = (dY * x_hat).sum(AXES), dY.sum(AXES)
    removed = (dbeta.view(of_sums) + x_hat * dgamma.view(of_sums)) * X.shape[1] / X.numel()
    return gamma.view(of_gamma) * rstd * (dY - removed), dgamma, dbeta


def unbiased_forward(dY, X, gamma, eps):
    """The gradients of a normalization by the unbiased variance."""
    centred = X - X.mean(AXES, keepdim=True)
    rstd = torch.rsqrt(X.var(AXES, keepdim=True) + eps)
    x_hat, m = centred * rstd, X.numel() / X.shape[1]
    along = (dY * x_hat).sum(AXES, keepdim=True) / (m - 1)
    dX = gamma.view(CHANNELS) * rstd * (dY - dY.mean(AXES, keepdim=True) - x_hat * along)
    return dX, (dY * x_hat).sum(AXES), dY.sum(AXES)


MISTAKES = {
    "mean_detached": with_dX(lambda dY, p: p.gamma * p.rstd * (dY - p.x_hat * p.along)),
    "variance_detached": with_dX(lambda dY, p: p.gamma * p.rstd * (dY - p.one)),
    "both_detached": with_dX(lambda dY, p: p.gamma * p.rstd * dY),
    "divided_by_n": with_dX(lambda dY, p: p.gamma * p.rstd * (dY - p.pixels * (p.one + p.x_hat * p.along))),
    "rstd_forgotten": with_dX(lambda dY, p: p.gamma * (dY - p.one - p.x_hat * p.along)),
    "gamma_forgotten": with_dX(lambda dY, p: p.rstd * (dY - p.one - p.x_hat * p.along)),
    "unbiased": with_rstd(lambda var, eps: torch.rsqrt(var + eps), correction=1),
    "unbiased_forward": unbiased_forward,
    "eps_outside": with_rstd(lambda var, eps: 1 / (torch.sqrt(var) + eps)),
    "unbiased_eps_outside": with_rstd(lambda var, eps: 1 / (torch.sqrt(var) + eps), correction=1),
    "no_eps": with_rstd(lambda var, eps: torch.rsqrt(var)),
    "no_root": with_rstd(lambda var, eps: 1 / (var + eps)),
    "gamma_without_view": with_shapes(of_gamma=-1),
    "dx_hat_without_view": lambda dY, X, gamma, eps: (
        right(dY * gamma, X, torch.ones_like(gamma), eps)[0],
        *right(dY, X, gamma, eps)[1:],
    ),
    "sums_without_view": with_shapes(of_sums=-1),
    "without_view": with_shapes(of_gamma=-1, of_sums=-1),
    "dgamma_of_x": with_sums(lambda dY, X, x_hat: ((dY * X).sum(AXES), dY.sum(AXES))),
    "averaged": with_sums(lambda dY, X, x_hat: ((dY * x_hat).mean(AXES), dY.mean(AXES))),
    "per_position": with_sums(lambda dY, X, x_hat: ((dY * x_hat).sum(0), dY.sum(0))),
    "exchanged": with_sums(lambda dY, X, x_hat: (dY.sum(AXES), (dY * x_hat).sum(AXES))),
}


OTHER_RSTD = ("unbiased", "unbiased_forward", "eps_outside", "unbiased_eps_outside", "no_eps", "no_root")


def nothing_along_one(ask: Ask, inputs: Inputs) -> str | None:
    total = ask(inputs)["dX"].sum(AXES)
    return unequal("dX.sum((0, 2, 3))", total, 0 * total)


def blind_to_a_constant(ask: Ask, inputs: Inputs) -> str | None:
    """The same number added to all of dY in a channel leaves dX as it was."""
    moved = ask({**inputs, "dY": inputs["dY"] + 1})["dX"]
    return unequal("backward(dY + 1, …): dX", moved, ask(inputs)["dX"])


def linear(ask: Ask, inputs: Inputs) -> str | None:
    once, twice = ask(inputs), ask({**inputs, "dY": 2 * inputs["dY"]})
    checks = (unequal(f"backward(2 * dY, …): {name}", twice[name], 2 * once[name]) for name in NAMES)
    return next((broken for broken in checks if broken), None)


def like_autograd(ask: Ask, inputs: Inputs) -> str | None:
    leaves = [inputs["X"].clone(), inputs["gamma"].clone(), torch.zeros_like(inputs["gamma"])]
    for leaf in leaves:
        leaf.requires_grad_()
    Y = F.batch_norm(leaves[0], None, None, leaves[1], leaves[2], training=True, eps=inputs["eps"])
    expected, seen = torch.autograd.grad(Y, leaves, inputs["dY"]), ask(inputs)
    checks = (unequal(name, seen[name], grad) for name, grad in zip(NAMES, expected, strict=True))
    return next((broken for broken in checks if broken), None)


SMALL = {"X": [[[[0.0, 1.0]]], [[[3.0, 4.0]]]], "dY": [[[[2.0, 1.0]]], [[[0.0, 1.0]]]]}

EXERCISE = CodeExercise(
    name="backward",
    chapter=2,
    call="backward(dY, X, gamma, eps)",
    ask=ask,
    inputs=(
        by_hand(**SMALL, gamma=[2.0], eps=0.5),
        drawn(2, 2, 1, 2),
        drawn(3, 2, 2, 2),
        drawn(4, 3, 3, 4),
    ),
    right=right,
    mistakes=MISTAKES,
    telling={name: ("dX", "dgamma") for name in OTHER_RSTD},
    properties=(
        Property("nothing_along_one", nothing_along_one),
        Property("blind_to_a_constant", blind_to_a_constant),
        Property("linear", linear),
        Property("like_autograd", like_autograd),
    ),
)
