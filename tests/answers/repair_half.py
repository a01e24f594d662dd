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


UNKNOWN = {
    shifted: "zero_mean",
    louder: "like_float64",
    in_numbers_of_double: "dtype_kept",
    lambda X, eps: in_double(X, eps).sum(dim=0): "shape",
    lambda X, eps: X.float().mul_(torch.inf): "nan",
}
