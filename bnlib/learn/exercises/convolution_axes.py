"""Exercise: normalize each channel of a batch of images (chapter 02, the axes)."""

import torch
from torch.nn import functional as F

from bnlib.learn.exercise import Ask, CodeExercise, Inputs, Property, batch, by_hand
from bnlib.learn.show import unequal


def ask(answer, inputs: Inputs):
    return {"normalized": answer(inputs["X"], inputs["eps"])}


def drawn(*shape: int):
    return lambda generator: {"X": batch(*shape, generator=generator), "eps": 0.3}


def right(X, eps):
    mean = X.mean(dim=(0, 2, 3), keepdim=True)  # (1, C, 1, 1)
    var = ((X - mean) ** 2).mean(dim=(0, 2, 3), keepdim=True)
    return (X - mean) / torch.sqrt(var + eps)


def along(X, eps, dim=(0, 2, 3), correction=0):
    var, mean = torch.var_mean(X, dim=dim, correction=correction, keepdim=True)
    return (X - mean) / torch.sqrt(var + eps)


def divided_by_n(X, eps):
    mean = X.sum(dim=(0, 2, 3), keepdim=True) / X.shape[0]
    var = ((X - mean) ** 2).sum(dim=(0, 2, 3), keepdim=True) / X.shape[0]
    return (X - mean) / torch.sqrt(var + eps)


def variance_divided_by_n(X, eps):
    centred = X - X.mean(dim=(0, 2, 3), keepdim=True)
    return centred / torch.sqrt((centred**2).sum(dim=(0, 2, 3), keepdim=True) / X.shape[0] + eps)


def mean_of_variances(X, eps):
    mean = X.mean(dim=(0, 2, 3), keepdim=True)
    var = X.var(dim=(2, 3), correction=0, keepdim=True).mean(dim=0, keepdim=True)
    return (X - mean) / torch.sqrt(var + eps)


def eps_outside(X, eps):
    var, mean = torch.var_mean(X, dim=(0, 2, 3), correction=0, keepdim=True)
    return (X - mean) / (torch.sqrt(var) + eps)


def unbiased_eps_outside(X, eps):
    return (X - X.mean(dim=(0, 2, 3), keepdim=True)) / (X.std(dim=(0, 2, 3), keepdim=True) + eps)


def no_root(X, eps):
    var, mean = torch.var_mean(X, dim=(0, 2, 3), correction=0, keepdim=True)
    return (X - mean) / (var + eps)


def without_keepdim(X, eps, correction=0):
    var, mean = torch.var_mean(X, dim=(0, 2, 3), correction=correction)
    return (X - mean) / torch.sqrt(var + eps)


def variance_without_keepdim(X, eps, correction=0):
    return (X - X.mean(dim=(0, 2, 3), keepdim=True)) / torch.sqrt(X.var(dim=(0, 2, 3), correction=correction) + eps)


MISTAKES = {
    "without_keepdim": without_keepdim,
    "without_keepdim_unbiased": lambda X, eps: without_keepdim(X, eps, correction=1),
    "variance_without_keepdim": variance_without_keepdim,
    "variance_without_keepdim_unbiased": lambda X, eps: variance_without_keepdim(X, eps, correction=1),
    "per_pixel": lambda X, eps: along(X, eps, dim=0),
    "per_pixel_unbiased": lambda X, eps: along(X, eps, dim=0, correction=1),
    "per_row": lambda X, eps: along(X, eps, dim=(0, 3)),
    "per_row_unbiased": lambda X, eps: along(X, eps, dim=(0, 3), correction=1),
    "per_column": lambda X, eps: along(X, eps, dim=(0, 2)),
    "per_column_unbiased": lambda X, eps: along(X, eps, dim=(0, 2), correction=1),
    "over_everything": lambda X, eps: along(X, eps, dim=(0, 1, 2, 3)),
    "per_sample": lambda X, eps: along(X, eps, dim=(1, 2, 3)),
    "per_sample_and_channel": lambda X, eps: along(X, eps, dim=(2, 3)),
    "channels_last": lambda X, eps: along(X, eps, dim=(0, 1, 2)),
    "divided_by_n": divided_by_n,
    "variance_divided_by_n": variance_divided_by_n,
    "mean_of_variances": mean_of_variances,
    "unbiased": lambda X, eps: along(X, eps, correction=1),
    "eps_outside": eps_outside,
    "unbiased_eps_outside": unbiased_eps_outside,
    "no_eps": lambda X, eps: along(X, 0.0),
    "no_eps_unbiased": lambda X, eps: along(X, 0.0, correction=1),
    "no_root": no_root,
}


def zero_mean(ask: Ask, inputs: Inputs) -> str | None:
    mean = ask(inputs)["normalized"].mean((0, 2, 3))
    return unequal("normalized.mean((0, 2, 3))", mean, 0 * mean)


def unit_variance(ask: Ask, inputs: Inputs) -> str | None:
    var = inputs["X"].var((0, 2, 3), correction=0)
    got = ask(inputs)["normalized"].var((0, 2, 3), correction=0)
    return unequal("normalized.var((0, 2, 3), correction=0)", got, var / (var + inputs["eps"]))


def positions_alike(ask: Ask, inputs: Inputs) -> str | None:
    """Moving all images by a pixel, around the edge, moves the output and changes nothing in it."""
    moved = ask({**inputs, "X": inputs["X"].roll(1, dims=3)})["normalized"]
    return unequal("normalize_images(X.roll(1, dims=3), eps)", moved, ask(inputs)["normalized"].roll(1, dims=3))


def channels_apart(ask: Ask, inputs: Inputs) -> str | None:
    alone = ask({**inputs, "X": inputs["X"][:, :1].clone()})["normalized"]
    return unequal("normalize_images(X[:, :1], eps)", alone, ask(inputs)["normalized"][:, :1])


def like_torch(ask: Ask, inputs: Inputs) -> str | None:
    expected = F.batch_norm(inputs["X"], None, None, training=True, eps=inputs["eps"])
    return unequal("normalized", ask(inputs)["normalized"], expected)


EXERCISE = CodeExercise(
    name="convolution_axes",
    chapter=2,
    call="normalize_images(X, eps)",
    ask=ask,
    inputs=(
        by_hand(X=[[[[1.0, 3.0]]], [[[5.0, 11.0]]]], eps=0.5),  # 2 images, 1 channel, 1 x 2 pixels
        by_hand(X=[[[[1.0], [3.0]]], [[[5.0], [11.0]]]], eps=0.5),  # 2 x 1 pixels
        by_hand(X=[[[[1.0, 3.0]], [[0.0, 2.0]]], [[[5.0, 11.0]], [[8.0, 6.0]]]], eps=0.5),  # 2 channels
        drawn(2, 3, 2, 2),
        drawn(3, 2, 4, 5),
        drawn(8, 3, 4, 4),
    ),
    right=right,
    mistakes=MISTAKES,
    properties=(
        Property("zero_mean", zero_mean),
        Property("unit_variance", unit_variance),
        Property("channels_apart", channels_apart),
        Property("positions_alike", positions_alike),
        Property("like_torch", like_torch),
    ),
)
