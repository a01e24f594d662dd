import torch
from torch.nn import functional as F


def loops(X, eps):
    n, d = X.shape
    Y = torch.zeros(n, d)
    for j in range(d):
        mean = sum(X[i, j] for i in range(n)) / n
        var = sum((X[i, j] - mean) ** 2 for i in range(n)) / n
        for i in range(n):
            Y[i, j] = (X[i, j] - mean) / (var + eps) ** 0.5
    return Y


def einsum(X, eps):
    n = X.shape[0]
    centred = X - torch.einsum("nd->d", X) / n
    var = torch.einsum("nd,nd->d", centred, centred) / n
    return torch.einsum("nd,d->nd", centred, torch.rsqrt(var + eps))


def var_mean(X, eps):
    var, mean = torch.var_mean(X, dim=0, correction=0, keepdim=True)
    return (X - mean) * torch.rsqrt(var + eps)


def difference_of_squares(X, eps):
    return (X - X.mean(0)) / torch.sqrt((X**2).mean(0) - X.mean(0) ** 2 + eps)


def numpy(X, eps):
    x = X.numpy()
    return torch.from_numpy((x - x.mean(0)) / (x.var(0) + eps) ** 0.5)


def torchs_own(X, eps):
    return F.batch_norm(X, None, None, training=True, eps=eps)


def transposed_layer(X, eps):
    return F.layer_norm(X.T, X.shape[:1], eps=eps).T


def corrected_std(X, eps):
    n = len(X)
    return (X - X.mean(0)) / torch.sqrt(X.std(0) ** 2 * (n - 1) / n + eps)


RIGHT = [loops, einsum, var_mean, difference_of_squares, numpy, torchs_own, transposed_layer, corrected_std]

UNKNOWN = {
    lambda X, eps: torchs_own(X, eps) + 0.1: "zero_mean",
    lambda X, eps: 0.9 * torchs_own(X, eps): "unit_variance",
    lambda X, eps: torchs_own(X, 2 * eps): "unit_variance",
    lambda X, eps: -torchs_own(X, eps): "like_torch",
    lambda X, eps: torchs_own(X, eps).flip(0): "like_torch",
    lambda X, eps: (X - X.median()) / torch.sqrt(X.var(0) + eps): "zero_mean",
}


def rows(X, eps):
    return torch.stack([(x - x.mean()) / torch.sqrt(x.var() + eps) for x in X])


def rows_by_std(X, eps):
    return torch.stack([(x - x.mean()) / (x.std() + eps) for x in X])


def transposed_twice(X, eps):
    return ((X.T - X.mean(1)) / torch.sqrt(X.var(1) + eps)).T


def rows_without_keepdim(X, eps):
    return (X - X.mean(1)) / torch.sqrt(X.var(1) + eps)


def all_numbers(X, eps):
    return (X - X.mean()) / torch.sqrt(X.var() + eps)


def all_numbers_by_std(X, eps):
    return (X - X.mean()) / (X.std() + eps)


def std_alone(X, eps):
    return (X - X.mean(0)) / X.std(0)


NAMED = {
    rows: {"per_sample_unbiased"},
    rows_by_std: {"per_sample_std"},
    transposed_twice: {"per_sample_unbiased"},
    rows_without_keepdim: {"rows_against_columns_unbiased"},
    all_numbers: {"over_everything_unbiased"},
    all_numbers_by_std: {"over_everything_std"},
    std_alone: {"no_eps_unbiased"},
}
