"""impl="explicit", "compiled", "native": one operation in three forms; and the layers inside of torch's machinery."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

import bnlib
from bnlib.norm.functional import IMPLEMENTATIONS

OTHERS = [impl for impl in IMPLEMENTATIONS if impl != "explicit"]
SHAPES = [(7, 3), (64, 3), (7, 3, 4), (7, 3, 4, 2), (2, 3, 2, 4, 2)]  # (64, 3): summed in blocks


def run(impl, x, weight, bias, training, momentum=0.3):
    torch.manual_seed(0)
    running_mean, running_var = torch.randn(x.shape[1]).to(x), torch.rand(x.shape[1]).to(x) + 0.5
    leaves = [v.detach().clone().requires_grad_() for v in (x, weight, bias) if v is not None]
    leaf, *affine = leaves
    weight, bias = affine or (None, None)
    y = bnlib.batch_norm(leaf, running_mean, running_var, weight, bias, training, momentum, 1e-3, impl=impl)
    upstream = torch.randn(y.shape, generator=torch.Generator().manual_seed(1)).to(y.dtype)
    return y, *torch.autograd.grad(y, leaves, upstream), running_mean, running_var


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("impl", OTHERS)
def test_equal_in_result(impl, training, affine):
    for shape in SHAPES:
        x = torch.randn(shape, dtype=torch.double, generator=torch.Generator().manual_seed(2)) * 3 + 5
        parameters = (torch.rand(3).double(), torch.randn(3).double()) if affine else (None, None)
        for a, b in zip(run("explicit", x, *parameters, training), run(impl, x, *parameters, training), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("impl", OTHERS)
def test_equal_for_layouts_where_torchs_gradient_is_wrong(impl):
    """(N, L, C).transpose(1, 2).unsqueeze(-1): wrong in torch 2.13 on a CPU with a contiguous upstream gradient."""
    x = torch.randn(3, 4, 2, dtype=torch.double).transpose(1, 2).unsqueeze(-1)
    weight, bias = torch.rand(2).double(), torch.rand(2).double()
    for a, b in zip(run("explicit", x, weight, bias, True), run(impl, x, weight, bias, True), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("impl", IMPLEMENTATIONS)
def test_prediction_and_training_before_one_backward(impl):
    """The training step moves the statistics that the prediction went by; torch 2.13 alone takes the moved ones."""
    x, weight = torch.randn(6, 3, dtype=torch.double), torch.tensor([0.5, 1.0, 2.0]).double()
    x.requires_grad_(), weight.requires_grad_()
    running_mean, running_var = torch.zeros(3).double(), torch.ones(3).double()
    y = bnlib.batch_norm(x, running_mean, running_var, weight, impl=impl)
    bnlib.batch_norm(x.detach() * 2, running_mean, running_var, weight, training=True, momentum=1.0, impl=impl)
    truth = x * weight / (1 + 1e-5) ** 0.5
    for a, b in zip(
        torch.autograd.grad((y**3).sum(), (x, weight)), torch.autograd.grad((truth**3).sum(), (x, weight)), strict=True
    ):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
@pytest.mark.parametrize("impl", ["explicit", "native"])
def test_prediction_and_training_in_one_graph(impl, backend):
    """A clone would be made anew in the backward graph, of statistics that have moved (pytorch 197039)."""

    def both(x, weight, running_mean, running_var):
        y = bnlib.batch_norm(x, running_mean, running_var, weight, impl=impl)
        z = bnlib.batch_norm(x * 2, running_mean, running_var, weight, training=True, impl=impl)
        return (y**3).sum() + (z**3).sum()

    def results(function):
        x = torch.randn(6, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
        weight, running = torch.tensor([0.5, 1.0, 2.0]).requires_grad_(), (torch.zeros(3), torch.ones(3))
        return *torch.autograd.grad(function(x, weight, *running), (x, weight)), *running

    compiled = torch.compile(both, fullgraph=True, backend=backend)
    for a, b in zip(results(compiled), results(both), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("impl", IMPLEMENTATIONS)
def test_layers_take_it_with_a_cumulative_average(impl):
    ours = bnlib.BatchNorm2d(3, momentum=None, impl=impl)
    theirs = nn.BatchNorm2d(3, momentum=None)
    for _ in range(3):
        x = torch.randn(4, 3, 5, 5) * 2 + 1
        torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-5)
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value)
    assert bnlib.norm.LazyBatchNorm2d(impl=impl).impl == impl


def test_an_unknown_form_is_refused():
    for make in (bnlib.BatchNorm1d, lambda n, impl: bnlib.norm.LazyBatchNorm1d(impl=impl)):
        with pytest.raises(ValueError, match="impl is 'fast'; expected one of 'explicit', 'compiled', 'native'"):
            make(3, impl="fast")


@pytest.mark.parametrize("layer", [bnlib.norm.LazyBatchNorm1d, bnlib.norm.LazyBatchNorm2d, bnlib.norm.LazyBatchNorm3d])
def test_lazy_layers_become_the_others_at_their_first_input(layer):
    dims = {"1": 1, "2": 2, "3": 3}[layer.__name__[-2]]
    lazy, x = layer(momentum=0.2, bias=False), torch.randn(2, 5, *(3,) * dims)
    expected = getattr(nn, f"BatchNorm{dims}d")(5, momentum=0.2, bias=False)
    torch.testing.assert_close(lazy(x), expected(x))
    assert type(lazy) is getattr(bnlib, f"BatchNorm{dims}d") and lazy.num_features == 5
    assert lazy.state_dict().keys() == expected.state_dict().keys() and lazy.num_batches_tracked == 1


def test_every_layer_of_a_model_stays_compiled():
    """torch.compile gives up after 8 variants of one code object, and every number of channels is one."""
    counters = torch._dynamo.utils.counters["frames"]
    counters.clear()
    for channels in range(31, 40):
        with torch.no_grad():  # half the compiling
            bnlib.BatchNorm1d(channels, impl="compiled")(torch.randn(4, channels))
    assert counters["total"] == counters["ok"] == 9


def test_lazy_layers_without_parameters_or_with_loaded_ones():
    lazy, x = bnlib.norm.LazyBatchNorm2d(affine=False, track_running_stats=False), torch.randn(2, 5, 3, 3)
    torch.testing.assert_close(lazy(x), nn.BatchNorm2d(5)(x))
    loaded = bnlib.norm.LazyBatchNorm2d()
    loaded.load_state_dict(nn.BatchNorm2d(5).state_dict())
    torch.testing.assert_close(loaded(x), nn.BatchNorm2d(5)(x))
    assert lazy.num_features == loaded.num_features == 5
    loaded = bnlib.norm.LazyBatchNorm2d()
    loaded.load_state_dict(nn.BatchNorm2d(4).state_dict())
    with pytest.raises(RuntimeError, match="an input with 5 channels"):
        loaded(x)


COMPILED = [{}, {"momentum": None}, {"track_running_stats": False}, {"momentum": None, "impl": "native"}]


@pytest.mark.parametrize("options", COMPILED, ids=str)
def test_layers_compile_in_one_graph(options):
    """torch's own breaks with momentum=None (pytorch 194504)."""
    eager, compiled = bnlib.BatchNorm2d(3, **options), bnlib.BatchNorm2d(3, **options)
    fast = torch.compile(compiled, fullgraph=True, backend="aot_eager")
    for mode in (True, True, False):
        eager.train(mode), compiled.train(mode)
        x = torch.randn(4, 3, 5, 5)
        torch.testing.assert_close(fast(x), eager(x))
    for a, b in zip(compiled.state_dict().values(), eager.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("impl", IMPLEMENTATIONS)
@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointing_counts_a_batch_once(reentrant, impl, momentum):
    """Recomputing the forward pass would move the statistics twice (pytorch 96136)."""
    torch.manual_seed(0)
    layer, alone = (bnlib.BatchNorm1d(3, momentum=momentum, impl=impl) for _ in range(2))
    x, y = (torch.randn(8, 3, generator=torch.Generator().manual_seed(1)).requires_grad_() for _ in range(2))
    checkpoint(lambda x: layer(x).sin(), x, use_reentrant=reentrant).pow(2).sum().backward()
    alone(y).sin().pow(2).sum().backward()
    torch.testing.assert_close(x.grad, y.grad)
    for a, b in zip(layer.state_dict().values(), alone.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b)  # compiled without gradients rounds its own way


def test_accumulating_gradients_updates_once_for_each_micro_batch():
    ours, theirs = bnlib.BatchNorm1d(3), nn.BatchNorm1d(3)
    for x in torch.randn(4, 8, 3):
        ours(x).pow(3).mean().backward(), theirs(x).pow(3).mean().backward()
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad)
    torch.testing.assert_close(ours.running_var, theirs.running_var)
    assert ours.num_batches_tracked == 4


def test_autocast_keeps_parameters_and_statistics_in_float32():
    model = nn.Sequential(nn.Conv2d(1, 3, 3), bnlib.BatchNorm2d(3))
    reference = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3))
    reference.load_state_dict(model.state_dict())
    x = torch.randn(8, 1, 6, 6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y, z = model(x), reference(x)
    assert y.dtype == z.dtype == torch.bfloat16 and model[1].running_mean.dtype == torch.float32
    torch.testing.assert_close(y, z)
    y.float().pow(2).mean().backward(), z.float().pow(2).mean().backward()
    for p, q in zip(model.parameters(), reference.parameters(), strict=True):
        assert p.grad.dtype == torch.float32
        torch.testing.assert_close(p.grad, q.grad, rtol=2e-2, atol=1e-2)


def test_a_half_precision_buffer_stalls_and_a_float32_one_does_not():
    """With momentum 1e-3, float16 rounds the steps away near 0.76 (pytorch 156513): keep the buffers in float32."""
    x = torch.tensor([[0.0], [2.0]], dtype=torch.float16)  # mean 1
    reached = {}
    for dtype in (torch.float16, torch.float32):
        running_mean, running_var = torch.zeros(1, dtype=dtype), torch.ones(1, dtype=dtype)
        for _ in range(5000):
            bnlib.batch_norm(x, running_mean, running_var, training=True, momentum=1e-3)
        reached[dtype] = running_mean.item()
    assert abs(reached[torch.float32] - (1 - 0.999**5000)) < 1e-4
    assert reached[torch.float16] < 0.8


@pytest.mark.parametrize("impl", ["explicit", "native"])
def test_vmap_over_shared_running_statistics_raises_torchs_own_error(impl):
    x, running_mean, running_var = torch.randn(2, 4, 3), torch.zeros(3), torch.ones(3)

    def step(x):
        return bnlib.batch_norm(x, running_mean, running_var, training=True, impl=impl)

    with pytest.raises((RuntimeError, ValueError), match="vmap|in-place|batch_norm"):
        torch.func.vmap(step)(x)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")  # of the old exporters
@pytest.mark.parametrize("impl", IMPLEMENTATIONS)
def test_a_layer_in_prediction_mode_can_be_exported_copied_and_called_with_other_state(impl):
    layer = bnlib.BatchNorm2d(3, impl=impl)
    x = torch.randn(4, 3, 5, 5)
    layer(x)
    layer.eval()
    expected = layer(x)
    torch.testing.assert_close(torch.jit.trace(layer, x)(x), expected)
    torch.testing.assert_close(torch.export.export(layer, (x,)).module()(x), expected)
    torch.testing.assert_close(pickle.loads(pickle.dumps(copy.deepcopy(layer)))(x), expected)
    with torch.inference_mode():
        torch.testing.assert_close(layer(x), expected)
    other = {name: value.clone() for name, value in bnlib.BatchNorm2d(3).state_dict().items()}
    torch.testing.assert_close(torch.func.functional_call(layer, other, (x,)), x / (1 + layer.eps) ** 0.5)
