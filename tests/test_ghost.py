"""GhostBatchNorm against batch normalization of each ghost alone, against its laws, and as one of torch's layers."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.checkpoint import checkpoint

import bnlib
from bnlib.norm.ghost import GhostBatchNorm, ghost_batch_norm, ghost_sizes

SHAPES = [(12, 3), (12, 3, 4), (10, 3, 4, 2), (7, 3, 2, 2, 2), (1, 3, 2, 1), (3, 3)]
SIZES = [1, 2, 4, 5, 32]
OPTIONS = [{}, {"momentum": None}, {"affine": False}, {"bias": False}, {"track_running_stats": False}, {"eps": 0.1}]
SPLITS = [  # samples, ghost_size, values per sample, ghosts
    (12, 4, 1, [(3, 4)]),
    (10, 4, 1, [(1, 4), (2, 3)]),
    (10, 3, 5, [(2, 3), (2, 2)]),
    (3, 2, 1, [(1, 3)]),
    (3, 2, 2, [(1, 2), (1, 1)]),
    (5, 1, 1, [(1, 3), (1, 2)]),
    (5, 1, 4, [(5, 1)]),
    (5, 100, 1, [(1, 5)]),
    (1, 4, 9, [(1, 1)]),
]


def data(shape, seed=0):
    return torch.randn(shape, dtype=torch.double, generator=torch.Generator().manual_seed(seed)) * 2 + 3


def by_hand(x, layer):
    """Each ghost through torch's batch normalization, one after the other."""
    groups = ghost_sizes(x.shape[0], layer.ghost_size, x.shape[2:].numel())
    parts = x.split([size for count, size in groups for _ in range(count)])
    weight, bias = layer.weight, layer.bias
    return torch.cat([nn.functional.batch_norm(part, None, None, weight, bias, True, eps=layer.eps) for part in parts])


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("ghost_size", SIZES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_each_ghost_is_a_batch_of_its_own(shape, ghost_size, options):
    torch.manual_seed(0)
    layer = GhostBatchNorm(3, ghost_size, dtype=torch.double, **options)
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    x = data(shape).requires_grad_()
    leaves = [x, *layer.parameters()]
    y, reference = layer(x), by_hand(x, layer)
    upstream = data(shape, seed=1)
    torch.testing.assert_close(y, reference, rtol=1e-9, atol=1e-9)
    for ours, theirs in zip(
        torch.autograd.grad((y * upstream).sum(), leaves),
        torch.autograd.grad((reference * upstream).sum(), leaves),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("momentum", [0.1, 1.0, None])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_running_statistics_are_those_of_the_whole_batch(shape, momentum):
    """Buffers, counter and prediction as torch's layer would have them, whatever the ghosts."""
    layer = GhostBatchNorm(3, 2, momentum=momentum, dtype=torch.double)
    reference = nn.BatchNorm1d(3, momentum=momentum, dtype=torch.double)
    shared = {name: buffer.data_ptr() for name, buffer in layer.named_buffers()}
    for seed in range(3):
        x = data(shape, seed)
        layer(x)
        reference(x.flatten(2) if x.dim() > 2 else x)
    for name, value in reference.state_dict().items():
        torch.testing.assert_close(layer.state_dict()[name], value, rtol=1e-12, atol=1e-12)
    assert shared == {name: buffer.data_ptr() for name, buffer in layer.named_buffers()}
    layer.eval(), reference.eval()
    torch.testing.assert_close(layer(x).flatten(), reference(x.flatten(2) if x.dim() > 2 else x).flatten())


def test_merging_does_not_cancel():
    """Ghosts far from zero, and far from each other: variance 1 around means of ±1e4 in float32."""
    x = torch.randn(4096, 1, generator=torch.Generator().manual_seed(0)) + 1e4
    layer = GhostBatchNorm(1, 64, momentum=1.0)
    layer(x)
    torch.testing.assert_close(layer.running_var.double(), x.double().var(0), rtol=1e-4, atol=0)
    x[2048:] -= 2e4
    layer(x)
    torch.testing.assert_close(layer.running_var.double(), x.double().var(0), rtol=1e-5, atol=0)


@pytest.mark.parametrize(("samples", "ghost_size", "values", "expected"), SPLITS)
def test_how_a_batch_is_split(samples, ghost_size, values, expected):
    assert ghost_sizes(samples, ghost_size, values) == expected


@settings(deadline=None, max_examples=200)
@given(samples=st.integers(1, 300), ghost_size=st.integers(1, 300), values=st.integers(1, 3))
def test_splits_are_whole_even_and_have_a_variance(samples, ghost_size, values):
    groups = ghost_sizes(samples, ghost_size, values)
    sizes = [size for count, size in groups for _ in range(count)]
    assert sum(sizes) == samples and max(sizes) - min(sizes) <= 1
    if values > 1 or samples == 1:
        assert len(sizes) == -(-samples // ghost_size)
    else:
        assert min(sizes) >= 2 and max(sizes) <= max(ghost_size, 3)


@settings(deadline=None, max_examples=40)
@given(
    n=st.integers(2, 30),
    spatial=st.integers(0, 3),
    extra=st.integers(0, 5),
    seed=st.integers(0, 2**16),
    eps=st.floats(1e-8, 1),
)
def test_a_ghost_of_the_whole_batch_is_batch_normalization(n, spatial, extra, seed, eps):
    x = data((n, 3, *(2,) * spatial), seed)
    ghost = GhostBatchNorm(3, n + extra, eps=eps, dtype=torch.double)
    batch = {0: bnlib.BatchNorm1d, 1: bnlib.BatchNorm1d, 2: bnlib.BatchNorm2d, 3: bnlib.BatchNorm3d}[spatial]
    batch = batch(3, eps=eps, dtype=torch.double)
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    ya, yb = ghost(a), batch(b)
    assert torch.equal(ya, yb)
    assert torch.equal(torch.autograd.grad(ya.pow(3).sum(), a)[0], torch.autograd.grad(yb.pow(3).sum(), b)[0])
    for name, value in batch.state_dict().items():
        assert torch.equal(ghost.state_dict()[name], value), name


@pytest.mark.parametrize("ghost_size", [2, 3, 5])
def test_first_and_second_derivatives(ghost_size):
    leaves = [data((5, 2, 2)), data((2,), 1), data((2,), 2)]
    leaves = [leaf.requires_grad_() for leaf in leaves]

    def function(x, weight, bias):
        return ghost_batch_norm(x, None, None, weight, bias, True, eps=0.1, ghost_size=ghost_size)

    assert torch.autograd.gradcheck(function, leaves, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(function, leaves)


@pytest.mark.parametrize("ghost_size", [4, 5, 12])
def test_only_the_input_is_kept_for_backward(ghost_size):
    kept = []
    x = torch.randn(12, 3, 4, 4, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        GhostBatchNorm(3, ghost_size)(x)
    large = [tensor for tensor in kept if tensor.numel() > 64]
    assert large and {t.untyped_storage().data_ptr() for t in large} == {x.untyped_storage().data_ptr()}


@pytest.mark.parametrize("ghost_size", [2, 4, 6])
def test_layouts(ghost_size):
    base = data((6, 4, 5, 3))
    for x in (base.to(memory_format=torch.channels_last), base.transpose(2, 3), base[::2], base[:1].expand(6, 4, 5, 3)):
        layer = GhostBatchNorm(4, ghost_size, dtype=torch.double)
        a, b = x.detach().requires_grad_(), x.detach().clone(memory_format=torch.contiguous_format).requires_grad_()
        ya, yb = layer(a), layer(b)
        torch.testing.assert_close(ya, yb)
        torch.testing.assert_close(
            torch.autograd.grad(ya.pow(3).sum(), a)[0], torch.autograd.grad(yb.pow(3).sum(), b)[0]
        )
        if x.is_contiguous(memory_format=torch.channels_last):
            assert ya.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    x = (data((64, 3, 4)) * 10 + 300).to(dtype)
    layer = GhostBatchNorm(3, 24, momentum=1.0)
    y = layer(x)
    assert y.dtype == dtype and layer.running_var.dtype == torch.float32
    truth = by_hand(x.double(), GhostBatchNorm(3, 24, dtype=torch.double))
    torch.testing.assert_close(y.double(), truth, rtol=2e-2, atol=2e-2 if dtype == torch.bfloat16 else 2e-3)
    torch.testing.assert_close(layer.running_var.double(), x.double().var((0, 2)), rtol=1e-5, atol=0)


def test_state_dict_both_ways_and_torchs_tools():
    model = nn.Sequential(nn.Conv2d(1, 3, 3), GhostBatchNorm(3, 4))
    batches = [torch.randn(10, 1, 6, 6) * 2 + 1 for _ in range(3)]
    torch.optim.swa_utils.update_bn(batches, model)
    assert model[1].num_batches_tracked == 3
    plain = nn.BatchNorm2d(3)
    plain.load_state_dict(model[1].state_dict())
    GhostBatchNorm(3, 8).load_state_dict(plain.state_dict())
    model.eval(), plain.eval()
    x = torch.randn(4, 3, 5, 5)
    torch.testing.assert_close(model[1](x), plain(x))
    fused = nn.utils.fusion.fuse_conv_bn_eval(model[0], model[1])
    torch.testing.assert_close(fused(batches[0]), model(batches[0]), rtol=1e-4, atol=1e-5)
    assert "ghost_size=4" in repr(model)


def test_checkpointing_counts_a_batch_once():
    """Recomputing the forward pass would move the statistics twice (pytorch 96136)."""
    layer, alone = GhostBatchNorm(3, 4), GhostBatchNorm(3, 4)
    x = torch.randn(10, 3, requires_grad=True)
    checkpoint(lambda x: layer(x).sin(), x, use_reentrant=False).sum().backward()
    alone(x)
    assert layer.num_batches_tracked == 1
    for name, value in alone.state_dict().items():
        assert torch.equal(layer.state_dict()[name], value), name


def test_empty_batch_counts_and_changes_nothing_else():
    layer, x = GhostBatchNorm(3, 4), torch.empty(0, 3, 2, requires_grad=True)
    layer(x).sum().backward()
    assert x.grad.shape == (0, 3, 2) and torch.equal(layer.weight.grad, torch.zeros(3))
    assert torch.equal(layer.running_var, torch.ones(3)) and layer.num_batches_tracked == 1


@pytest.mark.parametrize("ghost_size", [3, 4, 16])
def test_compiles_in_one_graph(ghost_size):
    torch._dynamo.reset()
    torch.manual_seed(0)
    eager, other = (GhostBatchNorm(3, ghost_size, momentum=None) for _ in range(2))
    compiled = torch.compile(other, fullgraph=True, backend="aot_eager")
    for _ in range(2):
        x = torch.randn(10, 3, 2, 2)
        a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
        ya, yb = eager(a), compiled(b)
        torch.testing.assert_close(ya, yb)
        torch.testing.assert_close(
            torch.autograd.grad(ya.pow(3).sum(), a)[0], torch.autograd.grad(yb.pow(3).sum(), b)[0], rtol=1e-4, atol=1e-4
        )
    torch.testing.assert_close(eager.state_dict(), other.state_dict())


def test_vmap():
    x, weight = data((3, 10, 2, 4)), data((3, 2))

    def function(x, weight):
        return ghost_batch_norm(x, None, None, weight, None, True, ghost_size=4)

    torch.testing.assert_close(
        torch.vmap(function)(x, weight), torch.stack([function(*pair) for pair in zip(x, weight, strict=True)])
    )


WRONG = [
    (lambda: GhostBatchNorm(3, 0), ValueError, "ghost_size is 0; expected the samples in one ghost batch"),
    (lambda: GhostBatchNorm(3, 4)(torch.randn(3)), ValueError, r"shape \(3,\); expected \(N, C\)"),
    (lambda: GhostBatchNorm(3, 4)(torch.randn(1, 3)), ValueError, "more than 1 value per channel"),
    (lambda: GhostBatchNorm(3, 4)(torch.randn(8, 5)), RuntimeError, "should contain 5 elements"),
    (lambda: GhostBatchNorm(3, 4)(torch.randn(8, 3).double()), RuntimeError, "torch.float32 beside an input of"),
]


@pytest.mark.parametrize(("call", "error", "sentence"), WRONG, ids=lambda v: v if isinstance(v, str) else "")
def test_wrong_input(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()
