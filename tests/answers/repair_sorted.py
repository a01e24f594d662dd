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


def rolled(X, y, batch_size, generator):
    order = torch.arange(len(y)).roll(int(torch.randint(len(y), (), generator=generator)))
    return [(X[i], y[i]) for i in order.split(batch_size)]


UNKNOWN = {
    lambda X, y, batch_size, generator: None: "nothing",
    rolled: "classes_mixed",
    lambda X, y, batch_size, generator: [X for X, y in randperm(X, y, batch_size, generator)]: "type",
    lambda X, y, batch_size, generator: [(X, y, y) for X, y in randperm(X, y, batch_size, generator)]: "shape",
    lambda X, y, batch_size, generator: [(X, y[:1]) for X, y in randperm(X, y, batch_size, generator)]: "shape",
}
