"""FrozenBatchNorm against prediction of batch normalization, and freeze_batch_norm on whole models."""

import copy

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import bnlib
from bnlib.norm.frozen import FrozenBatchNorm, freeze_batch_norm
from bnlib.norm.ghost import GhostBatchNorm
from bnlib.norm.renorm import BatchRenorm

SHAPES = [(7, 3), (7, 3, 4), (7, 3, 4, 2), (2, 3, 2, 4, 2), (1, 3), (0, 3, 2)]
LAYERS = {
    "ours": lambda: bnlib.BatchNorm2d(3, eps=1e-3),
    "torch's": lambda: nn.BatchNorm2d(3),
    "without affine": lambda: nn.BatchNorm2d(3, affine=False),
    "without bias": lambda: nn.BatchNorm2d(3, bias=False),
    "synchronized": lambda: nn.SyncBatchNorm(3),
    "ghost": lambda: GhostBatchNorm(3, 2),
    "renorm": lambda: BatchRenorm(3),
}


def data(shape, seed=0):
    return torch.randn(shape, dtype=torch.double, generator=torch.Generator().manual_seed(seed)) * 2 + 3


def randomize(layer, seed=0):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in layer.state_dict().items():
            if name != "num_batches_tracked":
                value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
    return layer


@pytest.mark.parametrize("options", [{}, {"affine": False}, {"bias": False}, {"eps": 0.1}], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_prediction_in_both_modes(shape, options):
    layer = randomize(FrozenBatchNorm(3, dtype=torch.double, **options))
    state = layer.running_mean, layer.running_var, layer.weight, layer.bias
    before = copy.deepcopy(layer.state_dict())
    x = data(shape)
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    expected = F.batch_norm(b, *state, training=False, eps=layer.eps)
    for mode in (True, False):
        y = layer.train(mode)(a)
        torch.testing.assert_close(y, expected, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(
            torch.autograd.grad(y.pow(3).sum(), a),
            torch.autograd.grad(expected.pow(3).sum(), b, retain_graph=True),
        )
    assert not list(layer.parameters())
    assert all(torch.equal(before[name], value) for name, value in layer.state_dict().items())


@settings(deadline=None, max_examples=40)
@given(n=st.integers(1, 9), spatial=st.integers(0, 3), seed=st.integers(0, 2**16), eps=st.floats(1e-8, 1.0))
def test_frozen_is_eval(n, spatial, seed, eps):
    layer = randomize(
        {0: bnlib.BatchNorm1d, 1: bnlib.BatchNorm1d, 2: bnlib.BatchNorm2d, 3: bnlib.BatchNorm3d}[spatial](
            3, eps=eps, dtype=torch.double
        ),
        seed,
    )
    frozen = freeze_batch_norm(layer).train()
    x = data((n, 3, *(2,) * spatial), seed)
    assert torch.equal(frozen(x), layer.eval()(x))


def test_first_and_second_derivatives():
    layer = randomize(FrozenBatchNorm(3, dtype=torch.double))
    x = data((4, 3, 2)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: layer(x).pow(2), x, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(lambda x: layer(x).pow(3), x)


def test_nothing_of_the_inputs_size_is_kept():
    kept = []
    x = torch.randn(6, 3, 5, 5, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        FrozenBatchNorm(3)(x)
    assert sum(tensor.numel() for tensor in kept) <= 3


def test_far_from_zero_nothing_cancels():
    """(x - mean) * scale, not x * scale - mean * scale, which loses four digits here."""
    layer = FrozenBatchNorm(1)
    layer.running_mean.fill_(1e4), layer.running_var.fill_(1e-2)
    x = 1e4 + torch.randn(1000, 1, generator=torch.Generator().manual_seed(0))
    mean, var = layer.running_mean.double(), layer.running_var.double()
    truth = F.batch_norm(x.double(), mean, var, eps=layer.eps)
    torch.testing.assert_close(layer(x).double(), truth, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_and_layout(dtype):
    x = data((4, 3, 5, 5)).to(dtype).to(memory_format=torch.channels_last)
    layer = randomize(FrozenBatchNorm(3))
    y = layer(x)
    truth = F.batch_norm(x.float(), layer.running_mean, layer.running_var, layer.weight, layer.bias)
    assert y.dtype == dtype and y.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(y, truth.to(dtype)) or (y.float() - truth).abs().max() < 2e-2
    assert layer.half()(x.half()).dtype == torch.float16


def test_reads_batch_normalizations_state():
    source = randomize(nn.BatchNorm2d(3))
    layer = FrozenBatchNorm(3)
    shared = layer.running_mean
    assert str(layer.load_state_dict(source.state_dict())) == "<All keys matched successfully>"
    assert layer.running_mean is shared and torch.equal(shared, source.running_mean)
    assert layer.state_dict().keys() == source.state_dict().keys() - {"num_batches_tracked"}
    assert "num_batches_tracked" in source.state_dict()  # what came was not changed
    x = torch.randn(4, 3, 2, 2)
    torch.testing.assert_close(layer(x), source.eval()(x))
    model = nn.Sequential(nn.Conv2d(1, 3, 3), FrozenBatchNorm(3))
    model.load_state_dict(nn.Sequential(nn.Conv2d(1, 3, 3), source).state_dict())
    assert torch.equal(model[1].weight, source.weight)


@pytest.mark.parametrize("name", LAYERS)
def test_every_batch_normalization_of_a_model_is_replaced(name):
    torch.manual_seed(0)
    layer = randomize(LAYERS[name]())
    model = nn.Sequential(nn.Conv2d(2, 3, 3), layer, nn.Sequential(layer, nn.InstanceNorm2d(3, affine=True)))
    model[0].weight.requires_grad_(False)
    x = torch.randn(4, 2, 6, 6)
    expected = model.eval()(x)
    model.train()
    same = freeze_batch_norm(model)
    assert same is model and isinstance(model[1], FrozenBatchNorm) and model[2][0] is model[1] and model[1].training
    torch.testing.assert_close(model(x), expected)
    assert [name for name, p in model.named_parameters() if p.requires_grad] == ["0.bias", "2.1.weight", "2.1.bias"]
    torch.optim.swa_utils.update_bn([x], model)
    model.eval()
    with torch.no_grad():
        for value in layer.state_dict().values():
            value.zero_()  # the old layer is no longer heard
    torch.testing.assert_close(model(x), expected)


def test_a_single_layer_and_a_model_without_any():
    assert isinstance(freeze_batch_norm(nn.BatchNorm1d(3)), FrozenBatchNorm)
    plain = nn.Linear(2, 2)
    assert freeze_batch_norm(plain) is plain


def test_compiles_in_one_graph_and_under_vmap():
    layer = randomize(FrozenBatchNorm(3))
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    a, b = (torch.ones(4, 3, 2, requires_grad=True) for _ in range(2))
    ya, yb = layer(a), compiled(b)
    torch.testing.assert_close(ya, yb)
    torch.testing.assert_close(torch.autograd.grad(ya.pow(3).sum(), a), torch.autograd.grad(yb.pow(3).sum(), b))
    x = torch.randn(5, 4, 3, 2)
    torch.testing.assert_close(torch.vmap(layer)(x), torch.stack([layer(each) for each in x]))


UNTRACKED = nn.Sequential(nn.BatchNorm1d(3), nn.BatchNorm1d(3, track_running_stats=False))
WRONG = [
    (lambda: FrozenBatchNorm(3)(torch.randn(3)), ValueError, r"shape \(3,\); expected \(N, C\)"),
    (lambda: FrozenBatchNorm(3)(torch.randn(2, 4)), RuntimeError, "should contain 4 elements"),
    (lambda: FrozenBatchNorm(3)(torch.randn(2, 3).double()), RuntimeError, "torch.float32 beside an input of"),
    (lambda: FrozenBatchNorm(3).load_state_dict({}), RuntimeError, "Missing key"),
    (lambda: freeze_batch_norm(UNTRACKED), ValueError, "BatchNorm1d '1' without running statistics"),
    (lambda: freeze_batch_norm(nn.LazyBatchNorm1d()), ValueError, "LazyBatchNorm1d '' without running statistics"),
]


@pytest.mark.parametrize(("call", "error", "sentence"), WRONG, ids=lambda v: v if isinstance(v, str) else "")
def test_wrong_input(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()
    assert isinstance(UNTRACKED[0], nn.BatchNorm1d)
