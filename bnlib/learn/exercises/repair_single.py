"""Exercise: repair a division into batches that leaves a single sample over (chapter 06, case 3)."""

import torch
from torch import Tensor, nn

from bnlib.learn.exercise import Ask, CodeExercise, Inputs, Property, batch, by_hand, need, need_items, need_shape
from bnlib.learn.show import unequal

ALL = "torch.cat(batches)"
TRAINED = "[norm(batch).shape for batch in batches]"
SIZES = "[len(batch) for batch in batches]"


def ask(answer, inputs: Inputs):
    """All batches together, then each of them in a normalization in training mode."""
    X = inputs["X"]
    found = need_items("batches", answer(X, int(inputs["batch_size"])), 2 * len(X))
    batches = [need(f"batches[{i}]", part, Tensor) for i, part in enumerate(found)]
    if not batches:
        return {ALL: X[:0], TRAINED: "[]", SIZES: "[]"}
    for i, part in enumerate(batches):
        need_shape(f"batches[{i}]", part, torch.Size([len(part) if part.ndim else 1, X.shape[1]]))
    return {ALL: torch.cat(batches), TRAINED: trained(batches), SIZES: str([len(part) for part in batches])}


def trained(batches: list[Tensor]) -> str:
    """The shapes that come out of the layer, or the words of its refusal."""
    norm = nn.BatchNorm1d(batches[0].shape[1])
    try:
        return str([tuple(norm(part).shape) for part in batches])
    except ValueError as error:
        return f"ValueError: {error}"


def drawn(n: int, d: int, batch_size: int):
    return lambda generator: {"X": batch(n, d, generator=generator), "batch_size": batch_size}


def in_batches(X, batch_size):
    return list(X.split(batch_size))


def right(X, batch_size):
    batches = list(X.split(batch_size))
    if len(batches[-1]) == 1 and len(batches) > 1:
        single = batches.pop()
        batches[-1] = torch.cat([batches[-1], single])
    return batches


def drops_incomplete(X, batch_size):
    return [part for part in X.split(batch_size) if len(part) == batch_size]


def drops_single(X, batch_size):
    return [part for part in X.split(batch_size) if len(part) > 1]


def pads_with_zeros(X, batch_size):
    batches = list(X.split(batch_size))
    if len(batches[-1]) == 1:
        batches[-1] = torch.cat([batches[-1], torch.zeros(batch_size - 1, X.shape[1])])
    return batches


def fills_up(X, batch_size):
    zeros = torch.zeros(-len(X) % batch_size, X.shape[1])
    return list(torch.cat([X, zeros]).split(batch_size))


def doubles(X, batch_size):
    batches = list(X.split(batch_size))
    if len(batches[-1]) == 1:
        batches[-1] = batches[-1].repeat(2, 1)
    return batches


def borrows(X, batch_size):
    batches = list(X.split(batch_size))
    if len(batches[-1]) == 1:
        batches[-1] = X[-2:]
    return batches


def moves_one(X, batch_size):
    batches = list(X.split(batch_size))
    if len(batches[-1]) == 1:
        batches[-2:] = [batches[-2][:-1], X[-2:]]
    return batches


def merges_every_rest(X, batch_size):
    batches = list(X.split(batch_size))
    if len(batches[-1]) < batch_size:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


def in_even_parts(X, batch_size):
    return list(X.tensor_split(max(len(X) // batch_size, 1)))


MISTAKES = {
    "unchanged": in_batches,
    "drops_incomplete": drops_incomplete,
    "drops_single": drops_single,
    "pads_with_zeros": pads_with_zeros,
    "fills_up": fills_up,
    "doubles": doubles,
    "borrows": borrows,
    "moves_one": moves_one,
    "merges_every_rest": merges_every_rest,
    "in_even_parts": in_even_parts,
}


def all_once(ask: Ask, inputs: Inputs) -> str | None:
    return unequal(ALL, ask(inputs)[ALL], inputs["X"])


def none_alone(ask: Ask, inputs: Inputs) -> str | None:
    seen = ask(inputs)
    return unequal(f"1 in {SIZES}", 1 in sizes(seen), False)


def only_a_single_moves(ask: Ask, inputs: Inputs) -> str | None:
    n, size = len(inputs["X"]), int(inputs["batch_size"])
    whole, rest = divmod(n, size)
    expected = [size] * (whole - 1) + [size + 1] if rest == 1 else [size] * whole + [rest] * (rest > 0)
    return unequal(SIZES, ask(inputs)[SIZES], str(expected))


def sizes(seen) -> list[int]:
    return [int(size) for size in seen[SIZES].strip("[]").split(", ") if size]


EXERCISE = CodeExercise(
    name="repair_single",
    chapter=6,
    call="in_batches(X, batch_size)",
    ask=ask,
    inputs=(
        by_hand(X=[[1.0], [2.0], [4.0]], batch_size=2),
        by_hand(X=[[1.0], [2.0], [4.0], [5.0]], batch_size=3),
        by_hand(X=[[1.0], [2.0], [4.0], [5.0]], batch_size=2),
        by_hand(X=[[1.0], [2.0], [4.0], [5.0], [7.0]], batch_size=3),
        drawn(8, 2, batch_size=3),
        drawn(9, 3, batch_size=4),
    ),
    right=right,
    mistakes=MISTAKES,
    properties=(
        Property("all_once", all_once),
        Property("none_alone", none_alone),
        Property("only_a_single_moves", only_a_single_moves),
    ),
    start=in_batches,
)
