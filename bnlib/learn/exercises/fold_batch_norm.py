"""Exercise: fold batch normalization into the convolution before it (chapter 06, equation 6.2)."""

import torch
from torch import Generator
from torch.nn import functional as F

from bnlib.learn.exercise import Ask, CodeExercise, Inputs, Property, Unfit, by_hand, need_shape
from bnlib.learn.show import unequal

NAMES = ("folded weight", "folded bias")


def ask(answer, inputs: Inputs):
    found = answer(*inputs.values())
    if not isinstance(found, (tuple, list)) or len(found) != len(NAMES):
        raise Unfit("type", name="fold(…)", got=type(found).__name__, expected="(weight, bias)")
    shapes = (inputs["weight"].shape, inputs["mean"].shape)
    return {name: need_shape(name, *pair) for name, *pair in zip(NAMES, found, shapes, strict=True)}


def drawn(*shape: int, biased: bool = True):
    """A convolution's weight of that shape, (out, in, height, width), and a batch normalization of its outputs."""

    def make(generator):
        def normal():
            return torch.randn(shape[0], generator=generator)

        weight, bias = torch.randn(shape, generator=generator), normal() + 1
        mean, var = normal() - 1, 0.5 + 2 * torch.rand(shape[0], generator=generator)
        statistics = {"mean": mean, "var": var, "gamma": normal() + 2, "beta": normal(), "eps": 0.3}
        return {"weight": weight, "bias": bias if biased else None, **statistics}

    return make


def right(weight, bias, mean, var, gamma, beta, eps):
    if bias is None:
        bias = torch.zeros_like(mean)
    scale = gamma / torch.sqrt(var + eps)
    return weight * scale.view(-1, 1, 1, 1), (bias - mean) * scale + beta


def by_parts(scaled=None, shifted=None, scale=None):
    """An answer that differs from the right one in how it computes the scale, the weight or the bias."""

    def answer(weight, bias, mean, var, gamma, beta, eps):
        b = torch.zeros_like(mean) if bias is None else bias
        s = scale(var, gamma, eps) if scale else gamma / torch.sqrt(var + eps)
        folded = scaled(weight, s) if scaled else weight * s.view(-1, 1, 1, 1)
        return folded, shifted(b, mean, s, beta) if shifted else (b - mean) * s + beta

    return answer


def by_gamma(scaled=False):
    """The bias takes gamma where it should take the scale: the mean alone, or all that is scaled."""

    def answer(weight, bias, mean, var, gamma, beta, eps):
        folded, _ = right(weight, bias, mean, var, gamma, beta, eps)
        b = torch.zeros_like(mean) if bias is None else bias
        return folded, b * (gamma if scaled else gamma / torch.sqrt(var + eps)) - mean * gamma + beta

    return answer


def swapped(weight, bias, mean, var, gamma, beta, eps):
    return right(weight, bias, mean, var, beta, gamma, eps)


def beta_where_no_bias(weight, bias, mean, var, gamma, beta, eps):
    folded = right(weight, bias, mean, var, gamma, beta, eps)
    return folded if bias is not None else (folded[0], beta.clone())


def beta_lost_where_no_bias(weight, bias, mean, var, gamma, beta, eps):
    return right(weight, bias, mean, var, gamma, 0 * beta if bias is None else beta, eps)


MISTAKES = {
    "eps_outside": by_parts(scale=lambda var, gamma, eps: gamma / (torch.sqrt(var) + eps)),
    "no_root": by_parts(scale=lambda var, gamma, eps: gamma / (var + eps)),
    "no_eps": by_parts(scale=lambda var, gamma, eps: gamma / torch.sqrt(var)),
    "multiplied": by_parts(scale=lambda var, gamma, eps: gamma * torch.sqrt(var + eps)),
    "gamma_forgotten": by_parts(scale=lambda var, gamma, eps: torch.rsqrt(var + eps)),
    "swapped": swapped,
    "input_axis": by_parts(scaled=lambda weight, s: weight * s.view(1, -1, 1, 1)),
    "last_axis": by_parts(scaled=lambda weight, s: weight * s),
    "weight_kept": by_parts(scaled=lambda weight, s: weight.clone()),
    "bias_forgotten": by_parts(shifted=lambda b, mean, s, beta: beta - mean * s),
    "bias_not_scaled": by_parts(shifted=lambda b, mean, s, beta: b + beta - mean * s),
    "mean_forgotten": by_parts(shifted=lambda b, mean, s, beta: b * s + beta),
    "mean_not_scaled": by_parts(shifted=lambda b, mean, s, beta: b * s - mean + beta),
    "nothing_scaled": by_parts(shifted=lambda b, mean, s, beta: b - mean + beta),
    "beta_added_alone": by_parts(shifted=lambda b, mean, s, beta: b + beta),
    "mean_by_gamma": by_gamma(),
    "by_gamma": by_gamma(scaled=True),
    "mean_added": by_parts(shifted=lambda b, mean, s, beta: (b + mean) * s + beta),
    "beta_scaled": by_parts(shifted=lambda b, mean, s, beta: (b - mean + beta) * s),
    "beta_forgotten": by_parts(shifted=lambda b, mean, s, beta: (b - mean) * s),
    "beta_alone": by_parts(shifted=lambda b, mean, s, beta: beta.clone()),
    "bias_kept": by_parts(shifted=lambda b, mean, s, beta: b.clone()),
    "beta_where_no_bias": beta_where_no_bias,
    "beta_lost_where_no_bias": beta_lost_where_no_bias,
}


def images(inputs: Inputs):
    """Random images for this weight, always the same."""
    return torch.randn(3, inputs["weight"].shape[1], 5, 6, generator=Generator().manual_seed(0))


def after(inputs: Inputs, X, **how):
    """What convolution and batch normalization give one after the other, in prediction mode."""
    Z = F.conv2d(X, inputs["weight"], inputs["bias"], **how)
    return F.batch_norm(Z, inputs["mean"], inputs["var"], inputs["gamma"], inputs["beta"], eps=inputs["eps"])


def like_both(ask: Ask, inputs: Inputs) -> str | None:
    return compared(ask, inputs, images(inputs))


def with_stride_and_padding(ask: Ask, inputs: Inputs) -> str | None:
    return compared(ask, inputs, images(inputs), stride=2, padding=1)


def black_image(ask: Ask, inputs: Inputs) -> str | None:
    """Where the image is 0 the weight does nothing: what comes out is the folded bias."""
    return compared(ask, inputs, 0 * images(inputs)[:1])


def compared(ask: Ask, inputs: Inputs, X, **how) -> str | None:
    weight, bias = (ask(inputs)[name] for name in NAMES)
    folded = F.conv2d(X, weight, bias, **how)
    words = "".join(f", {name}={value}" for name, value in how.items())
    return unequal(f"conv2d(X, *folded{words})", folded, after(inputs, X, **how))


def undone(ask: Ask, inputs: Inputs) -> str | None:
    """With gamma = sqrt(var + eps) and beta = mean batch normalization gives back what it gets."""
    gamma, beta = torch.sqrt(inputs["var"] + inputs["eps"]), inputs["mean"].clone()
    seen = ask({**inputs, "gamma": gamma, "beta": beta})
    bias = 0 * beta if inputs["bias"] is None else inputs["bias"]
    pairs = zip(NAMES, (inputs["weight"], bias), strict=True)
    return next((broken for name, value in pairs if (broken := unequal(name, seen[name], value))), None)


SMALL = {"bias": [1.0], "mean": [3.0], "var": [3.75], "gamma": [3.0], "beta": [-1.0], "eps": 0.25}
TWO = {"bias": [1.0, 2.0], "mean": [3.0, -1.0], "var": [3.75, 0.75], "gamma": [3.0, -1.0], "beta": [-1.0, 0.5]}

EXERCISE = CodeExercise(
    name="fold_batch_norm",
    chapter=6,
    call="fold(weight, bias, mean, var, gamma, beta, eps)",
    ask=ask,
    inputs=(
        by_hand(weight=[[[[2.0]]]], **SMALL),
        by_hand(weight=[[[[2.0]]]], **{**SMALL, "bias": None}),
        by_hand(weight=[[[[1.0, 2.0]], [[3.0, 4.0]]], [[[5.0, 6.0]], [[7.0, 8.0]]]], **TWO, eps=0.25),
        drawn(4, 4, 3, 3),
        drawn(3, 2, 2, 3),
        drawn(2, 3, 3, 3, biased=False),
    ),
    right=right,
    mistakes=MISTAKES,
    properties=(
        Property("black_image", black_image),
        Property("undone", undone),
        Property("like_both", like_both),
        Property("with_stride_and_padding", with_stride_and_padding),
    ),
)
