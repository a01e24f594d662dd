"""BatchNorm1d/2d/3d against torch's, layer for layer: outputs, gradients, buffers, state_dict, modes, errors."""

import copy

import pytest
import torch
from torch import nn

import bnlib

PAIRS = {
    1: (bnlib.BatchNorm1d, nn.BatchNorm1d),
    2: (bnlib.BatchNorm2d, nn.BatchNorm2d),
    3: (bnlib.BatchNorm3d, nn.BatchNorm3d),
}
SHAPES = [
    (1, (6, 4)),
    (1, (6, 4, 5)),
    (2, (6, 4, 3, 5)),
    (3, (2, 4, 3, 2, 3)),
    (1, (1, 4, 2)),
    (2, (1, 4, 2, 1)),
]
OPTIONS = [
    {},
    {"momentum": None},
    {"momentum": 0.0},
    {"momentum": 1.0},
    {"eps": 0.1},
    {"affine": False},
    {"bias": False},
    {"track_running_stats": False},
    {"affine": False, "track_running_stats": False, "momentum": None},
]


def pair(dims, channels=4, **options):
    ours, theirs = (cls(channels, **options).double() for cls in PAIRS[dims])
    if ours.affine:
        with torch.no_grad():
            for parameter in theirs.parameters():
                parameter.normal_()
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def assert_same(ours, theirs, x):
    """One forward and backward through both; outputs, gradients and buffers agree."""
    a, b = (x.clone().requires_grad_() for _ in range(2))
    ya, yb = ours(a), theirs(b)
    weight = torch.randn(ya.shape, dtype=ya.dtype, generator=torch.Generator().manual_seed(1))
    grads_a = torch.autograd.grad((ya * weight).sum(), [a, *ours.parameters()])
    grads_b = torch.autograd.grad((yb * weight).sum(), [b, *theirs.parameters()])
    torch.testing.assert_close(ya, yb, rtol=1e-10, atol=1e-10)
    for ga, gb in zip(grads_a, grads_b, strict=True):
        torch.testing.assert_close(ga, gb, rtol=1e-9, atol=1e-9)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize(("dims", "shape"), SHAPES, ids=str)
def test_equals_torch_over_training_and_prediction(dims, shape, options):
    torch.manual_seed(0)
    ours, theirs = pair(dims, **options)
    for _ in range(3):
        assert_same(ours, theirs, torch.randn(shape, dtype=torch.double) * 3 + 5)
    ours.eval(), theirs.eval()
    assert_same(ours, theirs, torch.randn(shape, dtype=torch.double) * 3 + 5)
    ours.train(), theirs.train()
    assert_same(ours, theirs, torch.randn(shape, dtype=torch.double))


def test_mode_follows_training_not_grad_mode():
    x = torch.randn(8, 4)
    layer = bnlib.BatchNorm1d(4)
    with torch.no_grad():
        layer(x)
    assert layer.num_batches_tracked == 1 and not torch.equal(layer.running_mean, torch.zeros(4))
    layer.eval()
    before = copy.deepcopy(layer.state_dict())
    layer(x.requires_grad_()).sum().backward()
    assert all(torch.equal(before[k], v) for k, v in layer.state_dict().items())


def test_state_dict_both_ways_and_version_one_checkpoint():
    ours, theirs = bnlib.BatchNorm2d(4), nn.BatchNorm2d(4)
    ours(torch.randn(5, 4, 2, 2))
    theirs.load_state_dict(ours.state_dict())
    old = {k: v for k, v in theirs.state_dict().items() if k != "num_batches_tracked"}  # as written before torch 0.4.1
    fresh = bnlib.BatchNorm2d(4)
    fresh.load_state_dict(old)
    assert torch.equal(fresh.running_var, ours.running_var) and fresh.num_batches_tracked == 0


def test_tracking_switched_off_later_keeps_the_buffers():
    ours, theirs = bnlib.BatchNorm1d(3), nn.BatchNorm1d(3)
    for layer in (ours, theirs):
        torch.manual_seed(3)
        layer(torch.randn(9, 3))
        layer.track_running_stats = False
        layer(torch.randn(9, 3))
        layer.eval()
    x = torch.randn(9, 3)
    torch.testing.assert_close(ours(x), theirs(x))
    assert torch.equal(ours.num_batches_tracked, theirs.num_batches_tracked)


def test_buffers_are_updated_in_place():
    layer = bnlib.BatchNorm1d(3)
    shared = layer.running_mean, layer.running_var, layer.num_batches_tracked
    layer(torch.randn(9, 3))
    assert shared[0] is layer.running_mean and shared[1] is layer.running_var and shared[2] is layer.num_batches_tracked
    assert shared[0].abs().sum() > 0 and shared[2] == 1


def test_empty_batch_counts_and_changes_nothing_else():
    for ours, shape in ((bnlib.BatchNorm1d(3), (0, 3)), (bnlib.BatchNorm2d(3), (0, 3, 4, 4))):
        x = torch.empty(shape, requires_grad=True)
        y = ours(x)
        y.sum().backward()
        assert y.shape == shape and x.grad.shape == shape
        assert torch.equal(ours.weight.grad, torch.zeros(3)) and torch.equal(ours.running_var, torch.ones(3))
        assert ours.num_batches_tracked == 1


def test_half_keeps_the_counter_an_integer():
    layer = bnlib.BatchNorm1d(3).half()
    assert layer.num_batches_tracked.dtype == torch.int64
    assert layer(torch.randn(4, 3).half()).dtype == torch.float16


def test_seen_by_torchs_own_tools():
    model = nn.Sequential(nn.Conv2d(1, 3, 3), bnlib.BatchNorm2d(3))
    data = [torch.randn(8, 1, 6, 6) * 2 + 1 for _ in range(4)]
    torch.optim.swa_utils.update_bn(data, model)
    assert model[1].num_batches_tracked == 4
    synced = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    assert isinstance(synced[1], nn.SyncBatchNorm) and torch.equal(synced[1].running_var, model[1].running_var)
    model.eval()
    fused = nn.utils.fusion.fuse_conv_bn_eval(model[0], model[1])
    torch.testing.assert_close(fused(data[0]), model(data[0]), rtol=1e-4, atol=1e-5)


WRONG = [
    (
        bnlib.BatchNorm1d,
        (2, 4, 3, 3),
        ValueError,
        r"BatchNorm1d expected 2 or 3 axes.*got 4 axes.*BatchNorm2d",
    ),
    (bnlib.BatchNorm2d, (2, 4), ValueError, r"BatchNorm2d expected 4 axes.*got 2 axes.*BatchNorm1d"),
    (bnlib.BatchNorm3d, (2, 4, 3, 3), ValueError, r"BatchNorm3d expected 5 axes.*got 4 axes"),
    (
        bnlib.BatchNorm2d,
        (2, 5, 3, 3),
        RuntimeError,
        r"BatchNorm2d\(4\) got an input with 5 channels.*num_features=5",
    ),
    (
        bnlib.BatchNorm1d,
        (1, 4),
        ValueError,
        r"Expected more than 1 value per channel when training.*\(1, 4\)",
    ),
    (bnlib.BatchNorm2d, (1, 4, 1, 1), ValueError, r"Expected more than 1 value per channel when training"),
]


@pytest.mark.parametrize(("layer", "shape", "error", "sentence"), WRONG, ids=str)
def test_wrong_input_says_what_came_and_what_was_expected(layer, shape, error, sentence):
    with pytest.raises(error, match=sentence):
        layer(4)(torch.randn(shape))


def test_one_value_in_prediction_needs_tracked_statistics():
    assert bnlib.BatchNorm1d(4).eval()(torch.randn(1, 4)).shape == (1, 4)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        bnlib.BatchNorm1d(4, track_running_stats=False).eval()(torch.randn(1, 4))
