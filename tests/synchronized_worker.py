"""What one rank does in tests/test_synchronized.py: every case, each against one BatchNorm on the joined batch.

A rank compares its own part only after the messages of the case are through, so that a wrong number on one rank
doesn't leave the others waiting. What a case raised is written down at once; any other error than a wrong number
ends the run, because the ranks may have lost one another.
"""

import copy
import json
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint

from bnlib.norm.layers import BatchNorm1d, BatchNorm2d, BatchNorm3d
from bnlib.norm.synchronized import SyncBatchNorm

RANKS = 3
C = 4
PLAIN = {2: BatchNorm1d, 3: BatchNorm1d, 4: BatchNorm2d, 5: BatchNorm3d}
EXACT = {torch.float64: 1e-10, torch.float32: 2e-5, torch.bfloat16: 2e-2}


@dataclass(frozen=True)
class Joined:
    """A case that equals one BatchNorm on the joined batch, step by step."""

    sizes: tuple[int, ...]  # of the parts; as many as the group has ranks
    spatial: tuple[int, ...] = ()
    options: dict = field(default_factory=dict)
    dtype: torch.dtype = torch.float64
    parameters: torch.dtype | None = None  # if other than dtype
    layout: torch.memory_format = torch.contiguous_format
    wants: tuple[bool, ...] = (True, True, True)  # on which ranks the input wants a gradient
    frozen: bool = False
    far: float = 1.0  # how far the parts lie from one another
    steps: int = 3


CASES = {
    "equal parts of (N, C)": Joined((4, 4, 4)),
    "equal parts of (N, C, L)": Joined((4, 4, 4), (5,)),
    "equal parts of NCHW": Joined((2, 2, 2), (3, 5)),
    "equal parts of NCDHW": Joined((2, 2, 2), (2, 3, 2)),
    "channels_last": Joined((2, 3, 1), (3, 5), layout=torch.channels_last),
    "unequal parts": Joined((1, 7, 3), (5,)),
    "one value on each rank": Joined((1, 1, 1)),
    "two values on two ranks": Joined((1, 0, 1)),
    "an empty part": Joined((4, 0, 3), (2, 3)),
    "one part that is not empty": Joined((0, 5, 0)),
    "all parts empty": Joined((0, 0, 0), (3, 2)),
    "two ranks, equal": Joined((4, 4), (3, 2)),
    "two ranks, unequal": Joined((5, 2), (3,)),
    "two ranks, the first empty": Joined((0, 6)),
    "momentum None": Joined((4, 1, 2), options={"momentum": None}),
    "momentum 0.0": Joined((4, 1, 2), options={"momentum": 0.0}),
    "momentum 1.0": Joined((4, 1, 2), options={"momentum": 1.0}),
    "eps 0.1": Joined((4, 1, 2), options={"eps": 0.1}),
    "no bias": Joined((4, 1, 2), (2,), options={"bias": False}),
    "not affine": Joined((4, 1, 2), (2,), options={"affine": False}),
    "no tracked statistics": Joined((4, 1, 2), options={"track_running_stats": False}),
    "float32": Joined((4, 1, 3), (6, 6), dtype=torch.float32),
    "float32, parts far from one another": Joined((64, 32, 0), (6, 6), dtype=torch.float32, far=100.0),
    "bfloat16": Joined((4, 1, 3), (6, 6), dtype=torch.bfloat16),
    "bfloat16 with float32 parameters": Joined((4, 0, 3), (6,), dtype=torch.bfloat16, parameters=torch.float32),
    "no input wants a gradient": Joined((4, 1, 2), wants=(False, False, False)),
    "one rank's input wants no gradient": Joined((4, 1, 2), wants=(True, False, True)),
    "an empty part that wants no gradient": Joined((4, 0, 2), wants=(True, False, True)),
    "frozen parameters": Joined((4, 1, 2), frozen=True),
    "frozen, and one rank's input wants no gradient": Joined((4, 1, 2), frozen=True, wants=(True, False, True)),
    "not affine, and only one input wants a gradient": Joined(
        (4, 0, 2), options={"affine": False}, wants=(False, False, True)
    ),
    "nothing wants a gradient": Joined((4, 1, 2), options={"affine": False}, wants=(False, False, False)),
}


@dataclass(frozen=True)
class Place:
    """Where this process stands."""

    rank: int
    pair: dist.ProcessGroup  # of ranks 0 and 1
    alone: dist.ProcessGroup  # of rank 0

    def group(self, ranks: int) -> dist.ProcessGroup | None:
        return {2: self.pair, RANKS: None}[ranks]


def close(what: str, ours: Tensor, theirs: Tensor, tolerance: float) -> None:
    torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance, msg=lambda text: f"{what}: {text}")


def part_of(joined: Tensor, sizes: tuple[int, ...], rank: int) -> Tensor:
    return joined.split(sizes)[rank].clone(memory_format=torch.preserve_format)


def summed(x: Tensor, group: dist.ProcessGroup | None) -> Tensor:
    total = x.double()  # a copy unless it is float64 already
    total = total.clone() if total is x else total
    dist.all_reduce(total, group=group)
    return total.to(x.dtype)


def equals_one_on_the_joined_batch(case: Joined, place: Place) -> None:
    if place.rank >= len(case.sizes):
        return
    group, random = place.group(len(case.sizes)), torch.Generator().manual_seed(7)
    kind = case.parameters or case.dtype
    shape = (sum(case.sizes), C, *case.spatial)
    ours = SyncBatchNorm(C, process_group=group, dtype=kind, **case.options)
    one = PLAIN[len(shape)](C, dtype=kind, **case.options)
    with torch.no_grad():
        for p, q in zip(ours.parameters(), one.parameters(), strict=True):
            q.copy_(torch.randn(C, generator=random, dtype=torch.double))
            p.copy_(q)
    ours.requires_grad_(not case.frozen), one.requires_grad_(not case.frozen)
    for step in range(case.steps):
        where = torch.repeat_interleave(torch.arange(len(case.sizes)), torch.tensor(case.sizes)).double()
        x = torch.randn(shape, generator=random, dtype=torch.double) * 2 + step
        x = (x + case.far * where.view(-1, *(1,) * (x.dim() - 1))).to(case.dtype)
        upstream = torch.randn(shape, generator=random, dtype=torch.double).to(case.dtype)
        if case.layout is torch.channels_last:
            x, upstream = (t.contiguous(memory_format=torch.channels_last) for t in (x, upstream))
        one_step(case, place, group, ours, one, x, upstream)
    ours.eval(), one.eval()
    with torch.no_grad():
        tolerance = EXACT[case.dtype]
        if one.running_mean is not None:
            close(
                "prediction",
                ours(part_of(x, case.sizes, place.rank)),
                part_of(one(x), case.sizes, place.rank),
                tolerance,
            )


def one_step(case, place, group, ours, one, x, upstream) -> None:
    tolerance, rank = EXACT[case.dtype], place.rank
    wanted = any(case.wants[: len(case.sizes)])
    learns = wanted or (any(True for _ in ours.parameters()) and not case.frozen)
    mine = part_of(x, case.sizes, rank).requires_grad_(case.wants[rank])
    y = ours(mine)
    if learns:
        y.backward(part_of(upstream, case.sizes, rank))
    grads = [summed(p.grad, group) for p in ours.parameters() if p.requires_grad]

    leaf = x.clone(memory_format=torch.preserve_format).requires_grad_()
    truth = one(leaf)
    truth.backward(upstream)
    assert y.requires_grad == learns and y.dtype == case.dtype
    if case.layout is torch.channels_last:
        assert y.is_contiguous(memory_format=torch.channels_last)
        assert mine.grad.is_contiguous(memory_format=torch.channels_last)
    close("output", y, part_of(truth, case.sizes, rank), tolerance)
    if case.wants[rank]:
        close("input gradient", mine.grad, part_of(leaf.grad, case.sizes, rank), tolerance)
    else:
        assert mine.grad is None
    for name, grad, p in zip(("weight", "bias"), grads, one.parameters(), strict=False):
        close(f"gradient of {name}, summed", grad, p.grad, tolerance * max(len(x), 1))
    for name, value in one.state_dict().items():
        close(name, ours.state_dict()[name], value, tolerance)
    ours.zero_grad(), one.zero_grad()


# ---- what is not a table row


def far_from_zero(place: Place) -> None:
    """At mean 1e4 and variance 1, E[x²] - E[x]² in float32 is off by whole units."""
    x = torch.randn(3000, 2, generator=torch.Generator().manual_seed(0)) + 1e4
    layer = SyncBatchNorm(2, momentum=1.0, affine=False)
    y = layer(part_of(x, (2000, 999, 1), place.rank))
    truth = x.double()
    close("running_var", layer.running_var.double(), truth.var(0), 1e-5)
    expected = (truth - truth.mean(0)) / truth.var(0, correction=0).sqrt()
    close("output", y.double(), part_of(expected, (2000, 999, 1), place.rank), 2e-3)


def float16_is_computed_in_float32(place: Place) -> None:
    """In float16 the squared deviations of 3000 values at a deviation of 10 sum up to infinity (pytorch 156513)."""
    x = (torch.randn(3000, 2, generator=torch.Generator().manual_seed(0)) * 10 + 300).half()
    sizes, truth = (2000, 999, 1), x.double()
    layer = SyncBatchNorm(2, momentum=1.0, affine=False)
    y = layer(part_of(x, sizes, place.rank))
    assert y.dtype == torch.float16 and layer.running_var.dtype == torch.float32
    close("running_var", layer.running_var.double(), truth.var(0), 1e-5)
    expected = (truth - truth.mean(0)) / truth.var(0, correction=0).sqrt()
    close("output", y.double(), part_of(expected, sizes, place.rank), 2e-3)


def images_of_several_sizes(place: Place) -> None:
    random = torch.Generator().manual_seed(3)
    parts = [torch.randn(n, C, h, 3, generator=random, dtype=torch.double) * n for n, h in ((2, 2), (1, 5), (3, 4))]
    flat = torch.cat([p.transpose(0, 1).reshape(C, -1).T for p in parts])
    layer, one = SyncBatchNorm(C).double(), BatchNorm1d(C).double()
    mine, leaf = parts[place.rank].requires_grad_(), flat.requires_grad_()
    layer(mine).pow(3).sum().backward()
    one(leaf).pow(3).sum().backward()
    expected = leaf.grad.split([p.shape[0] * p.shape[2] * p.shape[3] for p in parts])[place.rank]
    close("input gradient", mine.grad.transpose(0, 1).reshape(C, -1).T, expected, 1e-10)
    close("running_var", layer.running_var, one.running_var, 1e-12)


def one_value_in_total(place: Place) -> None:
    """Every rank raises, none waits, and the next batch goes through."""
    layer = SyncBatchNorm(C)
    for holder in range(RANKS):
        try:
            layer(torch.ones(int(place.rank == holder), C))
        except ValueError as error:
            assert "Expected more than 1 value per channel when training" in str(error)
        else:
            raise AssertionError("one value in total raised nothing")
    assert torch.equal(layer.running_var, torch.ones(C))
    layer(torch.randn(2, C))
    assert not torch.equal(layer.running_var, torch.ones(C))


def prediction_waits_for_nobody(place: Place) -> None:
    layer, unstored = SyncBatchNorm(C).eval(), SyncBatchNorm(C, track_running_stats=False).eval()
    if place.rank == 1:
        x = torch.randn(5, C, requires_grad=True)
        close("output", layer(x), x / (1 + layer.eps) ** 0.5, 1e-6)
        layer(x).sum().backward()
        close("by its own statistics", unstored(x).mean(0), torch.zeros(C), 1e-6)


def training_without_gradients(place: Place) -> None:
    x = torch.randn(9, C, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    layer, one = SyncBatchNorm(C).double(), BatchNorm1d(C).double()
    with torch.no_grad():
        y, truth = layer(part_of(x, (2, 4, 3), place.rank)), one(x)
    close("output", y, part_of(truth, (2, 4, 3), place.rank), 1e-10)
    close("running_var", layer.running_var, one.running_var, 1e-12)


def buffers_are_changed_in_place(place: Place) -> None:
    layer = SyncBatchNorm(C)
    held = dict(layer.named_buffers())
    layer(torch.randn(2, C))
    assert all(held[name] is buffer for name, buffer in layer.named_buffers())
    assert held["num_batches_tracked"] == 1 and not torch.equal(held["running_mean"], torch.zeros(C))


def alone_in_the_group_or_outside_of_it(place: Place) -> None:
    layer, one = SyncBatchNorm(C, process_group=place.alone), BatchNorm1d(C)
    x = torch.randn(2 + place.rank, C)
    close("output", layer(x), one(x), 0.0)
    close("running_var", layer.running_var, one.running_var, 0.0)


def two_forwards_one_backward(place: Place) -> None:
    x = torch.randn(9, C, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    layer, one = SyncBatchNorm(C).double(), BatchNorm1d(C).double()
    mine, leaf = part_of(x, (2, 4, 3), place.rank).requires_grad_(), x.requires_grad_()
    first, second = layer(mine), layer(mine * mine)
    (first * second).sum().backward()
    (one(leaf) * one(leaf * leaf)).sum().backward()
    close("input gradient", mine.grad, part_of(leaf.grad, (2, 4, 3), place.rank), 1e-10)


def branches_whose_graphs_differ(place: Place) -> None:
    """Backward messages of layers side by side meet, though only rank 0's input wants a gradient."""
    random = torch.Generator().manual_seed(1)
    x, sizes = torch.randn(9, 6, dtype=torch.double, generator=random), (2, 4, 3)
    mine, leaf = part_of(x, sizes, place.rank).requires_grad_(place.rank == 0), x.requires_grad_()
    wide, narrow, last = (SyncBatchNorm(n).double() for n in (6, 2, 2))
    parts = [BatchNorm1d(n).double() for n in (6, 2, 2)]

    def output(x: Tensor, wide: nn.Module, narrow: nn.Module, last: nn.Module) -> Tensor:
        a = narrow(x.sin().exp()[:, :2])
        b = wide(x)
        return (last(x[:, 4:]) * a).sum() + (b.pow(3) * a[:, :1]).sum()

    output(mine, wide, narrow, last).backward()
    output(leaf, *parts).backward()
    total = summed(wide.weight.grad, None)
    close("gradient of weight, summed", total, parts[0].weight.grad, 1e-9)
    if place.rank == 0:
        close("input gradient", mine.grad, part_of(leaf.grad, sizes, 0), 1e-9)


def checkpointing(place: Place) -> None:
    """The recomputation meets the same messages, and moves no statistics a second time (pytorch 96136)."""
    x = torch.randn(9, C, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    part = part_of(x, (2, 0, 7), place.rank)
    for momentum in (0.1, None):
        found = []
        for reentrant in (None, False, True):
            torch.manual_seed(0)
            model = nn.Sequential(nn.Linear(C, C), SyncBatchNorm(C, momentum=momentum), nn.Tanh()).double()
            leaf = part.clone().requires_grad_()
            y = model(leaf) if reentrant is None else checkpoint(model, leaf, use_reentrant=reentrant)
            y.pow(2).sum().backward()
            found.append([leaf.grad, *(p.grad for p in model.parameters()), *model.state_dict().values()])
        for other in found[1:]:
            for ours, plain in zip(other, found[0], strict=True):
                close("checkpointed", ours, plain, 0.0)


def second_derivatives_are_refused(place: Place) -> None:
    x = torch.randn(4, C, requires_grad=True)
    (grad,) = torch.autograd.grad(SyncBatchNorm(C)(x).pow(3).sum(), x, create_graph=True)
    try:
        grad.sum().backward()
    except RuntimeError as error:
        assert "once_differentiable" in str(error)
    else:
        raise AssertionError("a second backward raised nothing")


class HostReads(TorchDispatchMode):
    """Counts what makes the host wait for the device: a value read out of a tensor."""

    reads = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.is_nonzero.default):
            HostReads.reads += 1
        return func(*args, **(kwargs or {}))


def the_host_reads_nothing(place: Place) -> None:
    for options in ({}, {"momentum": None}, {"affine": False}):
        layer, x = SyncBatchNorm(C, **options), torch.randn(2 + place.rank, C, requires_grad=True)
        HostReads.reads = 0
        with HostReads():
            layer(x).sum().backward()
        assert HostReads.reads == 0, f"{HostReads.reads} values read with {options}"
    with HostReads():
        bool(x.sum() > 0)
    assert HostReads.reads > 0, "the count counts nothing"


def data_parallel(place: Place, sizes: tuple[int, ...]) -> None:
    """DistributedDataParallel and one process on the joined batch go the same way for a few steps.

    DDP averages gradients over ranks, so each rank's sum of losses is scaled by ranks / joined size.
    """
    torch.manual_seed(0)
    one = nn.Sequential(
        nn.Conv2d(1, C, 3), nn.BatchNorm2d(C), nn.Sigmoid(), nn.Flatten(), nn.Linear(C * 16, 5), BatchNorm1d(5)
    ).double()
    spread = SyncBatchNorm.convert_sync_batchnorm(copy.deepcopy(one))
    parallel = DistributedDataParallel(spread)
    optimizers = [torch.optim.SGD(m.parameters(), lr=0.5, momentum=0.9) for m in (one, parallel)]
    total = sum(sizes)
    for _ in range(4):
        x, target = torch.randn(total, 1, 6, 6, dtype=torch.double) * 3, torch.randint(5, (total,))
        losses = [
            nn.functional.cross_entropy(one(x), target, reduction="sum") / total,
            nn.functional.cross_entropy(
                parallel(part_of(x, sizes, place.rank)), part_of(target, sizes, place.rank), reduction="sum"
            )
            * (RANKS / total),
        ]
        for optimizer, loss in zip(optimizers, losses, strict=True):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    for name, value in one.state_dict().items():
        close(name, spread.state_dict()[name], value, 1e-10)


def data_parallel_equal(place: Place) -> None:
    data_parallel(place, (4, 4, 4))


def data_parallel_unequal(place: Place) -> None:
    data_parallel(place, (1, 6, 3))


def data_parallel_with_an_empty_part(place: Place) -> None:
    data_parallel(place, (5, 0, 4))


STORIES: dict[str, Callable[[Place], None]] = {
    story.__name__: story
    for story in (
        far_from_zero,
        float16_is_computed_in_float32,
        images_of_several_sizes,
        one_value_in_total,
        prediction_waits_for_nobody,
        training_without_gradients,
        buffers_are_changed_in_place,
        alone_in_the_group_or_outside_of_it,
        two_forwards_one_backward,
        branches_whose_graphs_differ,
        checkpointing,
        second_derivatives_are_refused,
        the_host_reads_nothing,
        data_parallel_equal,
        data_parallel_unequal,
        data_parallel_with_an_empty_part,
    )
}


def work(rank: int, folder: str) -> None:
    """Run all cases as `rank`; a line {"case": ..., "error": ...} for each goes to folder/rank.jsonl."""
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", f"file://{folder}/meeting", rank=rank, world_size=RANKS, timeout=timedelta(seconds=20)
    )
    place = Place(rank, dist.new_group([0, 1]), dist.new_group([0]))
    runs = {name: lambda place, case=case: equals_one_on_the_joined_batch(case, place) for name, case in CASES.items()}
    with Path(folder, f"{rank}.jsonl").open("w", encoding="utf-8") as file:
        for name, run in (runs | STORIES).items():
            error = None
            try:
                run(place)
            except Exception as raised:
                error = raised
            told = error and "".join(traceback.format_exception(error))
            print(json.dumps({"case": name, "error": told}), file=file, flush=True)
            if not isinstance(error, AssertionError | None):
                break
    dist.destroy_process_group()
