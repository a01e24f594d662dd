import torch
from torch.nn import functional as F


def in_double(X, eps):
    exact = X.double()
    var, mean = torch.var_mean(exact, dim=0, correction=0)
    return ((exact - mean) * torch.rsqrt(var + eps)).to(X.dtype)


def torchs_own(X, eps):
    return F.batch_norm(X.float(), None, None, training=True, eps=eps).type_as(X)


def moved_first(X, eps):
    moved = X.float() - X[0].float()
    mean = moved.sum(dim=0) / len(X)
    var = (moved * moved).sum(dim=0) / len(X) - mean * mean
    return ((moved - mean) / torch.sqrt(var + eps)).to(X.dtype)


def columns(X, eps):
    Y = torch.empty_like(X)
    for j in range(X.shape[1]):
        column = [float(x) for x in X[:, j]]
        mean = sum(column) / len(column)
        var = sum((x - mean) ** 2 for x in column) / len(column)
        Y[:, j] = torch.tensor([(x - mean) / (var + eps) ** 0.5 for x in column])
    return Y


RIGHT = [in_double, torchs_own, moved_first, columns]


def shifted(X, eps):
    return in_double(X, eps) + 0.125


def louder(X, eps):
    return in_double(X, eps) * 1.5


def in_numbers_of_double(X, eps):
    return in_double(X.double(), eps)


def magnitude(X, eps):
    """A negative variance with its sign changed is no variance, either."""
    X32 = X.float()
    mean = X32.mean(0)
    return ((X32 - mean) / torch.sqrt(((X32 * X32).mean(0) - mean * mean).abs() + eps)).to(X.dtype)


def mean_in_half(X, eps):
    return ((X - X.mean(0)) / torch.sqrt(X.float().var(0, correction=0) + eps)).to(X.dtype)


def eps_doubled(X, eps):
    return in_double(X, 2 * eps)


UNKNOWN = {
    shifted: "zero_mean",
    louder: "like_float64",
    eps_doubled: "like_float64",
    magnitude: "like_float64",
    mean_in_half: "zero_mean",
    in_numbers_of_double: "dtype_kept",
    lambda X, eps: in_double(X, eps).sum(dim=0): "shape",
    lambda X, eps: X.float().mul_(torch.inf): "nan",
}


def eps_beside_the_deviation(X, eps):
    x = X.float()
    return ((x - x.mean(0)) / (x.std(0, correction=0) + eps)).to(X.dtype)


def deviation_at_least_tiny(X, eps):
    x = X.float()
    return ((x - x.mean(0)) / x.var(0, correction=0).sqrt().clamp(min=1e-9)).to(X.dtype)


def deviation_at_least_eps(X, eps):
    x = X.float()
    return ((x - x.mean(0)) / x.std(0, correction=0).clamp(min=eps)).to(X.dtype)


def without_eps(X, eps):
    x = X.double()
    return ((x - x.mean(0)) / x.std(0, correction=0)).to(X.dtype)


def maximum_with_zero(X, eps):
    mean = X.sum(0) / len(X)
    var = torch.maximum((X * X).sum(0) / len(X) - mean * mean, torch.zeros_like(mean))
    return (X - mean) / torch.sqrt(var + eps)


def relu_in_float32(X, eps):
    x = X.float()
    mean = x.mean(0)
    return ((x - mean) * torch.rsqrt(F.relu((x * x).mean(0) - mean * mean) + eps)).to(X.dtype)


def divided_first(X, eps):
    """Every number as with the broken function, rounding included."""
    mean = (X / len(X)).sum(0)
    var = (X * X / len(X)).sum(0) - mean * mean
    return (X - mean) / torch.sqrt(var + eps)


NAMED = {
    eps_beside_the_deviation: {"eps_outside"},
    deviation_at_least_tiny: {"only_not_zero"},
    deviation_at_least_eps: {"only_not_zero"},
    without_eps: {"no_eps"},
    maximum_with_zero: {"not_negative"},
    relu_in_float32: {"cancels_not_negative"},
    divided_first: {"unchanged"},
}


def broken_and_unbiased(X, eps):
    var = (X * X).sum(0) / len(X) - (X.sum(0) / len(X)) ** 2
    return (X - X.sum(0) / len(X)) / torch.sqrt(var * len(X) / (len(X) - 1) + eps)


UNKNOWN[broken_and_unbiased] = "nan"
