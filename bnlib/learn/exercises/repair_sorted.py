"""Exercise: repair an epoch whose batches hold one class each, since the data lie sorted (chapter 06, case 10)."""

import torch
from torch import Tensor

from bnlib.learn.exercise import Ask, CodeExercise, Inputs, Property, Unfit, batch, by_hand, need, need_items
from bnlib.learn.show import unequal

EPOCHS, AGAIN = 30, 5  # so many that no fair draw comes out sorted, or most batches of one class, or twice the same
SIZES = "[len(y) for X, y in epoch]"
PAIRS = "each (X[i], y[i]) in data"
ONCE = "each of data once in epoch"
SORTED = "y in old order"
TOGETHER = "each batch holds its old samples"
PURE = "len(set(y)) == 1 in most batches"
STILL = "X in old order"
SAME = "order of epoch 1 == order of epoch 2"
SEEDED = "order == order with the same seed"


def ask(answer, inputs: Inputs):
    """Many epochs drawn one after the other from a generator, and some again from another one with the same seed."""
    X, y, size = inputs["X"].clone(), inputs["y"].clone(), int(inputs["batch_size"])

    def epochs(X: Tensor, y: Tensor, number: int) -> list[list[tuple[list, list]]]:
        generator = torch.Generator().manual_seed(int(inputs["seed"]))
        return [taken(answer(X, y, size, generator), len(X)) for _ in range(number)]

    drawn = epochs(inputs["X"], inputs["y"], EPOCHS)  # the inputs themselves: whoever writes into them is told so,
    again = epochs(X.clone(), y.clone(), AGAIN)  # and not that other epochs came of the same seed
    old = [sorted(part) for part in split(rows(X), size)]
    data = dict(zip(rows(X), y.tolist(), strict=True))
    orders = [[row for xs, _ in epoch for row in xs] for epoch in drawn]
    labels = [[label for _, ys in epoch for label in ys] for epoch in drawn]
    due = sizes(inputs)
    others = {str([len(ys) for _, ys in epoch]) for epoch in drawn} - {due}
    pure = [len(set(ys)) == 1 for epoch in drawn for _, ys in epoch if len(ys) > 1]
    still = all(row == old for order in orders for row, old in zip(order, rows(X), strict=False))  # as far as it goes
    same = all(order == orders[0] for order in orders)
    told = still or not same  # of another order that never changes, that alone: how it mixes the classes is luck
    return {
        SIZES: min(others, default=due),
        PAIRS: all(data.get(row) == label for epoch in drawn for xs, ys in epoch for row, label in zip(xs, ys)),  # noqa: B905
        ONCE: all(sorted(order) == sorted(data) for order in orders),
        PURE: told and sum(pure) >= 0.75 * len(pure) > 0,
        SORTED: told and all(found == y.tolist() for found in labels),
        TOGETHER: told and all([sorted(xs) for xs, _ in epoch] == old for epoch in drawn),
        STILL: still,
        SAME: same,
        SEEDED: [xs for epoch in drawn[:AGAIN] for xs, _ in epoch] == [xs for epoch in again for xs, _ in epoch],
    }


def taken(epoch, n: int) -> list[tuple[list, list]]:
    """An epoch's batches as plain lists.

    Raises:
        Unfit: where a batch is no pair of tensors of the same length.
    """
    batches = []
    for part in need_items("epoch", epoch, 2 * n):
        pair = need("batch", tuple(part) if isinstance(part, list) else part, tuple)
        if len(pair) != 2:
            raise Unfit("shape", name="batch", got=f"({len(pair)},)", expected="(2,)")
        xs, ys = (need(f"batch[{i}]", pair[i], Tensor) for i in (0, 1))
        if xs.ndim != 2 or ys.shape != xs.shape[:1]:
            raise Unfit("shape", name="batch[1]", got=str(tuple(ys.shape)), expected=str(tuple(xs.shape[:1])))
        batches.append((rows(xs), ys.tolist()))
    return batches


def sizes(inputs: Inputs) -> str:
    """Of the batches as they should be: all full, but the last."""
    return str([len(part) for part in inputs["y"].split(int(inputs["batch_size"]))])


def split(items: list, size: int) -> list[list]:
    return [items[i : i + size] for i in range(0, len(items), size)]


def rows(X: Tensor) -> list[tuple]:
    return [tuple(row) for row in X.tolist()]


def drawn(classes: int, of_each: int, batch_size: int):
    def make(generator):
        y = torch.arange(classes).repeat_interleave(of_each)
        X = batch(len(y), 2, generator=generator)
        return {"X": X, "y": y, "batch_size": batch_size, "seed": int(torch.randint(100, (), generator=generator))}

    return make


def one_epoch(X, y, batch_size, generator):
    order = torch.arange(len(y))
    return [(X[i], y[i]) for i in order.split(batch_size)]


def in_order(X, y, batch_size, order):
    return [(X[i], y[i]) for i in order.split(batch_size)]


def right(X, y, batch_size, generator):
    order = torch.randperm(len(y), generator=generator)
    return [(X[i], y[i]) for i in order.split(batch_size)]


def within_classes(X, y, batch_size, generator):
    order = torch.randperm(len(y), generator=generator)
    return in_order(X, y, batch_size, order[y[order].argsort(stable=True)])


def within_batches(X, y, batch_size, generator):
    parts = torch.arange(len(y)).split(batch_size)
    order = torch.cat([part[torch.randperm(len(part), generator=generator)] for part in parts])
    return in_order(X, y, batch_size, order)


def labels_only(X, y, batch_size, generator):
    return one_epoch(X, y[torch.randperm(len(y), generator=generator)], batch_size, generator)


def samples_only(X, y, batch_size, generator):
    return one_epoch(X[torch.randperm(len(y), generator=generator)], y, batch_size, generator)


def apart(X, y, batch_size, generator):
    return labels_only(X[torch.randperm(len(y), generator=generator)], y, batch_size, generator)


def same_every_epoch(X, y, batch_size, generator):
    return in_order(X, y, batch_size, torch.randperm(len(y), generator=torch.Generator().manual_seed(0)))


def without_generator(X, y, batch_size, generator):
    return in_order(X, y, batch_size, torch.randperm(len(y)))


def whole_batches(X, y, batch_size, generator):
    batches = one_epoch(X, y, batch_size, generator)
    return [batches[i] for i in torch.randperm(len(batches), generator=generator)]


def with_replacement(X, y, batch_size, generator):
    return in_order(X, y, batch_size, torch.randint(len(y), (len(y),), generator=generator))


def last_dropped(X, y, batch_size, generator):
    order = torch.randperm(len(y), generator=generator)
    return in_order(X, y, batch_size, order[: len(y) // batch_size * batch_size])


def by_chunk(X, y, batch_size, generator):
    order = torch.randperm(len(y), generator=generator)
    return [(X[i], y[i]) for i in order.chunk(batch_size)]


MISTAKES = {
    "unchanged": one_epoch,
    "within_classes": within_classes,
    "within_batches": within_batches,
    "whole_batches": whole_batches,
    "labels_only": labels_only,
    "samples_only": samples_only,
    "apart": apart,
    "same_every_epoch": same_every_epoch,
    "without_generator": without_generator,
    "with_replacement": with_replacement,
    "last_dropped": last_dropped,
    "by_chunk": by_chunk,
}
SOUND = {
    **dict.fromkeys(("labels_only", "samples_only", "apart"), (ONCE,)),
    "with_replacement": (SIZES, PAIRS),
    "same_every_epoch": (STILL,),
}


def batch_sizes(ask: Ask, inputs: Inputs) -> str | None:
    return unequal(SIZES, ask(inputs)[SIZES], sizes(inputs))


def law(name: str, key: str, value: bool) -> Property:
    def broken(ask: Ask, inputs: Inputs) -> str | None:
        return unequal(key, ask(inputs)[key], value)

    return Property(name, broken)


EXERCISE = CodeExercise(
    name="repair_sorted",
    chapter=6,
    call="one_epoch(X, y, batch_size, generator)",
    ask=ask,
    inputs=(
        by_hand(X=[[1.0], [2.0], [5.0], [6.0]], y=[0, 0, 1, 1], batch_size=2, seed=0),
        by_hand(X=[[1.0], [2.0], [5.0], [6.0], [9.0]], y=[0, 0, 1, 1, 1], batch_size=2, seed=0),
        drawn(classes=3, of_each=5, batch_size=4),
        drawn(classes=2, of_each=8, batch_size=2),
    ),
    right=right,
    mistakes=MISTAKES,
    sound=SOUND,
    properties=(
        law("pairs_kept", PAIRS, True),
        law("each_once", ONCE, True),
        Property("batch_sizes", batch_sizes),
        law("classes_mixed", PURE, False),
        law("new_each_epoch", SAME, False),
        law("by_the_generator", SEEDED, True),
    ),
    start=one_epoch,
)
