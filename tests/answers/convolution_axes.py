import torch
from torch import nn
from torch.nn import functional as F


def loops(X, eps):
    Y = torch.empty_like(X)
    for c in range(X.shape[1]):
        numbers = [float(x) for image in X for row in image[c] for x in row]
        mean = sum(numbers) / len(numbers)
        var = sum((x - mean) ** 2 for x in numbers) / len(numbers)
        Y[:, c] = (X[:, c] - mean) / (var + eps) ** 0.5
    return Y


def einsum(X, eps):
    N, C, H, W = X.shape
    centred = X - torch.einsum("nchw->c", X).view(1, C, 1, 1) / (N * H * W)
    var = torch.einsum("nchw,nchw->c", centred, centred) / (N * H * W)
    return torch.einsum("nchw,c->nchw", centred, (var + eps) ** -0.5)


def var_mean(X, eps):
    var, mean = torch.var_mean(X, dim=(0, 2, 3), correction=0, keepdim=True)
    return (X - mean) * torch.rsqrt(var + eps)


def flattened(X, eps):
    rows = X.transpose(0, 1).flatten(1)  # (C, N * H * W)
    rows = (rows - rows.mean(1, keepdim=True)) / torch.sqrt(rows.var(1, correction=0, keepdim=True) + eps)
    return rows.view(X.shape[1], X.shape[0], *X.shape[2:]).transpose(0, 1)


def channels_last(X, eps):
    x = X.permute(0, 2, 3, 1)
    return (
        F.batch_norm(x.reshape(-1, x.shape[-1]), None, None, training=True, eps=eps).view(x.shape).permute(0, 3, 1, 2)
    )


def torchs_own(X, eps):
    return F.batch_norm(X, None, None, training=True, eps=eps)


def torchs_layer(X, eps):
    return nn.BatchNorm2d(X.shape[1], eps=eps)(X)


RIGHT = [loops, einsum, var_mean, flattened, channels_last, torchs_own, torchs_layer]

UNKNOWN = {
    lambda X, eps: torchs_own(X, eps) - 0.1: "zero_mean",
    lambda X, eps: torchs_own(X, eps / 2): "unit_variance",
    lambda X, eps: torchs_own(X, eps).flip(0): "like_torch",
    lambda X, eps: torchs_own(X, eps).flip(3): "positions_alike",
    lambda X, eps: torchs_own(X, eps) * (1 if X.shape[1] == 1 else -1): "channels_apart",
    lambda X, eps: F.group_norm(X, 1) - F.group_norm(X, 1).mean((0, 2, 3), keepdim=True): "unit_variance",
}


def torchs_std(X, eps):
    return (X - X.mean((0, 2, 3), True)) / (X.std((0, 2, 3), keepdim=True) + eps)


def flattened_by_layer(X, eps):
    """A batch normalization of flattened images keeps each pixel apart."""
    return nn.BatchNorm1d(X[0].numel(), eps=eps)(X.flatten(1)).view(X.shape)


def pixels_with_torchs_default(X, eps):
    return (X - X.mean(0)) / torch.sqrt(X.var(0) + eps)


def statistics(X, dim, correction=0):
    return X.mean(dim, keepdim=True), X.var(dim, correction=correction, keepdim=True)


def one_for_each_row(X, eps):
    N, C, H, W = X.shape
    rows = nn.BatchNorm1d(C * H, eps=eps, affine=False)(X.reshape(N, C * H, W))
    return rows.view(X.shape)


def columns_with_torchs_default(X, eps):
    mean, var = statistics(X, (0, 2), correction=1)
    return (X - mean) / (var + eps) ** 0.5


def var_without_keepdim(X, eps):
    return (X - X.mean((0, 2, 3), keepdim=True)) / torch.sqrt(X.var((0, 2, 3)) + eps)


def squeezed(X, eps):
    mean, var = (each.squeeze() for each in statistics(X, (0, 2, 3), correction=1))
    return (X - mean) / torch.sqrt(var + eps)


def torchs_std_alone(X, eps):
    return (X - X.mean((0, 2, 3), keepdim=True)) / X.std((0, 2, 3), keepdim=True)


def by_the_variance(X, eps):
    mean, var = statistics(X, (0, 2, 3))
    return (X - mean) / (var + eps)


NAMED = {
    one_for_each_row: {"per_row"},
    columns_with_torchs_default: {"per_column_unbiased"},
    var_without_keepdim: {"variance_without_keepdim_unbiased"},
    squeezed: {"without_keepdim_unbiased"},
    torchs_std_alone: {"no_eps_unbiased"},
    by_the_variance: {"no_root"},
    lambda X, eps: loops(X, 0.0): {"no_eps"},
    torchs_std: {"unbiased_eps_outside"},
    flattened_by_layer: {"per_pixel"},
    pixels_with_torchs_default: {"per_pixel_unbiased"},
}
