"""The C++ loops: eager torch's numbers against float64 truth, bits free of threads, refusals in a sentence, the cache.

Tests that need a C++ compiler are skipped where there is none; the refusals are tried everywhere.
"""

import copy
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

import bnlib
from bnlib.language import message
from bnlib.training import LeNet, fashion_mnist
from bnlib.training.kernels import accelerate, build, reason_against

NORMS = ("none", "batch", "torch")
SIZES = (2, 16, 17, 96, 255, 256)
FUSED = ("conv1", "norm1", "sigmoid1", "pool1", "conv2", "norm2", "sigmoid2", "pool2")


@pytest.fixture(scope="module")
def data():
    return fashion_mnist(subset=True)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """The loops, built into a cache of this module's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        build.libraries.cache_clear()
        built = build.libraries()
        if isinstance(built, build.BuildError):
            pytest.skip(message(built.key, **built.fields))
        yield built
    build.libraries.cache_clear()


@pytest.fixture(autouse=True)
def as_before():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    bnlib.set_language("en")


@pytest.fixture
def fresh_build(tmp_path, monkeypatch):
    """A build from nothing: an empty cache folder, and nothing remembered before or after."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    build.libraries.cache_clear()
    yield tmp_path / "cache" / "bnlib" / "kernels"
    build.libraries.cache_clear()


def lenet(norm="batch", seed=0):
    """A LeNet whose normalization is neither at its start nor symmetric."""
    torch.manual_seed(seed)
    model = LeNet(norm)
    for name, layer in model.named_children():
        if "norm" in name:
            nn.init.uniform_(layer.weight, 0.5, 2)
            nn.init.uniform_(layer.bias, -0.5, 0.5)
            layer.running_mean.uniform_(-0.3, 0.3)
            layer.running_var.uniform_(0.5, 2)
    return model


def observed(model, function, images):
    """Features (N, 256) behind the second stage, then all that a step of it leaves: gradients and buffers by name.

    The loss is taken on the features: BatchNorm1d on few images magnifies rounding, in any implementation.
    """
    seen = []
    handle = model.flatten.register_forward_hook(lambda layer, inputs, output: seen.append(output.flatten(1)))
    function(images)
    handle.remove()
    features = seen[0]
    slope = torch.linspace(-1, 1, features.numel(), dtype=torch.float64).sin().view_as(features)
    (features * slope.to(features.dtype)).sum().backward()
    found = {name: p.grad for name, p in model.named_parameters() if name.startswith(FUSED)}
    found |= {name: b for name, b in model.named_buffers() if name.startswith(FUSED)}
    return {"features": features.detach(), **found}


def assert_as_exact_as_eager(model, images, threads=1):
    """Ours and eager torch, each against float64: gradients to 2e-5, the rest to 1e-6, or twice eager's error."""
    truth, eager = copy.deepcopy(model).double(), copy.deepcopy(model)
    torch.set_num_threads(threads)
    ours = observed(model, accelerate(model), images)
    torch.set_num_threads(1)
    eager, truth = observed(eager, eager, images), observed(truth, truth, images.double())
    assert ours.keys() == truth.keys()
    for name, right in truth.items():
        if not right.is_floating_point():
            assert torch.equal(ours[name], right), name
            continue
        size = max(truth.get(name.replace("bias", "weight"), right).norm().item(), 1e-30)  # a shift before BN: 0
        error, eagers = ((found[name] - right).norm().item() / size for found in (ours, eager))
        bound = 2e-5 if name.endswith(("weight", "bias")) else 1e-6
        assert ours[name].dtype == torch.float32 and (error < bound or error < 2 * eagers), (name, error, eagers)


# ---- equal to eager torch


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("norm", NORMS)
def test_a_step_is_as_exact_as_eager_torch(compiled, data, norm, n, threads):
    assert_as_exact_as_eager(lenet(norm), data.train_images[:n], threads)


MODES = {  # what is done to the model first
    "prediction": lambda model: model.eval(),
    "one norm frozen": lambda model: model.norm1.eval(),
    "the other norm frozen": lambda model: model.norm2.eval(),
    "cumulative average": lambda model: [setattr(layer, "momentum", None) for layer in (model.norm1, model.norm2)],
    "momentum 0": lambda model: setattr(model.norm1, "momentum", 0.0),
    "another eps": lambda model: setattr(model.norm2, "eps", 0.1),
    "native form": lambda model: setattr(model.norm1, "impl", "native"),
    "channels last": lambda model: model.to(memory_format=torch.channels_last),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("norm", ["batch", "torch"])
def test_modes_and_options_are_the_layers_own(compiled, data, norm, mode):
    model = lenet(norm)
    MODES[mode](model)
    assert_as_exact_as_eager(model, data.train_images[:40])


def test_one_image_and_images_of_any_strides(compiled, data):
    assert_as_exact_as_eager(lenet("none"), data.train_images[:1])
    assert_as_exact_as_eager(lenet(), data.train_images[:64:2].transpose(2, 3))


def test_nothing_is_lost_far_from_zero(compiled):
    images = torch.rand(32, 1, 28, 28, generator=torch.Generator().manual_seed(0)) + 1000
    assert_as_exact_as_eager(lenet(), images)


@pytest.mark.parametrize("norm", NORMS)
def test_twenty_steps_have_eagers_losses(compiled, data, norm):
    losses = {}
    for name in ("ours", "eager"):
        model = lenet(norm)
        function = accelerate(model) if name == "ours" else model
        optimizer, losses[name] = torch.optim.SGD(model.parameters(), lr=0.5), []
        for images, labels in zip(data.train_images.split(100)[:20], data.train_labels.split(100), strict=False):
            optimizer.zero_grad()
            loss = F.cross_entropy(function(images), labels)
            loss.backward()
            optimizer.step()
            losses[name].append(loss.item())
        model.eval()
        losses[name].append(F.cross_entropy(function(data.test_images), data.test_labels).item())
    assert losses["ours"] == pytest.approx(losses["eager"], rel=1e-4)
    assert len(set(losses["ours"])) == 21


def test_two_forward_passes_before_one_backward(compiled, data):
    first, second = data.train_images[:20], data.train_images[20:50]
    model = lenet()
    function, eager = accelerate(model), copy.deepcopy(model)
    for run in (function, eager):
        (run(first).square().mean() + run(second).square().mean()).backward()
    for (name, ours), theirs in zip(model.named_parameters(), eager.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-3, atol=2e-5, msg=name)
    assert model.norm1.num_batches_tracked == 2


@pytest.mark.parametrize(("norm", "counted"), [("batch", 1), ("torch", 2)])
def test_gradient_checkpointing_counts_a_batch_as_the_layer_does(compiled, data, norm, counted):
    model = lenet(norm)
    checkpoint(accelerate(model), data.train_images[:16], use_reentrant=False).sum().backward()
    assert model.norm2.num_batches_tracked == counted


def test_frozen_parameters_get_no_gradient(compiled, data):
    model = lenet()
    model.conv1.requires_grad_(False)
    accelerate(model)(data.train_images[:16]).square().sum().backward()
    assert model.conv1.weight.grad is None and model.conv2.weight.grad.norm() > 0 and model.norm1.bias.grad is not None


# ---- NaN, and bits


def test_a_nan_shows_in_its_image_and_in_no_other(compiled, data):
    images = data.train_images[:20].clone()
    model = lenet("none")
    clean = accelerate(model)(images)
    images[13, 0, 14, 14] = float("nan")
    broken = accelerate(model)(images)
    assert broken[13].isnan().all() and torch.equal(clean[:13], broken[:13]) and torch.equal(clean[14:], broken[14:])
    assert accelerate(lenet("batch"))(images).isnan().all()


@pytest.mark.parametrize("norm", NORMS)
def test_an_explosion_shows_as_in_eager_torch(compiled, data, norm):
    finite = []
    for accelerated in (True, False):
        model = lenet(norm)
        function, optimizer = accelerate(model) if accelerated else model, torch.optim.SGD(model.parameters(), lr=1e38)
        for _ in range(3):
            optimizer.zero_grad()
            loss = F.cross_entropy(function(data.train_images[:64]), data.train_labels[:64])
            loss.backward()
            optimizer.step()
        finite.append(loss.isfinite().item())
    assert finite == [False, False]


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_no_bit_depends_on_the_number_of_threads(compiled, data, norm):
    runs = []
    for threads in (1, 2, 3, 2):
        torch.set_num_threads(threads)
        model = lenet(norm)
        runs.append(observed(model, accelerate(model), data.train_images[:203]))
    for run in runs[1:]:
        assert all(torch.equal(run[name], value) for name, value in runs[0].items())


@settings(max_examples=25, deadline=None)
@given(n=st.integers(1, 40), more=st.integers(1, 20), seed=st.integers(0, 9))
def test_without_normalization_an_image_knows_nothing_of_its_neighbours(compiled, n, more, seed):
    images = torch.rand(n + more, 1, 28, 28, generator=torch.Generator().manual_seed(seed))
    model = lenet("none")
    few, many = (observed(model, accelerate(model), part)["features"] for part in (images[:n], images))
    assert torch.equal(few, many[:n])


# ---- refusals, on any machine


class OwnConv(nn.Conv2d):
    pass


def with_layer(name, layer, norm="batch"):
    model = LeNet(norm)
    setattr(model, name, layer)
    return model


def without(name):
    model = LeNet()
    delattr(model, name)
    return model


def hooked(name, register):
    model = LeNet()
    getattr(model.get_submodule(name), register)(lambda *arguments: None)
    return model


REFUSED = [  # how the model came about -> words of the reason
    (lambda: nn.Linear(2, 2), "of the class Linear."),
    (lambda: type("Own", (LeNet,), {})(), "of the class Own."),
    (lambda: LeNet("lecture"), r"layer norm1, which is BatchNorm\(\)"),
    (lambda: with_layer("conv1", OwnConv(1, 6, 5)), "layer conv1, which is OwnConv"),
    (lambda: with_layer("conv1", nn.Conv2d(1, 6, 5, padding=2)), r"padding=\(2, 2\)"),
    (lambda: with_layer("conv2", nn.Conv2d(6, 16, 5, bias=False)), "bias=False"),
    (lambda: with_layer("sigmoid2", nn.ReLU()), r"layer sigmoid2, which is ReLU\(\)"),
    (lambda: with_layer("pool1", nn.MaxPool2d(2)), "layer pool1, which is MaxPool2d"),
    (lambda: with_layer("pool1", nn.AvgPool2d(2, divisor_override=3)), "layer pool1"),
    (lambda: with_layer("norm1", nn.BatchNorm2d(6, affine=False)), "affine=False"),
    (lambda: with_layer("norm2", nn.BatchNorm2d(16, track_running_stats=False)), "track_running_stats=False"),
    (lambda: with_layer("norm2", nn.BatchNorm2d(8)), r"BatchNorm2d\(8,"),
    (lambda: with_layer("norm1", bnlib.GhostBatchNorm(6, 2)), "layer norm1, which is GhostBatchNorm"),
    (lambda: nn.SyncBatchNorm.convert_sync_batchnorm(LeNet()), "layer norm1, which is SyncBatchNorm"),
    (lambda: without("norm1"), "this model has conv1, sigmoid1, pool1, conv2, norm2,"),
    (lambda: without("pool2"), "LeNet's own layers in their own order"),
    (lambda: hooked("sigmoid1", "register_forward_hook"), "registered on sigmoid1;"),
    (lambda: hooked("norm2", "register_forward_pre_hook"), "registered on norm2;"),
    (lambda: hooked("conv2", "register_full_backward_hook"), "registered on conv2;"),
    (lambda: hooked("", "register_forward_hook"), "registered on LeNet;"),
    (lambda: LeNet().double(), "conv1 holds torch.float64 on cpu"),
    (lambda: LeNet("none").bfloat16(), "conv1 holds torch.bfloat16 on cpu"),
    (lambda: LeNet().to("meta"), "conv1 holds torch.float32 on meta"),
]


@pytest.mark.parametrize(("make", "expected"), REFUSED)
def test_what_the_loops_do_not_fit_is_refused_in_one_sentence(make, expected):
    model = make()
    reason = reason_against(model)
    assert re.search(expected, reason) and reason.endswith(".")
    with pytest.raises(RuntimeError, match=expected):
        accelerate(model)
    bnlib.set_language("zh")
    assert reason_against(model).startswith(("C++循环", *FUSED, "LeNet")) and reason_against(model).endswith("。")


COMPILERS = {  # what CXX says -> the reason
    "a-compiler-nobody-has -O1": r"need a C\+\+ compiler, and none was found \(looked for a-compiler-nobody-has\)",
    "false": r"could not be compiled by false \(Command .* non-zero exit status 1\.\)\.",
    f"{sys.executable} -c 'exit(\"no space left\")'": r"could not be compiled by .*python.* \(no space left\)",
    "true": "could not be built or loaded here",  # says that it compiled, and leaves nothing
}


@pytest.mark.parametrize("compiler", COMPILERS)
def test_without_a_compiler_that_works_there_is_a_reason_and_no_traceback(fresh_build, monkeypatch, compiler):
    monkeypatch.setenv("CXX", compiler)
    reason = reason_against(LeNet())
    assert re.search(COMPILERS[compiler], reason) and "\n" not in reason
    with pytest.raises(RuntimeError, match=COMPILERS[compiler]):
        accelerate(LeNet())
    assert not fresh_build.exists()


def test_a_path_without_compilers_names_those_looked_for(fresh_build, monkeypatch):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(fresh_build))
    assert "none was found (looked for c++, g++, clang++)" in reason_against(LeNet())


def test_loops_fit_what_lenet_builds(compiled):
    assert [reason_against(LeNet(norm)) for norm in NORMS] == [None] * 3
    assert reason_against(LeNet(num_classes=3).eval()) is None
    assert reason_against(hooked("flatten", "register_forward_hook")) is None  # a layer that is called as ever


# ---- after accelerate(): the model goes on where the loops do not


def test_a_hook_registered_later_is_called(compiled, data):
    model, called = lenet(), []
    function = accelerate(model)
    before = function(data.train_images[:16])
    handle = model.pool1.register_forward_hook(lambda *arguments: called.append(1))
    torch.testing.assert_close(function(data.train_images[:16]), before, rtol=1e-3, atol=1e-4)
    assert called == [1]
    handle.remove()
    function(data.train_images[:16])
    assert called == [1]


def test_what_the_loops_do_not_cover_is_left_to_the_model(compiled, data):
    model = lenet("none")
    function = accelerate(model)
    images = data.train_images[:4].clone().requires_grad_()
    function(images).sum().backward()
    assert images.grad.norm() > 0
    assert function(images[:0]).shape == (0, 10)
    with pytest.raises(ValueError, match=r"expected images \(N, 1, 28, 28\)"):
        function(data.train_images[:4, 0])
    model.double()
    assert function(images.double()).dtype == torch.float64
    with pytest.raises(RuntimeError):
        function(images)


def test_second_derivatives_are_refused_not_wrong(compiled, data):
    model = lenet()
    loss = accelerate(model)(data.train_images[:16]).square().sum()
    (grad,) = torch.autograd.grad(loss, model.conv1.weight, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()


# ---- the build and its cache


def test_the_second_process_takes_what_the_first_built(compiled, fresh_build, monkeypatch):
    assert reason_against(LeNet()) is None
    kept = {path.name: path.stat().st_mtime_ns for path in fresh_build.iterdir()}
    assert len(kept) == 2 and all(name.endswith(".so") for name in kept)
    build.libraries.cache_clear()
    assert reason_against(LeNet()) is None
    assert {path.name: path.stat().st_mtime_ns for path in fresh_build.iterdir()} == kept
    monkeypatch.setattr(build, "FLAGS", (*build.FLAGS, "-DANOTHER"))  # as another source, compiler or CPU would
    build.libraries.cache_clear()
    assert reason_against(LeNet()) is None and len(list(fresh_build.iterdir())) == 4


@pytest.mark.parametrize("damage", [lambda content: content[:-9], lambda content: b"", lambda content: content[::-1]])
def test_a_damaged_file_is_built_anew_and_never_loaded(compiled, fresh_build, damage):
    assert reason_against(LeNet()) is None
    whole = {path: path.read_bytes() for path in fresh_build.iterdir()}
    for path, content in whole.items():
        path.unlink()  # it is loaded: a file that is mapped must not be cut
        path.write_bytes(damage(content))
    build.libraries.cache_clear()
    assert reason_against(LeNet()) is None
    assert all(build._is_whole(path) for path in whole) and len(list(fresh_build.iterdir())) == 2


def test_a_cache_that_cannot_be_written_costs_a_build_and_nothing_else(compiled, fresh_build, data):
    fresh_build.parents[1].write_text("a file where the folder should be")
    assert_as_exact_as_eager(lenet(), data.train_images[:9])


def processes(code, cache, count=1):
    environment = os.environ | {"XDG_CACHE_HOME": str(cache), "OMP_NUM_THREADS": "2"}
    root = Path(bnlib.__file__).parents[1]
    running = [subprocess.Popen([sys.executable, "-c", code], env=environment, cwd=root) for _ in range(count)]
    return [process.wait(timeout=120) for process in running]


def test_processes_that_build_at_once_do_not_meet(compiled, tmp_path):
    code = "from bnlib.training.kernels.build import libraries; len(libraries())"
    assert processes(code, tmp_path, count=2) == [0, 0]
    assert sorted(path.suffix for path in (tmp_path / "bnlib" / "kernels").iterdir()) == [".so", ".so"]


FORK = """
import os, sys, torch
from bnlib.training import LeNet
from bnlib.training.kernels import accelerate, build
def runtimes():
    return {line.split()[-1] for line in open("/proc/self/maps") if "omp" in os.path.basename(line.split()[-1])}
before = runtimes()
model, images = LeNet("none"), torch.rand(64, 1, 28, 28)
function = accelerate(model)
assert runtimes() == before, "a second OpenMP runtime was loaded"
logits = function(images)
assert build.threads() == 2 and build.parallel(), "not on the threads of torch"
if os.fork() == 0:
    torch.set_num_threads(1)  # for torch's own layers; the loops know without it
    os._exit(0 if torch.equal(function(images), logits) and torch.get_num_threads() == 1 else 1)
torch.set_num_threads(2)
child = os.fork()
if child == 0:
    os._exit(0 if build.threads() == 1 else 1)
assert sum(os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(2)) == 0
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc and forks: Linux only")
def test_one_openmp_runtime_and_one_thread_in_a_forked_process(compiled):
    assert processes(FORK, os.environ["XDG_CACHE_HOME"]) == [0]
