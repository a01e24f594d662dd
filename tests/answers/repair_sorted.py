import random

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset


def randperm(X, y, batch_size, generator):
    order = torch.randperm(len(y), generator=generator)
    X, y = X[order], y[order]
    return list(zip(X.split(batch_size), y.split(batch_size), strict=True))


def loader(X, y, batch_size, generator):
    return DataLoader(TensorDataset(X, y), batch_size=batch_size, shuffle=True, generator=generator)


def by_random_keys(X, y, batch_size, generator):
    order = torch.rand(len(y), generator=generator).argsort()
    for start in range(0, len(y), batch_size):
        chosen = order[start : start + batch_size]
        yield X[chosen], y[chosen]


def fisher_yates(X, y, batch_size, generator):
    order = list(range(len(y)))
    for i in range(len(y) - 1, 0, -1):
        j = int(torch.randint(i + 1, (), generator=generator))
        order[i], order[j] = order[j], order[i]
    return [(X[i], y[i]) for i in torch.tensor(order).split(batch_size)]


def without_replacement(X, y, batch_size, generator):
    order = torch.multinomial(torch.ones(len(y)), len(y), generator=generator)
    return [[X[i], y[i]] for i in order.split(batch_size)]


RIGHT = [randperm, loader, by_random_keys, fisher_yates, without_replacement]


def in_order(X, y, batch_size, order):
    return [(X[i], y[i]) for i in order.split(batch_size)]


def rolled(X, y, batch_size, generator):
    order = torch.arange(len(y)).roll(int(torch.randint(len(y), (), generator=generator)))
    return [(X[i], y[i]) for i in order.split(batch_size)]


def classes_in_a_row(X, y, batch_size, generator):
    """One class after the other, in random order, and so are the samples of each."""
    key = torch.rand(int(y.max()) + 1, generator=generator)[y] + 1e-3 * torch.rand(len(y), generator=generator)
    return in_order(X, y, batch_size, key.argsort())


def new_order_for_each_batch(X, y, batch_size, generator):
    orders = (torch.randperm(len(y), generator=generator) for _ in y.split(batch_size))
    return [(X[i], y[i]) for order, part in zip(orders, y.split(batch_size), strict=True) for i in [order[: len(part)]]]


UNKNOWN = {
    classes_in_a_row: "classes_mixed",
    lambda X, y, batch_size, generator: None: "nothing",
    rolled: "classes_mixed",
    lambda X, y, batch_size, generator: [X for X, y in randperm(X, y, batch_size, generator)]: "type",
    lambda X, y, batch_size, generator: [(X, y, y) for X, y in randperm(X, y, batch_size, generator)]: "shape",
    lambda X, y, batch_size, generator: [(X, y[:1]) for X, y in randperm(X, y, batch_size, generator)]: "shape",
}


def by_numpy(X, y, batch_size, generator):
    return in_order(X, y, batch_size, torch.from_numpy(np.random.permutation(len(y))))


def by_python(X, y, batch_size, generator):
    order = list(range(len(y)))
    random.shuffle(order)
    return in_order(X, y, batch_size, torch.tensor(order))


def by_torch(X, y, batch_size, generator):
    return in_order(X, y, batch_size, torch.randperm(len(y)))


def by_both(X, y, batch_size, generator):
    order = torch.randperm(len(y), generator=generator)
    return in_order(X, y, batch_size, order[torch.randperm(len(y))])


def multinomial(X, y, batch_size, generator):
    order = torch.multinomial(torch.ones(len(y)), len(y), replacement=True, generator=generator)
    return in_order(X, y, batch_size, order)


def numpys_choice(X, y, batch_size, generator):
    return in_order(X, y, batch_size, torch.from_numpy(np.random.choice(len(y), len(y))))


def backwards(X, y, batch_size, generator):
    return in_order(X, y, batch_size, torch.arange(len(y)).flip(0))


def shifted_labels(X, y, batch_size, generator):
    order = torch.randperm(len(y), generator=generator)
    return [(X[i], y[j]) for i, j in zip(order.split(batch_size), order.flip(0).split(batch_size), strict=True)]


def batches_by_python(X, y, batch_size, generator):
    batches = list(zip(X.split(batch_size), y.split(batch_size), strict=True))
    random.Random(int(torch.randint(2**31, (), generator=generator))).shuffle(batches)
    return batches


NAMED = {
    batches_by_python: {"whole_batches"},
    by_numpy: {"without_generator"},
    by_python: {"without_generator"},
    by_torch: {"without_generator"},
    by_both: {"without_generator"},
    multinomial: {"with_replacement"},
    new_order_for_each_batch: {"with_replacement"},
    numpys_choice: {"with_replacement", "without_generator"},
    backwards: {"same_every_epoch"},
    shifted_labels: {"apart"},
}


def sorted_and_last_dropped(X, y, batch_size, generator):
    return in_order(X, y, batch_size, torch.arange(len(y) // batch_size * batch_size))


def draws_for_nothing(X, y, batch_size, generator):
    torch.randperm(len(y), generator=generator)
    return in_order(X, y, batch_size, torch.arange(len(y)))


def other_samples(X, y, batch_size, generator):
    return [(2 * X, y) for X, y in randperm(X, y, batch_size, generator)]


NAMED |= {sorted_and_last_dropped: {"last_dropped"}, draws_for_nothing: {"unchanged"}}
UNKNOWN[other_samples] = "pairs_kept"


def batch_after_batch(X, y, batch_size, generator):
    """Each batch is shuffled by itself, also where it holds two classes."""
    pairs = zip(X.split(batch_size), y.split(batch_size), strict=True)
    return [(X[order], y[order]) for X, y in pairs for order in [torch.randperm(len(y), generator=generator)]]


def batch_after_batch_by_torch(X, y, batch_size, generator):
    return batch_after_batch(X, y, batch_size, None)


def in_place(X, y, batch_size, generator):
    order = torch.randperm(len(y), generator=generator)
    X.copy_(X[order])
    y.copy_(y[order])
    return list(zip(X.split(batch_size), y.split(batch_size), strict=True))


def chunks_shuffled(X, y, batch_size, generator):
    order = torch.randperm(len(y), generator=generator)
    return list(zip(X[order].chunk(batch_size), y[order].chunk(batch_size), strict=True))


def chunks_in_order(X, y, batch_size, generator):
    return list(zip(X.chunk(batch_size), y.chunk(batch_size), strict=True))


def rest_first(X, y, batch_size, generator):
    return randperm(X, y, batch_size, generator)[::-1]


NAMED |= {
    batch_after_batch: {"within_batches"},
    batch_after_batch_by_torch: {"within_batches", "without_generator"},
    chunks_shuffled: {"by_chunk"},
    chunks_in_order: {"by_chunk"},
}
UNKNOWN |= {in_place: "changed", rest_first: "batch_sizes"}
