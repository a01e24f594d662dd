import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

import bnlib


def loops(weight, bias, mean, var, gamma, beta, eps):
    folded, shift = torch.empty_like(weight), torch.empty_like(mean)
    for c in range(len(weight)):
        scale = float(gamma[c]) / (float(var[c]) + eps) ** 0.5
        folded[c] = weight[c] * scale
        b = 0.0 if bias is None else float(bias[c])
        shift[c] = (b - float(mean[c])) * scale + float(beta[c])
    return folded, shift


def einsum(weight, bias, mean, var, gamma, beta, eps):
    scale = gamma * torch.rsqrt(var + eps)
    shift = beta - mean * scale
    return torch.einsum("oihw,o->oihw", weight, scale), shift if bias is None else shift + bias * scale


def as_matrix(weight, bias, mean, var, gamma, beta, eps):
    scale = torch.diag(gamma / (var + eps).sqrt())
    centred = -mean if bias is None else bias - mean
    return (scale @ weight.flatten(1)).view(weight.shape), scale @ centred + beta


def by_trying(weight, bias, mean, var, gamma, beta, eps):
    """What batch normalization adds to 0, and what it makes of 1."""
    at = [
        nn.functional.batch_norm(torch.full((1, len(mean)), x), mean, var, gamma, beta, eps=eps)[0] for x in (0.0, 1.0)
    ]
    scale = at[1] - at[0]
    return [weight * scale[:, None, None, None], at[0] if bias is None else at[0] + bias * scale]


def torchs_own(weight, bias, mean, var, gamma, beta, eps):
    return fuse_conv_bn_weights(weight, bias, mean, var, eps, gamma, beta)


def the_librarys(weight, bias, mean, var, gamma, beta, eps):
    conv = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2:], bias=bias is not None)
    model = nn.Sequential(conv, nn.BatchNorm2d(len(mean), eps=eps)).eval()
    names = ("0.weight", "1.running_mean", "1.running_var", "1.weight", "1.bias")
    state = dict(zip(names, (weight, mean, var, gamma, beta), strict=True))
    state |= {"1.num_batches_tracked": torch.tensor(1)} | ({} if bias is None else {"0.bias": bias})
    model.load_state_dict(state)
    folded = bnlib.fold_batch_norm(model).model[0]
    return folded.weight, folded.bias


RIGHT = [loops, einsum, as_matrix, by_trying, torchs_own, the_librarys]


def also(weight=lambda w: w, bias=lambda b: b):
    def answer(*inputs):
        folded = einsum(*inputs)
        return weight(folded[0]), bias(folded[1])

    return answer


def sign_lost(weight, bias, mean, var, gamma, beta, eps):
    folded, shift = einsum(weight, bias, mean, var, gamma, beta, eps)
    return torch.where(gamma.view(-1, 1, 1, 1) < 0, -folded, folded), shift


def no_bias_unthought_of(weight, bias, mean, var, gamma, beta, eps):
    scale = gamma / torch.sqrt(var + eps)
    return weight * scale.view(-1, 1, 1, 1), (bias - mean) * scale + beta


def in_place(weight, bias, mean, var, gamma, beta, eps):
    shift = einsum(weight, bias, mean, var, gamma, beta, eps)[1]
    weight.mul_((gamma / torch.sqrt(var + eps)).view(-1, 1, 1, 1))
    return weight, shift


UNKNOWN = {
    also(bias=lambda b: b + 0.1): "black_image",
    also(weight=lambda w: 1.1 * w): "undone",
    also(weight=lambda w: w.flip(3)): "undone",
    lambda w, b, m, v, gamma, beta, eps: einsum(w, b, m, v, gamma.abs(), beta, eps): "black_image",
    sign_lost: "like_both",
    no_bias_unthought_of: "raises",
    in_place: "changed",
    also(bias=lambda b: b.view(1, -1, 1, 1)): "shape",
    lambda *inputs: einsum(*inputs)[0]: "type",
}


def with_bias(shift, kept=False):
    """An answer with another bias; the weight is right, or the old one."""

    def answer(weight, bias, mean, var, gamma, beta, eps):
        scale = gamma / torch.sqrt(var + eps)
        b = 0 * mean if bias is None else bias
        return weight.clone() if kept else weight * scale.view(-1, 1, 1, 1), shift(b, mean, scale, beta)

    return answer


def without_bias_as_well(weight, bias, mean, var, gamma, beta, eps):
    scale = gamma / torch.sqrt(var + eps)
    shift = -mean * scale if bias is None else (bias - mean) * scale + beta
    return weight * scale.view(-1, 1, 1, 1), shift


def mean_times_gamma(weight, bias, mean, var, gamma, beta, eps):
    folded, shift = einsum(weight, bias, mean, var, gamma, beta, eps)
    return folded, shift + mean * gamma * ((var + eps).rsqrt() - 1)


def all_times_gamma(weight, bias, mean, var, gamma, beta, eps):
    centred = -mean if bias is None else bias - mean
    return einsum(weight, bias, mean, var, gamma, beta, eps)[0], gamma * centred + beta


NAMED = {
    with_bias(lambda b, mean, scale, beta: beta): {"beta_alone"},
    with_bias(lambda b, mean, scale, beta: scale * b - scale * mean): {"beta_forgotten"},
    with_bias(lambda b, mean, scale, beta: b): {"bias_kept"},
    with_bias(lambda b, mean, scale, beta: beta, kept=True): {"weight_kept", "beta_alone"},
    with_bias(lambda b, mean, scale, beta: b + (beta - mean), kept=True): {"weight_kept", "nothing_scaled"},
    with_bias(lambda b, mean, scale, beta: beta + b): {"beta_added_alone"},
    with_bias(lambda b, mean, scale, beta: beta + b, kept=True): {"weight_kept", "beta_added_alone"},
    mean_times_gamma: {"mean_by_gamma"},
    all_times_gamma: {"by_gamma"},
    without_bias_as_well: {"beta_lost_where_no_bias"},
}
