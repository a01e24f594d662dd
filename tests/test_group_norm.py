"""GroupNorm and InstanceNorm, layers and functions, against torch's and against each other."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from bnlib.norm.group_norm import (
    GroupNorm,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
    group_norm,
    instance_norm,
)
from bnlib.norm.layer_norm import layer_norm

GROUPS = [1, 2, 3, 6]
SHAPES = [(4, 6), (4, 6, 5), (2, 6, 3, 2), (2, 6, 2, 3, 2), (1, 6, 2), (0, 6, 2)]
GROUP_OPTIONS = [{}, {"eps": 0.1}, {"affine": False}, {"bias": False}]
INSTANCE = {
    1: (InstanceNorm1d, nn.InstanceNorm1d),
    2: (InstanceNorm2d, nn.InstanceNorm2d),
    3: (InstanceNorm3d, nn.InstanceNorm3d),
}
INSTANCE_SHAPES = [  # the last ones without the batch axis
    (1, (4, 3, 5)),
    (2, (4, 3, 5, 2)),
    (3, (2, 3, 3, 2, 2)),
    (1, (1, 3, 2)),
    (1, (3, 5)),
    (2, (3, 5, 2)),
    (3, (3, 2, 2, 2)),
]
INSTANCE_OPTIONS = [
    {},
    {"affine": True},
    {"affine": True, "bias": False, "eps": 0.1},
    {"track_running_stats": True},
    {"track_running_stats": True, "momentum": 1.0, "affine": True},
    {"track_running_stats": True, "momentum": None},
    {"track_running_stats": True, "momentum": 0.0},
]


def data(shape, seed=0):
    return torch.randn(shape, dtype=torch.double, generator=torch.Generator().manual_seed(seed)) * 2 + 3


def run(layer, x, seed=1):
    x = x.detach().clone().requires_grad_()
    y = layer(x)
    return y, torch.autograd.grad(y, [x, *layer.parameters()], data(y.shape, seed).to(y.dtype))


def same(ours, theirs, x):
    torch.testing.assert_close(run(ours, x), run(theirs, x))
    torch.testing.assert_close(dict(ours.state_dict()), dict(theirs.state_dict()))


def pair(ours, theirs, *args, **options):
    ours, theirs = (cls(*args, dtype=torch.double, **options) for cls in (ours, theirs))
    for parameter in theirs.parameters():
        nn.init.normal_(parameter)
    ours.load_state_dict(theirs.state_dict())
    assert isinstance(ours, type(theirs)) and repr(ours) == repr(theirs)
    return ours, theirs


@pytest.mark.parametrize("options", GROUP_OPTIONS, ids=str)
@pytest.mark.parametrize("groups", GROUPS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_group_norm_equals_torch(shape, groups, options):
    ours, theirs = pair(GroupNorm, nn.GroupNorm, groups, 6, **options)
    for mode in (True, False):
        same(ours.train(mode), theirs.train(mode), data(shape))


@pytest.mark.parametrize("options", INSTANCE_OPTIONS, ids=str)
@pytest.mark.parametrize(("dims", "shape"), INSTANCE_SHAPES, ids=str)
def test_instance_norm_equals_torch(dims, shape, options):
    ours, theirs = pair(*INSTANCE[dims], 3, **options)
    for seed in range(3):
        same(ours, theirs, data(shape, seed))
    same(ours.eval(), theirs.eval(), data(shape))
    ours.track_running_stats = theirs.track_running_stats = not ours.track_running_stats
    if ours.running_mean is not None:  # switched off: torch normalizes by the instance, in prediction too
        same(ours, theirs, data(shape))


@pytest.mark.parametrize("use_input_stats", [True, False])
def test_instance_norm_as_a_function_equals_torch(use_input_stats):
    vectors = [data((3,), seed).abs() for seed in range(4)]
    a, b = [v.clone() for v in vectors], [v.clone() for v in vectors]
    x = data((4, 3, 5))
    ours = instance_norm(x, *a, use_input_stats, 0.3, 0.1)
    torch.testing.assert_close(ours, F.instance_norm(x, *b, use_input_stats, 0.3, 0.1))
    torch.testing.assert_close(a, b)


def test_an_empty_batch_leaves_the_running_statistics():
    for shape in ((0, 3, 4), (2, 3, 0)):
        layer, x = InstanceNorm1d(3, affine=True, track_running_stats=True), torch.empty(shape, requires_grad=True)
        layer(x).sum().backward()
        assert x.grad.shape == shape and torch.equal(layer.weight.grad, torch.zeros(3))
        assert torch.equal(layer.running_mean, torch.zeros(3)) and torch.equal(layer.running_var, torch.ones(3))


def test_running_statistics_change_in_place():
    layer = InstanceNorm1d(3, track_running_stats=True)
    shared = layer.running_mean, layer.running_var
    layer(torch.randn(4, 3, 5))
    assert shared[0] is layer.running_mean and shared[1] is layer.running_var and shared[0].abs().sum() > 0


laws = given(
    n=st.integers(1, 4), spatial=st.lists(st.integers(2, 4), min_size=1, max_size=3), seed=st.integers(0, 2**16)
)


@settings(deadline=None, max_examples=40)
@laws
def test_one_group_is_layer_normalization_without_weights(n, spatial, seed):
    x = data((n, 6, *spatial), seed)
    torch.testing.assert_close(group_norm(x, 1), layer_norm(x, tuple(x.shape[1:])))


@settings(deadline=None, max_examples=40)
@laws
def test_a_group_for_each_channel_is_instance_normalization(n, spatial, seed):
    x, weight, bias = data((n, 6, *spatial), seed), data((6,), seed + 1), data((6,), seed + 2)
    torch.testing.assert_close(group_norm(x, 6, weight, bias), instance_norm(x, weight=weight, bias=bias))


@settings(deadline=None, max_examples=40)
@laws
def test_a_sample_never_hears_of_the_others(n, spatial, seed):
    x = data((n, 6, *spatial), seed)
    for f in (lambda x: group_norm(x, 2), instance_norm):
        torch.testing.assert_close(f(x), torch.cat([f(each) for each in x.split(1)]))


@pytest.mark.parametrize("groups", GROUPS)
def test_first_and_second_derivatives_of_group_norm(groups):
    leaves = [data(shape, seed).requires_grad_() for seed, shape in enumerate([(2, 6, 2), (6,), (6,)])]

    def function(x, weight, bias):
        return group_norm(x, groups, weight, bias, eps=0.1)

    assert torch.autograd.gradcheck(function, leaves, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(function, leaves)


def test_first_and_second_derivatives_of_instance_norm():
    leaves = [data(shape, seed).requires_grad_() for seed, shape in enumerate([(2, 3, 2, 2), (3,), (3,)])]

    def function(x, weight, bias):
        return instance_norm(x, None, None, weight, bias, eps=0.1)

    assert torch.autograd.gradcheck(function, leaves, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(function, leaves)


@pytest.mark.parametrize("groups", GROUPS)
def test_a_bias_without_a_weight(groups):
    """Here the backward pass of torch 2.13 raises, so the reference has a weight of ones."""
    x, bias = data((3, 6, 2)).requires_grad_(), data((6,), 1).requires_grad_()
    y, reference = group_norm(x, groups, None, bias), F.group_norm(x, groups, torch.ones_like(bias), bias)
    torch.testing.assert_close(y, reference)
    torch.testing.assert_close(*(torch.autograd.grad(v.pow(3).sum(), (x, bias)) for v in (y, reference)))


def test_no_pixels_give_gradients_of_zero():
    """Torch 2.13 gives nan to the weight here."""
    layer, x = GroupNorm(2, 6), torch.empty(2, 6, 0, requires_grad=True)
    layer(x).sum().backward()
    assert x.grad.shape == (2, 6, 0)
    assert torch.equal(layer.weight.grad, torch.zeros(6)) and torch.equal(layer.bias.grad, torch.zeros(6))


FUNCTIONS = {
    "group": (lambda x, *p: group_norm(x, 2, *p), lambda x, *p: F.group_norm(x, 2, *p)),
    "instance": (
        lambda x, *p: instance_norm(x, None, None, *p),
        lambda x, *p: F.instance_norm(x, None, None, *p),
    ),
}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_layouts(function):
    """Against torch in float64 on a contiguous copy."""
    ours, theirs = FUNCTIONS[function]
    base = data((6, 4, 5, 3))
    unsqueezed = base[:, :, :, 0].transpose(1, 2)[:, :4].unsqueeze(-1)
    last = base.to(memory_format=torch.channels_last)
    for x in (last, base.transpose(2, 3), base[::2, :, 1:], base[:1].expand(6, 4, 5, 3), unsqueezed):
        leaf = x.detach().requires_grad_()
        copy = x.detach().clone(memory_format=torch.contiguous_format).requires_grad_()
        upstream = data(x.shape, 1)
        y, reference = ours(leaf), theirs(copy)
        torch.testing.assert_close(y, reference)
        torch.testing.assert_close(
            torch.autograd.grad(y, leaf, upstream), torch.autograd.grad(reference, copy, upstream)
        )
    leaf = last.detach().requires_grad_()
    y = ours(leaf)
    assert y.is_contiguous(memory_format=torch.channels_last)
    (grad,) = torch.autograd.grad(y.square().sum(), leaf)
    assert grad.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_input_is_all_of_its_size_that_is_kept(function):
    kept = []
    x = torch.randn(6, 4, 5, 3, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        FUNCTIONS[function][0](x)
    assert [t.data_ptr() for t in kept if t.numel() >= x.numel()] == [x.data_ptr()]


@pytest.mark.parametrize("parameters", ["same", "float32"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_half_precision_is_computed_in_float32(function, dtype, parameters):
    """A sum of squares in float16 overflows at mean 300."""
    ours, theirs = FUNCTIONS[function]
    x = (data((4, 4, 30)) * 10 + 300).to(dtype).requires_grad_()
    weight = data((4,), 1).to(dtype if parameters == "same" else torch.float32).requires_grad_()
    y = ours(x, weight)
    tolerance = 2e-3 if dtype == torch.float16 else 1.6e-2
    torch.testing.assert_close(y.double(), theirs(x.double(), weight.double()), rtol=tolerance, atol=tolerance)
    grads = torch.autograd.grad(y.float().sum(), (x, weight))
    assert y.dtype == dtype and [g.dtype for g in grads] == [dtype, weight.dtype]


def test_running_statistics_in_float32_beside_half_precision():
    layer = InstanceNorm1d(3, track_running_stats=True, momentum=1.0)
    x = (data((4, 3, 30)) * 10 + 300).half()
    layer(x)
    torch.testing.assert_close(layer.running_mean.double(), x.double().mean((0, 2)), rtol=1e-5, atol=0)
    torch.testing.assert_close(layer.running_var.double(), x.double().var(2).mean(0), rtol=1e-5, atol=0)


COMPILED = [
    lambda: GroupNorm(2, 4),
    lambda: GroupNorm(4, 4),
    lambda: InstanceNorm2d(4, affine=True),
    lambda: InstanceNorm2d(4, track_running_stats=True),
]


@pytest.mark.parametrize("make", COMPILED)
def test_compiles_in_one_graph(make):
    torch._dynamo.reset()
    eager, other = make(), make()
    compiled = torch.compile(other, fullgraph=True, backend="aot_eager")
    for mode in (True, False):
        eager.train(mode), other.train(mode)
        x = torch.randn(3, 4, 5, 2)
        torch.testing.assert_close(run(compiled, x), run(eager, x))
        torch.testing.assert_close(dict(other.state_dict()), dict(eager.state_dict()))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_vmap(function):
    ours, theirs = FUNCTIONS[function]
    x, weight = data((5, 2, 4, 3)), data((5, 4), 1)
    torch.testing.assert_close(
        torch.vmap(ours)(x, weight), torch.stack([theirs(*each) for each in zip(x, weight, strict=True)])
    )
    torch.testing.assert_close(
        torch.vmap(ours, in_dims=(2, None))(x.movedim(0, 2), weight[0]),
        torch.stack([theirs(each, weight[0]) for each in x]),
    )


X, V = torch.randn(2, 4, 3), torch.ones(4)
WRONG = [
    (lambda: group_norm(torch.randn(4), 2), RuntimeError, r"shape \(4,\); expected \(N, C\)"),
    (lambda: group_norm(X, 3), RuntimeError, "num_groups=3 with 4 channels.*divisor"),
    (lambda: group_norm(X, 0), RuntimeError, "num_groups=0 with 4 channels"),
    (lambda: group_norm(X[:1, :, 0], 4), ValueError, r"more than 1 value per group.*\(1, 4\)"),
    (lambda: group_norm(X, 2, torch.ones(3)), RuntimeError, "weight should contain 4 elements"),
    (lambda: group_norm(X.double(), 2, V), RuntimeError, "torch.float32 beside an input of"),
    (lambda: GroupNorm(3, 4), ValueError, r"num_channels \(4\) must be divisible by num_groups \(3\)"),
    (lambda: GroupNorm(2, 4)(torch.randn(2, 6, 3)), RuntimeError, "should contain 6 elements"),
    (lambda: instance_norm(X[..., :1]), ValueError, r"more than 1 spatial element.*\(2, 4, 1\)"),
    (lambda: instance_norm(X[..., 0]), ValueError, "more than 1 spatial element"),
    (lambda: instance_norm(X, V), ValueError, "one of running_mean and running_var; expected both or neither"),
    (lambda: instance_norm(X, use_input_stats=False), RuntimeError, "no running_mean or no running_var"),
    (lambda: instance_norm(X, weight=torch.ones(3)), RuntimeError, "weight should contain 4 elements"),
    (lambda: InstanceNorm1d(3, affine=True)(X), ValueError, r"to match num_features \(3\), but got: 4"),
    (lambda: group_norm(X.cfloat(), 2), NotImplementedError, "group_norm got an input of torch.complex64"),
    (lambda: instance_norm(X.long()), NotImplementedError, "instance_norm got an input of torch.int64"),
    (lambda: InstanceNorm2d(4)(torch.randn(4, 3)), ValueError, "expected 3D or 4D input"),
]


@pytest.mark.parametrize(("call", "error", "sentence"), WRONG, ids=lambda v: v if isinstance(v, str) else "")
def test_wrong_input(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()
