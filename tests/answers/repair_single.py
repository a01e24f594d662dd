import torch


def by_sizes(X, batch_size):
    sizes = [batch_size] * (len(X) // batch_size)
    rest = len(X) % batch_size
    if rest == 1 and sizes:
        sizes[-1] += 1
    elif rest:
        sizes.append(rest)
    return X.split(sizes)


def yields(X, batch_size):
    start = 0
    while start < len(X):
        end = start + batch_size
        if len(X) - end == 1:
            end += 1
        yield X[start:end]
        start = end


def by_bounds(X, batch_size):
    bounds = list(range(0, len(X), batch_size)) + [len(X)]
    if len(bounds) > 2 and bounds[-1] - bounds[-2] == 1:
        del bounds[-2]
    return [X[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]


def one_by_one(X, batch_size):
    batches = []
    for i, x in enumerate(X):
        if not batches or (len(batches[-1]) >= batch_size and i < len(X) - 1):
            batches.append([])
        if i == len(X) - 1 and len(X) % batch_size != 1 and len(batches[-1]) == batch_size:
            batches.append([])
        batches[-1].append(x)
    return [torch.stack(batch) for batch in batches]


RIGHT = [by_sizes, yields, by_bounds, one_by_one]


def backwards(X, batch_size):
    return by_sizes(X.flip(0), batch_size)


def first_single(X, batch_size):
    return [X[:1], X[1:]]


def in_one(X, batch_size):
    return [X]


def endless(X, batch_size):
    while True:
        yield X[:2]


UNKNOWN = {
    backwards: "all_once",
    first_single: "none_alone",
    in_one: "only_a_single_moves",
    endless: "shape",
    lambda X, batch_size: [part.tolist() for part in by_sizes(X, batch_size)]: "type",
    lambda X, batch_size: []: "shape",
    lambda X, batch_size: [part[:, :0] for part in by_sizes(X, batch_size)]: "shape",
    lambda X, batch_size: None: "nothing",
    lambda X, batch_size: batch_size: "type",
}


def pieces(X, batch_size):
    return [X[start : start + batch_size] for start in range(0, len(X), batch_size)]


def pieces_backwards(X, batch_size):
    return pieces(X.flip(0), batch_size)


UNKNOWN[pieces_backwards] = "all_once"
NAMED = {pieces: {"unchanged"}}
