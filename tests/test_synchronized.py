"""SyncBatchNorm over real processes (gloo), the converter, and the layer where there is nobody to share with.

The processes are started once for all cases (tests/synchronized_worker.py says what a rank does) and stopped when
they take too long: a rank that waits for ever fails the cases that it didn't finish, and nothing hangs.
"""

import copy
import json
import time

import pytest
import synchronized_worker
import torch
import torch.multiprocessing as mp
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import bnlib
from bnlib.norm.synchronized import SyncBatchNorm, merge, revert_sync_batchnorm

SECONDS = 90


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """What every rank wrote down, {case: error or None} for each; and how the processes ended, if not well."""
    folder, ranks = tmp_path_factory.mktemp("ranks"), range(synchronized_worker.RANKS)
    processes = mp.spawn(synchronized_worker.work, (str(folder),), nprocs=len(ranks), join=False)
    deadline, ended = time.monotonic() + SECONDS, f"still running after {SECONDS} s"
    try:
        while (left := deadline - time.monotonic()) > 0:
            if processes.join(timeout=left):  # True once the last has ended
                ended = "ended well"
                break
    except (mp.ProcessRaisedException, mp.ProcessExitedException) as error:
        ended = str(error)
    finally:
        for process in processes.processes:
            process.kill()
    files = [folder / f"{rank}.jsonl" for rank in ranks]
    lines = [file.read_text(encoding="utf-8").splitlines() if file.exists() else [] for file in files]
    return [{entry["case"]: entry["error"] for entry in map(json.loads, one)} for one in lines], ended


@pytest.mark.parametrize("case", [*synchronized_worker.CASES, *synchronized_worker.STORIES])
def test_over_processes(reports, case):
    found, ended = reports
    for rank, report in enumerate(found):
        assert case in report, f"rank {rank} didn't get through this case; the processes: {ended}"
        assert report[case] is None, f"rank {rank}:\n{report[case]}"


def test_the_processes_end_by_themselves(reports):
    assert reports[1] == "ended well"


# ---- one process


@settings(deadline=None, max_examples=60)
@given(sizes=st.lists(st.integers(0, 9), min_size=1, max_size=6), shift=st.floats(-1e4, 1e4), seed=st.integers(0, 999))
def test_merging_the_parts_gives_the_whole(sizes, shift, seed):
    random = torch.Generator().manual_seed(seed)
    parts = [torch.randn(n, 3, dtype=torch.double, generator=random) + shift * i for i, n in enumerate(sizes)]
    means = torch.stack([p.sum(0) / max(len(p), 1) for p in parts])
    squares = torch.stack([(p - m).square().sum(0) for p, m in zip(parts, means, strict=True)])
    mean, joined, n = merge(means, squares, torch.tensor(sizes, dtype=torch.double).view(-1, 1))
    whole = torch.cat(parts)
    assert n == len(whole)
    centre = whole.sum(0) / max(len(whole), 1)
    torch.testing.assert_close(mean, centre, rtol=1e-12, atol=1e-10)
    torch.testing.assert_close(joined, (whole - centre).square().sum(0), rtol=1e-10, atol=1e-9)


OPTIONS = [
    {},
    {"momentum": None},
    {"affine": False},
    {"bias": False, "eps": 0.1},
    {"track_running_stats": False},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("shape", [(6, 4), (6, 4, 5), (3, 4, 2, 3), (2, 4, 2, 3, 2), (2, 4, 1, 2, 1, 2)], ids=str)
def test_without_a_process_group_it_is_an_ordinary_batch_normalization(shape, options):
    ours, theirs = SyncBatchNorm(4, **options).double(), nn.SyncBatchNorm(4, **options).double()
    for mode in (True, True, False):
        ours.train(mode), theirs.train(mode)
        x = torch.randn(shape, dtype=torch.double) * 3 + 5
        a, b = (x.clone().requires_grad_() for _ in range(2))
        ya, yb = ours(a), theirs(b)
        torch.testing.assert_close(ya, yb, rtol=1e-10, atol=1e-10)
        grads = (
            torch.autograd.grad(y.pow(3).sum(), [i, *m.parameters()]) for y, i, m in ((ya, a, ours), (yb, b, theirs))
        )
        for ga, gb in zip(*grads, strict=True):
            torch.testing.assert_close(ga, gb, rtol=1e-9, atol=1e-9)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value, rtol=1e-12, atol=1e-12)


def test_constructor_and_state_dict_are_torchs():
    arguments = (4, 1e-3, None, True, True, None, "cpu", torch.float64)
    ours, theirs = SyncBatchNorm(*arguments, bias=False), nn.SyncBatchNorm(*arguments, bias=False)
    assert repr(ours) == repr(theirs) and ours.weight.dtype == torch.float64 and ours.bias is None
    ours(torch.randn(5, 4, 2, dtype=torch.double))
    theirs.load_state_dict(ours.state_dict())
    old = {k: v for k, v in theirs.state_dict().items() if k != "num_batches_tracked"}  # as before torch 0.4.1
    fresh = SyncBatchNorm(*arguments, bias=False)
    fresh.load_state_dict(old)
    assert torch.equal(fresh.running_var, ours.running_var) and fresh.num_batches_tracked == 0


def network():
    """Layers of torch's and ours, nested, trained a little, one of them standing in two places of one parent."""
    twice = bnlib.BatchNorm1d(3, momentum=None, bias=False, impl="native")
    model = nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3, eps=1e-3)),
        bnlib.BatchNorm2d(3, affine=False),
        nn.Flatten(2),
        twice,
        nn.Tanh(),
        twice,
        nn.Unflatten(2, (2, 2, 1)),
        nn.BatchNorm3d(3, track_running_stats=False),
        bnlib.BatchNorm3d(3),
    )
    model(torch.randn(5, 1, 4, 4))
    model[0][1].weight.requires_grad_(False)
    model[1].eval()
    model[8].half()
    return model


def tensors(model):
    return dict(model.named_parameters(remove_duplicate=False)) | dict(model.named_buffers(remove_duplicate=False))


def test_converting_keeps_everything_but_the_class():
    model = network()
    before, plain = tensors(model), copy.deepcopy(model)
    layers = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    synced = SyncBatchNorm.convert_sync_batchnorm(model, process_group="a group")
    assert synced is model
    new = [m for m in synced.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    assert synced[3] is synced[5] and len(new) == len(layers) == 5
    for old, layer in zip(layers, new, strict=True):
        assert type(layer) is SyncBatchNorm and layer.process_group == "a group"
        for option in ("num_features", "eps", "momentum", "affine", "track_running_stats", "training"):
            assert getattr(layer, option) == getattr(old, option)
    after = tensors(synced)
    assert before.keys() == after.keys() and all(before[name] is after[name] for name in before)
    assert not synced[0][1].weight.requires_grad and synced[8].weight.dtype == torch.float16
    assert synced.state_dict().keys() == plain.state_dict().keys()

    back = revert_sync_batchnorm(synced)
    classes = [type(m) for m in plain.modules()]
    assert back is model and [type(m) for m in back.modules()] == classes and back[3] is back[5]
    assert back[3].impl == "native" and not hasattr(back[0][1], "impl") and not back[1].training
    assert all(before[name] is tensors(back)[name] for name in before)
    back[8].float(), plain[8].float()
    x = torch.randn(5, 1, 4, 4)
    assert torch.equal(back(x), plain(x))


def test_converting_a_layer_by_itself_leaves_the_old_one():
    for plain in (nn.BatchNorm2d(3), nn.SyncBatchNorm(3), bnlib.BatchNorm2d(3), SyncBatchNorm(3)):
        synced = SyncBatchNorm.convert_sync_batchnorm(plain)
        assert type(synced) is SyncBatchNorm and synced is not plain and synced.weight is plain.weight
        assert type(revert_sync_batchnorm(synced)) is (type(plain) if "2d" in repr(plain) else bnlib.BatchNorm2d)
        assert type(plain) is not SyncBatchNorm or plain.plain is None
    assert type(revert_sync_batchnorm(nn.SyncBatchNorm(3), nn.BatchNorm1d)) is nn.BatchNorm1d
    linear = nn.Linear(2, 2)
    assert SyncBatchNorm.convert_sync_batchnorm(linear) is linear and revert_sync_batchnorm(linear) is linear


def test_a_lazy_layer_is_converted_after_its_first_input():
    model = nn.Sequential(nn.Flatten(), bnlib.norm.LazyBatchNorm1d())
    with pytest.raises(ValueError, match="LazyBatchNorm1d at '1', which has not seen an input.*Run one batch"):
        SyncBatchNorm.convert_sync_batchnorm(model)
    model(torch.randn(4, 2, 3))
    assert type(SyncBatchNorm.convert_sync_batchnorm(model)[1]) is SyncBatchNorm


def test_seen_by_the_tools():
    model = nn.Sequential(nn.Conv2d(1, 3, 3), SyncBatchNorm(3))
    data = [torch.randn(n, 1, 6, 6) * 2 + 1 for n in (8, 2, 5)]
    torch.optim.swa_utils.update_bn(data, model)
    assert model[1].num_batches_tracked == 3
    bnlib.recalibrate(model, data)
    inside = torch.cat([model[0](x) for x in data])
    torch.testing.assert_close(model[1].running_var, inside.var((0, 2, 3)))
    theirs = nn.SyncBatchNorm.convert_sync_batchnorm(copy.deepcopy(model))
    assert type(theirs[1]) is nn.SyncBatchNorm
    model.eval(), theirs.eval()
    torch.testing.assert_close(model(data[0]), theirs(data[0]))
    fused = nn.utils.fusion.fuse_conv_bn_eval(model[0], model[1])
    torch.testing.assert_close(fused(data[0]), model(data[0]), rtol=1e-4, atol=1e-5)


WRONG = [
    (torch.randn(4), ValueError, r"expected \(N, C\) or \(N, C, \*\), got an input of shape \(4,\)"),
    (torch.randn(2, 5), RuntimeError, r"SyncBatchNorm\(4\) got an input with 5 channels.*num_features=5"),
    (torch.randn(2, 4).double(), RuntimeError, "running_mean is torch.float32 beside an input of torch.float64"),
    (torch.ones(2, 4).long(), NotImplementedError, "an input of torch.int64; expected floating point"),
    (torch.randn(1, 4), ValueError, r"Expected more than 1 value per channel when training.*\(1, 4\)"),
]


@pytest.mark.parametrize(("x", "error", "sentence"), WRONG, ids=lambda v: v if isinstance(v, str) else "")
def test_wrong_input_says_what_came_and_what_was_expected(x, error, sentence):
    with pytest.raises(error, match=sentence):
        SyncBatchNorm(4)(x)
