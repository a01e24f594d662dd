"""normalize and normalize_by: derivatives of every kind against autograd's over plain operations."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.func import grad, hessian, jacfwd, jacrev, vmap

from bnlib.norm.given_statistics import normalize_by
from bnlib.norm.normalization import normalize

# name: shape of x, axes of the statistics, shape of weight and bias (None: absent), center
CASES = {
    "batch": ((5, 3, 2, 2), (0, 2, 3), (1, 3, 1, 1), True),
    "batch, no weight": ((5, 3), (0,), None, True),
    "layer": ((5, 3, 4), (2,), (4,), True),
    "group": ((4, 2, 3, 2), (2, 3), (2, 3, 1), True),
    "instance": ((2, 3, 4), (2,), (3, 1), True),
    "ghost": ((2, 4, 3, 2), (1, 3), (3, 1), True),
    "root mean square": ((5, 3, 4), (2,), (4,), False),
}
EPS = 0.1


def tensors(shape, parameters):
    generator = torch.Generator().manual_seed(0)
    shapes = [shape] if parameters is None else [shape, parameters, parameters]
    return [torch.randn(s, dtype=torch.double, generator=generator).requires_grad_() for s in shapes]


def plain(x, axes, weight=None, bias=None, center=True):
    mean = x.mean(axes, keepdim=True) if center else 0.0
    var = ((x - mean) ** 2).mean(axes, keepdim=True)
    y = (x - mean) / (var + EPS).sqrt()
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


@pytest.fixture(params=CASES, ids=str)
def case(request):
    shape, axes, parameters, center = CASES[request.param]

    def ours(x, weight=None, bias=None):
        return normalize(x, axes, weight, bias, EPS, center)

    def theirs(x, weight=None, bias=None):
        return plain(x, axes, weight, bias, center)

    return ours, theirs, tensors(shape, parameters)


def test_values_and_first_and_second_derivatives_in_both_modes(case):
    ours, theirs, leaves = case
    torch.testing.assert_close(ours(*leaves)[0], theirs(*leaves))
    options = {"check_forward_ad": True, "check_batched_grad": True, "check_batched_forward_grad": True}
    assert gradcheck(ours, leaves, **options)  # of the statistics as well, since they are outputs
    assert gradgradcheck(ours, leaves, check_fwd_over_rev=True)


@pytest.mark.parametrize("transform", [grad, jacrev, jacfwd, hessian], ids=lambda t: t.__name__)
def test_transforms_of_torch_func_alone_and_under_vmap(case, transform):
    ours, theirs, (x, *parameters) = case
    parameters = [p.detach() for p in parameters]
    batch = torch.randn(3, *x.shape, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    f = transform(lambda x: ours(x, *parameters)[0].pow(3).sum())
    g = transform(lambda x: theirs(x, *parameters).pow(3).sum())
    torch.testing.assert_close(f(x.detach()), g(x.detach()))
    torch.testing.assert_close(vmap(f)(batch), vmap(g)(batch))
    torch.testing.assert_close(vmap(f, in_dims=-1)(batch.movedim(0, -1)), vmap(g)(batch))


def test_vmap_over_parameters_alone(case):
    ours, theirs, (x, *parameters) = case
    if not parameters:
        assert len(ours(x)) == 3  # nothing to map over; what remains true is the result's form
        return
    weights = torch.randn(3, *parameters[0].shape, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    x, bias = x.detach(), parameters[1].detach()
    torch.testing.assert_close(
        vmap(lambda w: ours(x, w, bias)[0])(weights), torch.stack([theirs(x, w, bias) for w in weights])
    )
    for power in (3, 1):  # with 1 the upstream gradient knows nothing of vmap
        f = vmap(grad(lambda w, x, p=power: ours(x, w, bias)[0].pow(p).sum(), argnums=(0, 1)), in_dims=(0, None))
        g = vmap(grad(lambda w, x, p=power: theirs(x, w, bias).pow(p).sum(), argnums=(0, 1)), in_dims=(0, None))
        torch.testing.assert_close(f(weights, x), g(weights, x))


@pytest.mark.parametrize("affine", [True, False])
def test_given_statistics(affine):
    leaves = tensors((5, 3, 2), (1, 3, 1) if affine else None)
    mean, var = torch.randn(1, 3, 1, dtype=torch.double), torch.rand(1, 3, 1, dtype=torch.double)

    def ours(x, weight=None, bias=None):
        return normalize_by(x, mean, var, weight, bias, EPS)

    x = leaves[0]
    expected = (x - mean) / (var + EPS).sqrt()
    expected = expected * leaves[1] + leaves[2] if affine else expected
    torch.testing.assert_close(ours(*leaves), expected)
    assert gradcheck(ours, leaves, check_forward_ad=True, check_batched_grad=True, check_batched_forward_grad=True)
    assert gradgradcheck(ours, leaves, check_fwd_over_rev=True)
    batch = torch.randn(4, 5, 3, 2, dtype=torch.double)
    rest = [p.detach() for p in leaves[1:]]
    torch.testing.assert_close(vmap(lambda x: ours(x, *rest))(batch), torch.stack([ours(x, *rest) for x in batch]))


def test_compiled_in_one_graph(case):
    ours, _, leaves = case
    compiled = torch.compile(lambda *args: ours(*args)[0], fullgraph=True, backend="aot_eager")
    y, z = compiled(*leaves), ours(*leaves)[0]
    torch.testing.assert_close(y, z)
    upstream = torch.randn(y.shape, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    for a, b in zip(torch.autograd.grad(y, leaves, upstream), torch.autograd.grad(z, leaves, upstream), strict=True):
        torch.testing.assert_close(a, b)


def test_the_input_is_all_of_its_size_that_is_kept():
    x = torch.randn(64, 8, 5, 5).requires_grad_()
    weight, bias = (torch.randn(1, 8, 1, 1).requires_grad_() for _ in range(2))
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        normalize(x, (0, 2, 3), weight, bias, EPS)
    assert [t.data_ptr() for t in kept if t.numel() >= x.numel()] == [x.data_ptr()]


def test_statistics_changed_after_the_forward_pass_do_no_harm():
    x = torch.randn(6, 3, dtype=torch.double, requires_grad=True)
    mean, var = torch.randn(1, 3).double(), torch.rand(1, 3).double()
    weight = torch.ones(1, 3).double().requires_grad_()
    y = normalize_by(x, mean, var, weight, None, EPS)
    expected = torch.autograd.grad(y.pow(3).sum(), (x, weight), retain_graph=True)
    mean.add_(1), var.mul_(2)
    for a, b in zip(torch.autograd.grad(y.pow(3).sum(), (x, weight)), expected, strict=True):
        assert torch.equal(a, b)
