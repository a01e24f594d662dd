"""LayerNorm and RMSNorm, layers and functions, against torch's."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bnlib.norm.layer_norm import LayerNorm, RMSNorm, layer_norm, rms_norm

CASES = [  # shape of the input, normalized_shape
    ((5, 4), (4,)),
    ((2, 5, 4), (4,)),
    ((2, 5, 4), (5, 4)),
    ((2, 3, 5, 4), (3, 5, 4)),
    ((4,), (4,)),
    ((3, 1), (1,)),
    ((0, 4), (4,)),
    ((3, 0), (0,)),
]
LAYERS = [
    (LayerNorm, nn.LayerNorm, {}),
    (LayerNorm, nn.LayerNorm, {"eps": 0.1}),
    (LayerNorm, nn.LayerNorm, {"bias": False}),
    (LayerNorm, nn.LayerNorm, {"elementwise_affine": False}),
    (RMSNorm, nn.RMSNorm, {}),
    (RMSNorm, nn.RMSNorm, {"eps": 0.1}),
    (RMSNorm, nn.RMSNorm, {"elementwise_affine": False}),
]
FUNCTIONS = {"layer": (layer_norm, F.layer_norm), "rms": (rms_norm, F.rms_norm)}


def data(shape, seed=0):
    return torch.randn(shape, dtype=torch.double, generator=torch.Generator().manual_seed(seed)) * 2 + 3


def run(layer, x, seed=1):
    x = x.detach().clone().requires_grad_()
    y = layer(x)
    return y, torch.autograd.grad(y, [x, *layer.parameters()], data(y.shape, seed).to(y.dtype))


@pytest.mark.parametrize(("ours", "theirs", "options"), LAYERS, ids=str)
@pytest.mark.parametrize(("shape", "normalized"), CASES, ids=str)
def test_equals_torch(shape, normalized, ours, theirs, options):
    ours, theirs = (cls(normalized, dtype=torch.double, **options) for cls in (ours, theirs))
    for parameter in theirs.parameters():
        nn.init.normal_(parameter)
    ours.load_state_dict(theirs.state_dict())
    assert ours.state_dict().keys() == theirs.state_dict().keys() and isinstance(ours, type(theirs))
    assert repr(ours) == repr(theirs)
    for mode in (True, False):
        torch.testing.assert_close(run(ours.train(mode), data(shape)), run(theirs.train(mode), data(shape)))


def test_the_last_axis_by_its_length():
    x = data((3, 5)).float()
    torch.testing.assert_close(LayerNorm(5)(x), nn.LayerNorm(5)(x))
    torch.testing.assert_close(RMSNorm(5)(x), nn.RMSNorm(5)(x))


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("shape", [(4,), (3, 4)], ids=str)
def test_first_and_second_derivatives(function, shape):
    ours, _ = FUNCTIONS[function]
    count = 3 if function == "layer" else 2
    leaves = [data((2, 3, 4)), *(data(shape, seed) for seed in range(1, count))]
    leaves = [leaf.requires_grad_() for leaf in leaves]
    assert torch.autograd.gradcheck(lambda x, *p: ours(x, shape, *p), leaves, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(lambda x, *p: ours(x, shape, *p), leaves)


def test_a_bias_without_a_weight():
    x, bias = data((3, 4)).requires_grad_(), data((4,), 1).requires_grad_()
    for ours, theirs in zip(
        *(torch.autograd.grad(f(x, (4,), None, bias).pow(3).sum(), (x, bias)) for f in (layer_norm, F.layer_norm)),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("parameters", ["same", "float32"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_half_precision_is_computed_in_float32(function, dtype, parameters):
    """At 300 a square overflows float16."""
    ours, theirs = FUNCTIONS[function]
    x = (data((8, 64)) * 100).to(dtype).requires_grad_()
    weight = (data((64,), 1)).to(dtype if parameters == "same" else torch.float32).requires_grad_()
    y = ours(x, (64,), weight)
    truth = theirs(x.double(), (64,), weight.double(), eps=1e-5 if function == "layer" else 2**-23)
    assert y.dtype == dtype
    tolerance = 2e-3 if dtype == torch.float16 else 1.6e-2
    torch.testing.assert_close(y.double(), truth, rtol=tolerance, atol=tolerance)
    grads = torch.autograd.grad(y.float().sum(), (x, weight))
    assert [g.dtype for g in grads] == [dtype, weight.dtype] and all(g.isfinite().all() for g in grads)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_eps_of_rms_norm_is_that_of_the_dtype_computed_in(dtype):
    """Values so small that eps decides: y is x / sqrt(x² + eps)."""
    x = torch.full((1, 4), 1e-4, dtype=dtype)
    eps = torch.finfo(torch.float64 if dtype == torch.float64 else torch.float32).eps
    y = rms_norm(x, (4,))
    torch.testing.assert_close(y, (x.double() / (x.double().square() + eps).sqrt()).to(dtype))
    torch.testing.assert_close(y, F.rms_norm(x, (4,)))


def test_no_cancellation_far_from_zero():
    x = torch.randn(4, 4096, generator=torch.Generator().manual_seed(0)) + 1e4
    torch.testing.assert_close(layer_norm(x, (4096,)).double(), F.layer_norm(x.double(), (4096,)), rtol=1e-3, atol=2e-3)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_layouts(function):
    ours, theirs = FUNCTIONS[function]
    base = data((6, 4, 5, 3))
    for x in (base.to(memory_format=torch.channels_last), base.transpose(1, 3), base[::2], base[:1].expand(6, 4, 5, 3)):
        shape, leaf = x.shape[1:], x.detach().requires_grad_()
        copy = x.detach().clone(memory_format=torch.contiguous_format).requires_grad_()
        y, reference = ours(leaf, tuple(shape)), theirs(copy, tuple(shape))
        torch.testing.assert_close(y, reference)
        torch.testing.assert_close(
            torch.autograd.grad(y.pow(3).sum(), leaf), torch.autograd.grad(reference.pow(3).sum(), copy)
        )
    assert ours(base.to(memory_format=torch.channels_last), (3,)).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("layer", [LayerNorm, RMSNorm])
def test_compiles_in_one_graph(layer):
    layer = layer((3, 4))
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    x = torch.randn(2, 3, 4)
    torch.testing.assert_close(run(compiled, x), run(layer, x))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_vmap(function):
    ours, theirs = FUNCTIONS[function]
    x, weight = data((5, 2, 3, 4)), data((5, 4), 1)
    together = torch.vmap(lambda x, w: ours(x, (4,), w))(x, weight)
    torch.testing.assert_close(
        together, torch.stack([theirs(each, (4,), w) for each, w in zip(x, weight, strict=True)])
    )
    torch.testing.assert_close(torch.vmap(lambda x: ours(x, (3, 4)), in_dims=2)(x.movedim(0, 2)), ours(x, (3, 4)))


X = torch.randn(3, 4)
WRONG = [
    (lambda: layer_norm(X, 4), TypeError, r"normalized_shape of type int; expected a tuple or list.*pass \(4,\)"),
    (lambda: layer_norm(X, ()), RuntimeError, r"normalized_shape=\[\].*at least one"),
    (lambda: layer_norm(X, (5,)), RuntimeError, r"normalized_shape=\[5\] with an input of shape \(3, 4\)"),
    (lambda: rms_norm(X, (2, 3, 4)), RuntimeError, r"rms_norm got normalized_shape=\[2, 3, 4\]"),
    (lambda: layer_norm(X, (4,), torch.ones(5)), RuntimeError, r"weight of shape \(5,\) with normalized_shape=\[4\]"),
    (lambda: layer_norm(X, (4,), None, torch.ones(5)), RuntimeError, r"bias of shape \(5,\)"),
    (lambda: rms_norm(X, (4,), torch.ones(3)), RuntimeError, r"rms_norm got a weight of shape \(3,\)"),
    (lambda: layer_norm(X.double(), (4,), torch.ones(4)), RuntimeError, "torch.float32 beside an input of"),
    (lambda: layer_norm(X.cfloat(), (4,)), NotImplementedError, "layer_norm got an input of torch.complex64"),
    (lambda: rms_norm(X.long(), (4,)), NotImplementedError, "rms_norm got an input of torch.int64"),
    (lambda: LayerNorm(5)(X), RuntimeError, r"normalized_shape=\[5\]"),
]


@pytest.mark.parametrize(("call", "error", "sentence"), WRONG, ids=lambda v: v if isinstance(v, str) else "")
def test_wrong_input(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()
