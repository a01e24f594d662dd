import torch
from torch import nn
from torch.nn import functional as F


def loops(X, size, eps):
    Y = torch.empty_like(X)
    for start in range(0, len(X), size):
        for c in range(X.shape[1]):
            numbers = X[start : start + size, c].flatten().tolist()
            mean = sum(numbers) / len(numbers)
            var = sum((x - mean) ** 2 for x in numbers) / len(numbers)
            Y[start : start + size, c] = (X[start : start + size, c] - mean) / (var + eps) ** 0.5
    return Y


def var_mean(X, size, eps):
    ghosts = []
    for x in X.split(size):
        var, mean = torch.var_mean(x, (0, 2, 3), correction=0, keepdim=True)
        ghosts.append((x - mean) * torch.rsqrt(var + eps))
    return torch.cat(ghosts)


def by_sums(X, size, eps):
    """Each sample's ghost as a number, and sums by it."""
    ghost = torch.arange(len(X)) // size
    member = F.one_hot(ghost).to(X.dtype)  # (N, ghosts)
    count = member.sum(0) * X.shape[2] * X.shape[3]
    mean = torch.einsum("ng,nchw->gc", member, X) / count[:, None]
    centred = X - mean[ghost][:, :, None, None]
    var = torch.einsum("ng,nchw->gc", member, centred**2) / count[:, None]
    return centred / torch.sqrt(var + eps)[ghost][:, :, None, None]


def one_more_axis(X, size, eps):
    whole = len(X) // size * size
    full = X[:whole].unflatten(0, (-1, size))  # (ghosts, size, C, H, W)
    var, mean = torch.var_mean(full, (1, 3, 4), correction=0, keepdim=True)
    full = ((full - mean) / torch.sqrt(var + eps)).flatten(0, 1)
    return full if whole == len(X) else torch.cat([full, torchs_own(X[whole:], size, eps)])


def recursive(X, size, eps):
    first = F.batch_norm(X[:size], None, None, training=True, eps=eps)
    return first if len(X) <= size else torch.cat([first, recursive(X[size:], size, eps)])


def torchs_own(X, size, eps):
    return torch.cat([F.batch_norm(x, None, None, training=True, eps=eps) for x in X.split(size)])


def torchs_layer(X, size, eps):
    layer = nn.BatchNorm2d(X.shape[1], eps=eps, affine=False)
    return torch.cat([layer(x) for x in X.split(size)])


RIGHT = [loops, var_mean, by_sums, one_more_axis, recursive, torchs_own, torchs_layer]


def running(X, size, eps):
    """Each ghost by the statistics of all samples up to its end."""
    Y = torch.empty_like(X)
    for start in range(0, len(X), size):
        end = start + size
        Y[start:end] = F.batch_norm(X[:end], None, None, training=True, eps=eps)[start:]
    return Y


def rows_turned(X, size, eps):
    return torch.cat([y.flip(0) for y in torchs_own(X, size, eps).split(size)])


def right_in_small_ghosts(X, size, eps):
    return torchs_own(X, size, eps) if size < len(X) else X - X.mean((0, 2, 3), keepdim=True)


def scaled_by_the_next(X, size, eps):
    Y = torchs_own(X, size, eps)
    return Y * torch.sign(X[-1, 0, 0, 0])


UNKNOWN = {
    running: "zero_mean",
    lambda X, size, eps: torchs_own(X, size, eps) + 0.1: "zero_mean",
    lambda X, size, eps: torchs_own(X, size, 2 * eps): "unit_variance",
    scaled_by_the_next: "ghosts_apart",
    right_in_small_ghosts: "one_ghost",
    rows_turned: "one_ghost",
    lambda X, size, eps: list(torchs_own(X, size, eps).split(size)): "type",
    lambda X, size, eps: torchs_own(X, size, eps)[:1]: "shape",
}


def ghost_by_ghost(normalize):
    def answer(X, size, eps):
        ghosts = [X[i : i + size] for i in range(0, len(X), size)]
        return torch.cat([normalize(x - x.mean((0, 2, 3), keepdim=True), eps) for x in ghosts])

    return answer


def by_std(x, eps):
    return x / x.std((0, 2, 3), keepdim=True)


def by_std_and_eps(x, eps):
    return x / (x.std((0, 2, 3), keepdim=True) + eps)


def by_variance(x, eps):
    return x / ((x**2).mean((0, 2, 3), keepdim=True) + eps)


NAMED = {
    ghost_by_ghost(by_std): {"no_eps_unbiased"},
    ghost_by_ghost(by_std_and_eps): {"unbiased_eps_outside"},
    ghost_by_ghost(by_variance): {"no_root"},
    lambda X, size, eps: loops(X, size, 0.0): {"no_eps"},
}
