import numpy as np
import torch
from torch import nn

import bnlib

AXES = (0, 2, 3)


def loops(batches):
    mean, var = [], []
    for c in range(batches[0].shape[1]):
        numbers = [x for X in batches for x in X[:, c].flatten().tolist()]
        mean.append(sum(numbers) / len(numbers))
        var.append(sum((x - mean[-1]) ** 2 for x in numbers) / len(numbers))
    return torch.tensor(mean), torch.tensor(var)


def joined(batches):
    var, mean = torch.var_mean(torch.cat(batches), AXES, correction=0)
    return mean, var


def merged(batches):
    """Chan, Golub and LeVeque, one batch after the other, in float32."""
    n, mean, squares = 0, 0.0, 0.0
    for X in batches:
        m = X.numel() // X.shape[1]
        var, new = torch.var_mean(X, AXES, correction=0)
        squares = squares + m * var + (new - mean) ** 2 * n * m / (n + m)
        mean = mean + (new - mean) * m / (n + m)
        n += m
    return mean, squares / n


def total_variance(batches):
    weights = torch.tensor([X.shape[0] * X.shape[2] * X.shape[3] for X in batches])
    weights = (weights / weights.sum())[:, None]
    means = torch.stack([X.mean(AXES) for X in batches])
    within = torch.stack([X.var(AXES, correction=0) for X in batches])
    mean = (weights * means).sum(0)
    return [mean, (weights * (within + (means - mean) ** 2)).sum(0)]


def squares_in_float64(batches):
    n = sum(X[:, 0].numel() for X in batches)
    mean = sum(X.double().sum(AXES) for X in batches) / n
    square = sum(X.double().square().sum(AXES) for X in batches) / n
    return mean.float(), (square - mean**2).float()


def numpy(batches):
    x = np.concatenate([X.numpy().transpose(0, 2, 3, 1).reshape(-1, X.shape[1]) for X in batches]).astype(np.float64)
    return torch.from_numpy(x.mean(0)).float(), torch.from_numpy(x.var(0)).float()


def einsum(batches):
    X = torch.cat(batches)
    n = X.shape[0] * X.shape[2] * X.shape[3]
    mean = torch.einsum("nchw->c", X) / n
    centred = X - mean[:, None, None]
    return mean, torch.einsum("nchw,nchw->c", centred, centred) / n


def torchs_layer(batches):
    X = torch.cat(batches)
    layer = nn.BatchNorm2d(X.shape[1], momentum=1.0)
    layer(X)
    n = X[:, 0].numel()
    return layer.running_mean, layer.running_var * (n - 1) / n


def the_librarys(batches):
    layer = bnlib.recalibrate(nn.BatchNorm2d(batches[0].shape[1]), batches)
    n = sum(X[:, 0].numel() for X in batches)
    return layer.running_mean, layer.running_var * (n - 1) / n


RIGHT = [
    loops,
    joined,
    merged,
    total_variance,
    squares_in_float64,
    numpy,
    einsum,
    torchs_layer,
    the_librarys,
]


def first_counts_twice(batches):
    return joined([batches[0], *batches])


def squares_from_batch_to_batch(batches):
    """The mistake `cancellation`, the sums in another order."""
    n = sum(len(X) for X in batches)
    mean = sum(len(X) / n * X.mean(AXES) for X in batches)
    return mean, sum(len(X) / n * (X**2).mean(AXES) for X in batches) - mean**2


def a_little_noise(batches):
    mean, var = joined(batches)
    return mean, var + 0.1


def last_sample_forgotten(batches):
    return joined([torch.cat(batches)[:-1]])


def mean_shrunk(batches):
    mean, var = joined(batches)
    return 0.9 * mean, var


UNKNOWN = {
    first_counts_twice: "any_order",
    last_sample_forgotten: "any_order",
    lambda batches: joined([max(batches, key=torch.mean)]): "dealt_otherwise",
    a_little_noise: "far_from_zero",
    lambda batches: (joined(batches)[0], joined(batches)[1].clamp(max=12.0)): "doubled",
    lambda batches: tuple(s.view(1, -1, 1, 1) for s in joined(batches)): "shape",
    lambda batches: joined(batches)[0]: "type",
    lambda batches: joined([X.sub_(0.0).mul_(1.5) for X in batches]): "changed",
    lambda batches: tuple(s.double() for s in joined(batches)): "dtype",
    mean_shrunk: "far_from_zero",
    squares_from_batch_to_batch: "mistake",
}


def plain_mean(batches):
    return torch.stack([X.mean(AXES) for X in batches]).mean(0)


def variance_weighted(batches):
    n = sum(len(X) for X in batches)
    return sum(len(X) / n * X.var(AXES, correction=0) for X in batches)


def around(mean, batches):
    return ((torch.cat(batches) - mean[:, None, None]) ** 2).mean(AXES)


def average_from_zero(correction, momentum=0.1, first=0.0):
    """The mean and, where nothing else is said, the variance start at 0."""

    def answer(batches):
        m, v, kept = 0.0, first, 1 - momentum
        for X in batches:
            m, v = kept * m + momentum * X.mean(AXES), kept * v + momentum * X.var(AXES, correction=correction)
        return m, v

    return answer


def the_layers_buffers(batches):
    layer = nn.BatchNorm2d(batches[0].shape[1], momentum=0.05)
    for X in batches:
        layer(X)
    return layer.running_mean, layer.running_var


NAMED = {
    lambda batches: (plain_mean(batches), variance_weighted(batches)): {"plain_mean", "between_forgotten"},
    lambda batches: (plain_mean(batches), around(plain_mean(batches), batches)): {"around_plain_mean"},
    lambda batches: (plain_mean(batches), torch.cat(batches).var(AXES)): {"plain_mean", "unbiased"},
    lambda batches: (plain_mean(batches), joined(batches)[1]): {"plain_mean"},
    average_from_zero(correction=1): {"moving_from_zero"},
    average_from_zero(correction=0): {"moving_from_zero_biased"},
    average_from_zero(correction=1, momentum=0.9): {"moving_from_zero"},
    average_from_zero(correction=0, momentum=0.01): {"moving_from_zero_biased"},
    average_from_zero(correction=1, momentum=0.3, first=1.0): {"moving_average"},
    average_from_zero(correction=0, momentum=0.5, first=1.0): {"moving_biased"},
    the_layers_buffers: {"moving_average"},
    lambda batches: (batches[-1].mean(AXES), batches[-1].var(AXES)): {"last_batch_unbiased"},
}


def half_a_moving_average(batches):
    return average_from_zero(correction=1)(batches)[0], joined(batches)[1]


def moving_with_another_share_each_time(batches):
    """An average with another momentum from batch to batch, and so none that is known."""
    m, v = 0.0, 1.0
    for number, X in enumerate(batches, start=2):
        m, v = m + (X.mean(AXES) - m) / number, v + (X.var(AXES) - v) / number
    return m, v


def last_mean(batches):
    return batches[-1].mean(AXES), variance_weighted(batches)


UNKNOWN |= {  # what is known of the variance alone is not told of both
    half_a_moving_average: "any_order",
    last_mean: "any_order",
    moving_with_another_share_each_time: "dealt_otherwise",
    lambda batches: (batches[-1].mean(AXES), average_from_zero(correction=1)(batches)[1]): "any_order",
}
