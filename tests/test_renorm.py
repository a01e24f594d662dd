"""BatchRenorm against the paper's algorithm written out, against its laws, and as one of torch's layers.

Its comparison with Keras is in test_renorm_keras.py.
"""

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.checkpoint import checkpoint

import bnlib
from bnlib.norm.renorm import PAPER, BatchRenorm, FixedLimits, RelaxedLimits, batch_renorm

SHAPES = [(7, 3), (7, 3, 4), (7, 3, 4, 2), (2, 3, 2, 4, 2), (1, 3, 2, 1)]
LIMITS = [(1.0, 0.0), (1.2, 0.3), (3.0, 5.0), (float("inf"), float("inf"))]
SCHEDULE = [  # step, r_max, d_max of the paper
    (1, 1.0, 0.0),
    (5_000, 1.0, 0.0),
    (15_000, 1.0 + 2 * 10_000 / 35_000, 2.5),
    (25_000, 1.0 + 2 * 20_000 / 35_000, 5.0),
    (40_000, 3.0, 5.0),
    (10**7, 3.0, 5.0),
]


def data(shape, seed=0):
    return torch.randn(shape, dtype=torch.double, generator=torch.Generator().manual_seed(seed)) * 2 + 3


def state(seed=5):
    generator = torch.Generator().manual_seed(seed)
    mean, var, weight, bias = (torch.rand(3, dtype=torch.double, generator=generator) + 0.5 for _ in range(4))
    # variances below and above the data's 4: r meets both of its limits
    return mean * 4, var * torch.tensor([0.1, 4.0, 80.0]).double(), weight, bias


def algorithm_1(x, mean, std, weight, bias, alpha, eps, r_max, d_max):
    """Ioffe (2017), line by line, with plain autograd; mean and std are the moving ones, returned moved."""
    axes, shape = (0, *range(2, x.dim())), (1, -1, *(1,) * (x.dim() - 2))
    mean_b = x.mean(axes)
    std_b = (eps + (x - mean_b.view(shape)).square().mean(axes)).sqrt()
    r = (std_b / std).clamp(1 / r_max, r_max).detach()
    d = ((mean_b - mean) / std).clamp(-d_max, d_max).detach()
    x_hat = (x - mean_b.view(shape)) / std_b.view(shape) * r.view(shape) + d.view(shape)
    y = x_hat * weight.view(shape) + bias.view(shape)
    return y, mean + alpha * (mean_b.detach() - mean), std + alpha * (std_b.detach() - std)


@pytest.mark.parametrize(("r_max", "d_max"), LIMITS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_algorithm_1(shape, r_max, d_max):
    mean, var, weight, bias = state()
    leaves = [data(shape).requires_grad_(), weight.requires_grad_(), bias.requires_grad_()]
    std, eps = (var + 1e-3).sqrt(), 1e-3
    y, new_mean, new_std = algorithm_1(leaves[0], mean, std, *leaves[1:], 0.3, eps, r_max, d_max)
    x, *affine = leaves
    found = batch_renorm(x, mean, var, *affine, True, 0.3, eps, r_max=r_max, d_max=d_max)
    torch.testing.assert_close(found, y)
    torch.testing.assert_close(mean, new_mean)
    torch.testing.assert_close((var + eps).sqrt(), new_std)
    upstream = data(shape, 1)
    first = torch.autograd.grad((found * upstream).sum(), leaves, create_graph=True)
    expected = torch.autograd.grad((y * upstream).sum(), leaves, create_graph=True)
    torch.testing.assert_close(first, expected)
    second = torch.autograd.grad(sum(g.pow(3).sum() for g in first), leaves[:2])
    torch.testing.assert_close(second, torch.autograd.grad(sum(g.pow(3).sum() for g in expected), leaves[:2]))


@pytest.mark.parametrize(("step", "r_max", "d_max"), SCHEDULE)
def test_the_papers_schedule(step, r_max, d_max):
    found = PAPER.at(torch.tensor(step))
    assert [v.item() for v in found] == pytest.approx([r_max, d_max], rel=1e-6)
    assert RelaxedLimits(r_max=2.0, start=0, r_end=10, d_end=5).at(torch.tensor(5))[0].item() == pytest.approx(1.5)


def test_the_layer_asks_its_schedule_for_the_number_of_this_step():
    layer = BatchRenorm(3, dtype=torch.double, limits=RelaxedLimits(start=2, r_end=4, d_end=3))
    for seed, (r_max, d_max) in enumerate([(1.0, 0.0), (1.0, 0.0), (2.0, 5.0), (3.0, 5.0), (3.0, 5.0)]):
        mean, var, x = layer.running_mean.clone(), layer.running_var.clone(), data((4, 3), seed) * 5
        y = layer(x)
        torch.testing.assert_close(
            y, batch_renorm(x, mean, var, layer.weight, layer.bias, True, r_max=r_max, d_max=d_max)
        )
        assert torch.equal(layer.running_var, var) and torch.equal(layer.running_mean, mean)


@pytest.mark.parametrize("momentum", [0.01, None])
def test_no_step_waits_for_the_device(momentum):
    """On the meta device a tensor has no value, so whatever asks for one raises."""
    layer = BatchRenorm(3, momentum=momentum, device="meta")
    assert layer(torch.empty(5, 3, 2, device="meta")).shape == (5, 3, 2)


laws = given(n=st.integers(2, 30), spatial=st.integers(0, 2), seed=st.integers(0, 2**16), eps=st.floats(1e-6, 1.0))


@settings(deadline=None, max_examples=40)
@laws
def test_closed_limits_are_batch_normalization(n, spatial, seed, eps):
    x = data((n, 3, *(2,) * spatial), seed).requires_grad_()
    mean, var, weight, bias = state(seed)
    y = batch_renorm(x, mean, var, weight, bias, True, 0.1, eps, r_max=1.0, d_max=0.0)
    reference = bnlib.batch_norm(x, None, None, weight, bias, True, eps=eps)
    torch.testing.assert_close(y, reference)
    upstream = data(x.shape, seed + 1)
    torch.testing.assert_close(*(torch.autograd.grad((v * upstream).sum(), x)[0] for v in (y, reference)))


@settings(deadline=None, max_examples=40)
@laws
def test_open_limits_are_the_prediction_formula_in_training(n, spatial, seed, eps):
    x = data((n, 3, *(2,) * spatial), seed)
    mean, var, weight, bias = state(seed)
    reference = F.batch_norm(x, mean, var, weight, bias, False, eps=eps)
    y = batch_renorm(x, mean.clone(), var.clone(), weight, bias, True, 0.1, eps, r_max=1e30, d_max=1e30)
    torch.testing.assert_close(y, reference)
    torch.testing.assert_close(batch_renorm(x, mean, var, weight, bias, False, 0.1, eps), reference)


def test_the_gradient_takes_r_and_d_for_constants():
    """With open limits the output ignores the batch's statistics, and the gradient still does not."""
    x = data((6, 3)).requires_grad_()
    mean, var, *_ = state()
    y = batch_renorm(x, mean, var, training=True, r_max=1e30, d_max=1e30)
    (grad,) = torch.autograd.grad((y * data((6, 3), 1)).sum(), x)
    torch.testing.assert_close(grad.sum(0), torch.zeros(3, dtype=torch.double), atol=1e-12, rtol=0)


def test_state_dict_both_ways_modes_and_torchs_tools():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 3, 3), BatchRenorm(3, momentum=0.1))
    batches = [torch.randn(10, 1, 6, 6) * 2 + 1 for _ in range(3)]
    torch.optim.swa_utils.update_bn(batches, model)
    layer = model[1]
    assert layer.num_batches_tracked == 3 and layer.momentum == 0.1
    with torch.no_grad():
        stds = [(model[0](x).var((0, 2, 3), correction=0) + layer.eps).sqrt() for x in batches]
    torch.testing.assert_close((layer.running_var + layer.eps).sqrt(), torch.stack(stds).mean(0))
    plain = nn.BatchNorm2d(3)
    plain.load_state_dict(layer.state_dict())
    BatchRenorm(3).load_state_dict(plain.state_dict())
    model.eval(), plain.eval()
    x = torch.randn(4, 3, 5, 5)
    torch.testing.assert_close(layer(x), plain(x))
    fused = nn.utils.fusion.fuse_conv_bn_eval(model[0], layer)
    torch.testing.assert_close(fused(batches[0]), model(batches[0]), rtol=1e-4, atol=1e-5)
    assert "limits=RelaxedLimits(" in repr(layer)


def test_a_new_layer_starts_at_deviation_one_and_predicts_the_identity():
    layer, x = BatchRenorm(3, eps=0.1), torch.randn(4, 3)
    torch.testing.assert_close(layer.eval()(x), x)
    layer.train()(x)
    layer.reset_running_stats()
    assert torch.equal(layer.running_var, torch.full((3,), 0.9)) and layer.num_batches_tracked == 0
    assert torch.equal(BatchRenorm(3, eps=2.0).running_var, torch.zeros(3))


@pytest.mark.parametrize("how", ["built", "switched"])
def test_without_tracking_it_is_batch_normalization(how):
    layer = BatchRenorm(3, track_running_stats=how != "built", dtype=torch.double, limits=FixedLimits())
    layer.track_running_stats = False
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    x = data((5, 3, 2))
    torch.testing.assert_close(layer(x), F.batch_norm(x, None, None, training=True))
    assert all(torch.equal(before[name], value) for name, value in layer.state_dict().items())


def test_buffers_are_updated_in_place_and_outside_of_autograd():
    layer = BatchRenorm(3, limits=FixedLimits())
    shared = layer.running_mean, layer.running_var, layer.num_batches_tracked
    first = layer(torch.randn(5, 3, requires_grad=True))
    layer(torch.randn(5, 3))
    first.sum().backward()  # the first forward kept nothing that the second one changed
    assert shared[0] is layer.running_mean and shared[1] is layer.running_var
    assert shared[2] is layer.num_batches_tracked and not layer.running_var.requires_grad


@pytest.mark.parametrize("parameters", ["half", "float"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype, parameters):
    kind = dtype if parameters == "half" else torch.float32
    x = (data((64, 3, 4)) * 10 + 300).to(dtype)
    layer = BatchRenorm(3, momentum=1.0, dtype=kind, limits=FixedLimits(1.0, 0.0))
    y = layer(x)
    truth = F.batch_norm(x.double(), None, None, training=True)
    tolerance = 2e-3 if dtype == torch.float16 else 2e-2
    assert y.dtype == dtype and layer.running_var.dtype == kind
    torch.testing.assert_close(y.double(), truth, rtol=tolerance, atol=tolerance)
    var = x.double().var((0, 2), correction=0)
    torch.testing.assert_close(layer.running_var.double(), var, rtol=tolerance, atol=0)


def test_only_the_input_is_kept_and_its_layout_stays():
    kept = []
    x = torch.randn(6, 3, 5, 5).to(memory_format=torch.channels_last).requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        y = BatchRenorm(3, limits=FixedLimits())(x)
    large = [tensor for tensor in kept if tensor.numel() > 64]
    assert len(large) == 1 and large[0].data_ptr() == x.data_ptr()
    assert y.is_contiguous(memory_format=torch.channels_last)


def test_checkpointing_counts_a_batch_once():
    """Recomputing the forward pass would move the statistics twice (pytorch 96136)."""
    layer, alone = BatchRenorm(3, limits=FixedLimits()), BatchRenorm(3, limits=FixedLimits())
    x = torch.randn(10, 3, requires_grad=True)
    checkpoint(lambda x: layer(x).sin(), x, use_reentrant=False).sum().backward()
    alone(x)
    assert layer.num_batches_tracked == 1
    for name, value in alone.state_dict().items():
        assert torch.equal(layer.state_dict()[name], value), name


def test_empty_batch_counts_and_changes_nothing_else():
    layer, x = BatchRenorm(3), torch.empty(0, 3, 2, requires_grad=True)
    before = layer.running_var.clone()
    layer(x).sum().backward()
    assert x.grad.shape == (0, 3, 2) and torch.equal(layer.weight.grad, torch.zeros(3))
    assert torch.equal(layer.running_var, before) and layer.num_batches_tracked == 1


@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
@pytest.mark.parametrize("limits", [FixedLimits(), RelaxedLimits(start=1, r_end=3, d_end=2)], ids=["fixed", "relaxed"])
def test_compiles_in_one_graph(limits, backend):
    """The default backend computes anew in the backward graph what is cheap, such as r and d: they must not be those
    of the moved statistics and step count then (pytorch 197039)."""
    torch._dynamo.reset()
    eager, other = (BatchRenorm(3, momentum=None, dtype=torch.double, limits=limits) for _ in range(2))
    compiled = torch.compile(other, fullgraph=True, backend=backend)
    for seed in range(4):
        a, b = (data((10, 3, 2, 2), seed).requires_grad_() for _ in range(2))
        ya, yb = eager(a), compiled(b)
        torch.testing.assert_close(ya, yb)
        torch.testing.assert_close(torch.autograd.grad(ya.pow(3).sum(), a), torch.autograd.grad(yb.pow(3).sum(), b))
    torch.testing.assert_close(dict(eager.state_dict()), dict(other.state_dict()))


@pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")  # torch has no rule for lerp_ yet
def test_vmap_over_what_the_statistics_belong_to():
    """Moving statistics of their own for every element of the batch, as in an ensemble."""
    x = data((4, 6, 3, 2))
    mean, var = data((4, 3), 1), data((4, 3), 2).abs() + 0.5
    means, variances = mean.clone(), var.clone()

    def function(x, mean, var):
        return batch_renorm(x, mean, var, training=True, momentum=0.2, r_max=1.5, d_max=0.5)

    y = torch.vmap(function)(x, means, variances)
    torch.testing.assert_close(y, torch.stack([function(*each) for each in zip(x, mean, var, strict=True)]))
    torch.testing.assert_close((means, variances), (mean, var))


X, V = torch.randn(4, 3), torch.ones(3)
WRONG = [
    (lambda: FixedLimits(0.5, 1.0), ValueError, "r_max is 0.5 and d_max is 1.0; expected r_max of at least 1"),
    (lambda: RelaxedLimits(d_max=-1.0), ValueError, "d_max is -1.0"),
    (lambda: RelaxedLimits(start=9, r_end=9), ValueError, "start=9, r_end=9, d_end=25000; expected"),
    (lambda: setattr(PAPER, "r_max", 2.0), dataclasses.FrozenInstanceError, "r_max"),
    (lambda: batch_renorm(X, None, None, training=True), RuntimeError, "in training too"),
    (lambda: batch_renorm(X, None, None), RuntimeError, "with training=False"),
    (lambda: BatchRenorm(3)(torch.randn(3)), ValueError, r"shape \(3,\); expected \(N, C\)"),
    (lambda: BatchRenorm(3)(torch.randn(1, 3)), ValueError, "more than 1 value per channel"),
    (lambda: BatchRenorm(4)(X), RuntimeError, "should contain 3 elements"),
    (lambda: batch_renorm(X.double(), V, V, training=True), RuntimeError, "torch.float32 beside an input of"),
]


@pytest.mark.parametrize(("call", "error", "sentence"), WRONG, ids=lambda v: v if isinstance(v, str) else "")
def test_wrong_input(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()
