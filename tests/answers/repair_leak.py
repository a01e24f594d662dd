from copy import deepcopy
from fractions import Fraction

import numpy as np
import torch

from bnlib.training.scoring import in_prediction_mode


def by_context(net, batches):
    with in_prediction_mode(net), torch.no_grad():
        return torch.cat([net(X).argmax(dim=1) == y for X, y in batches]).float().mean()


def a_copy(net, batches):
    copy, hits = deepcopy(net).eval(), []
    for X, y in batches:
        hits += (copy(X).argmax(dim=1) == y).tolist()
    return sum(hits) / len(hits)


def restored(net, batches):
    before = net.training
    try:
        net.eval()
        X, y = (torch.cat(parts) for parts in zip(*batches, strict=True))
        return torch.count_nonzero(net(X).argmax(1) == y).item() / len(y)
    finally:
        net.train(before)


def each_batch(net, batches):
    before, right, total = net.training, 0, 0
    for X, y in batches:
        net.train(False)
        right += int((net(X).max(dim=1).indices == y).sum())
        net.train(before)
        total += y.numel()
    return right / total


def by_numpy(net, batches):
    return np.float32(a_copy(net, batches))


def as_a_fraction(net, batches):
    hits = [hit for X, y in batches for hit in (deepcopy(net).eval()(X).argmax(dim=1) == y).tolist()]
    return Fraction(sum(hits), len(hits))


RIGHT = [by_context, a_copy, restored, each_batch, by_numpy, as_a_fraction]


def errors(net, batches):
    return 1 - a_copy(net, batches)


def first_alone(net, batches):
    return a_copy(net, batches[:1])


def forgets(net, batches):
    found = a_copy(net, batches)
    net[0].running_mean.mul_(0.5)
    return found


def exchanges_the_mode(net, batches):
    found = a_copy(net, batches)
    net.train(not net.training)
    return found


UNKNOWN = {
    errors: "by_the_buffers",
    first_alone: "by_the_buffers",
    forgets: "statistics_untouched",
    exchanges_the_mode: "mode_as_before",
    lambda net, batches: "1": "type",
    lambda net, batches: None: "nothing",
}


def broken(net, batches):
    hits, total = 0, 0
    for X, y in batches:
        net.train(total > 0)
        hits += int((net(X).argmax(1) == y).sum())
        total += len(y)
    net.train()
    return hits / total


def broken_mode_restored(net, batches):
    before = net.training
    found = broken(net, batches)
    net.train(before)
    return found


def broken_ends_in_prediction_mode(net, batches):
    found = broken(net, batches)
    net.eval()
    return found


def broken_on_a_copy(net, batches):
    return broken(deepcopy(net), batches)


def statistics_alone_put_back(net, batches):
    state = deepcopy(net.state_dict())
    found = broken(net, batches)
    net.load_state_dict(state)
    return found


UNKNOWN |= dict.fromkeys((broken_mode_restored, broken_ends_in_prediction_mode), "by_the_buffers")
NAMED = {
    broken: {"unchanged"},
    broken_on_a_copy: {"statistics_put_back"},
    statistics_alone_put_back: {"statistics_put_back", "train_after"},
}
