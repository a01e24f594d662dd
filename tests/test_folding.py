"""fold_batch_norm against the model it came from, torch.nn.utils.fusion and float64; and what it leaves as it is.

Every reason to keep a batch normalization has a model here, and the sentence that the report gives.
"""

import copy
import dataclasses
import pickle
import warnings

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import fusion, parametrizations, prune

from bnlib.norm.fold_weights import folded_weight_and_bias, scale_and_shift
from bnlib.norm.folding import FoldEntry, fold_batch_norm
from bnlib.norm.layers import BatchNorm1d, BatchNorm2d, BatchNorm3d
from bnlib.training import LeNet

OURS = {1: BatchNorm1d, 2: BatchNorm2d, 3: BatchNorm3d}
TORCHS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
CONVOLUTION_OPTIONS = [
    {},
    {"bias": False},
    {"groups": 2, "stride": 2},
    {"groups": 4, "out_channels": 12, "dilation": 2, "padding": 2},  # depthwise, three filters a channel
    {"padding": 1, "padding_mode": "circular"},
    {"padding": 1, "padding_mode": "reflect", "bias": False},
    {"padding": "same", "padding_mode": "replicate"},
]
TRANSPOSED_OPTIONS = [
    {},
    {"bias": False},
    {"groups": 2, "stride": 2, "output_padding": 1},
    {"groups": 4, "out_channels": 12, "dilation": 2, "padding": 1},
]
NORM_OPTIONS = [{}, {"affine": False}, {"bias": False}, {"eps": 0.3}]


def lived(model: nn.Module, dtype: torch.dtype = torch.double) -> nn.Module:
    """In prediction mode, with statistics and parameters as training leaves them: none is 0 or 1."""
    torch.manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            for tensor in (module.running_mean, module.weight, module.bias):
                if tensor is not None:
                    nn.init.normal_(tensor, 0.3)
            if module.running_var is not None:
                nn.init.uniform_(module.running_var, 0.2, 3)
    return model.to(dtype).eval()


def numbers(*shape: int, dtype: torch.dtype = torch.double) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.double, generator=torch.Generator().manual_seed(2)).to(dtype)


def assert_folded(model: nn.Module, x: torch.Tensor, pairs: dict[str, str], *example, tolerance: float = 1e-10):
    """Exactly `pairs` (batch normalization -> layer) are folded, and the output stays."""
    folded, report = fold_batch_norm(model, *example)
    assert {entry.batch_norm: entry.layer for entry in report.folded} == pairs, str(report)
    for name in pairs:
        identity = folded.get_submodule(name)
        assert type(identity) is nn.Identity and vars(identity).keys() == vars(nn.Identity()).keys()
    torch.testing.assert_close(folded(x), model(x), rtol=tolerance, atol=tolerance)
    return folded, report


def assert_kept(model: nn.Module, reason: str, *example) -> None:
    """Nothing is folded, for one reason."""
    folded, report = fold_batch_norm(model, *example)
    assert not report.folded and [reason] == [entry.reason for entry in report.kept], str(report)
    assert type(folded) is type(model)


# ---- every layer and option


@pytest.mark.parametrize("norms", [OURS, TORCHS], ids=["ours", "torch"])
@pytest.mark.parametrize("options", CONVOLUTION_OPTIONS, ids=str)
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_convolutions(dims, options, norms):
    if dims == 3 and options.get("padding_mode") == "reflect":
        options = {**options, "padding": 2}
    options = {"out_channels": 6, **options}
    for norm in NORM_OPTIONS:
        model = nn.Sequential(
            CONVOLUTIONS[dims](4, kernel_size=3, **options), norms[dims](options["out_channels"], **norm)
        )
        assert_folded(lived(model), numbers(2, 4, *(7,) * dims), {"1": "0"})


@pytest.mark.parametrize("norms", [OURS, TORCHS], ids=["ours", "torch"])
@pytest.mark.parametrize("options", TRANSPOSED_OPTIONS, ids=str)
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_transposed_convolutions(dims, options, norms):
    options = {"out_channels": 6, **options}
    for norm in NORM_OPTIONS:
        model = nn.Sequential(
            TRANSPOSED[dims](4, kernel_size=3, **options), norms[dims](options["out_channels"], **norm)
        )
        assert_folded(lived(model), numbers(2, 4, *(5,) * dims), {"1": "0"})


@pytest.mark.parametrize("norms", [OURS, TORCHS], ids=["ours", "torch"])
@pytest.mark.parametrize("bias", [True, False])
def test_linear(bias, norms):
    for norm in NORM_OPTIONS:
        model = lived(nn.Sequential(nn.Linear(5, 3, bias=bias), norms[1](3, **norm)))
        x = numbers(4, 5)
        assert_folded(model, x, {"1": "0"}, x)


class RectifiedNorm(nn.BatchNorm2d):
    """Derived from batch normalization, and more than that."""

    def forward(self, x):
        return super().forward(x).relu()


class RenamedNorm(nn.BatchNorm2d):
    """Derived, with code of its own that does the same."""

    def forward(self, x):
        return super().forward(x)


@pytest.mark.parametrize("norm", [nn.SyncBatchNorm, RenamedNorm])
def test_derived_batch_norms(norm):
    assert_folded(lived(nn.Sequential(nn.Conv2d(4, 6, 3), norm(6))), numbers(2, 4, 5, 5), {"1": "0"})


# ---- models


class Block(nn.Module):
    """A residual block: a body of two convolutions, and a shortcut of one."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(4, 4, 3, padding=1, bias=False), BatchNorm2d(4)
        self.conv2, self.bn2 = nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.shortcut = nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4))

    def forward(self, x):
        h = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(h)) + self.shortcut(x))


PAIRS = {"bn1": "conv1", "bn2": "conv2", "shortcut.1": "shortcut.0"}


def test_residual_block():
    x = numbers(2, 4, 5, 5)
    assert_folded(lived(Block()), x, PAIRS)
    assert_folded(lived(Block()), x, PAIRS, x)
    two = nn.Sequential(Block(), nn.AvgPool2d(2), Block())
    assert_folded(lived(two), x, {f"{i}.{norm}": f"{i}.{layer}" for i in (0, 2) for norm, layer in PAIRS.items()})


@pytest.mark.parametrize("norm", ["batch", "torch"])
def test_lenet(norm):
    pairs = {"norm1": "conv1", "norm2": "conv2", "norm3": "linear1", "norm4": "linear2"}
    images = numbers(3, 1, 28, 28)
    assert_folded(lived(LeNet(norm)), images, pairs, images)
    assert_folded(lived(nn.Sequential(*LeNet(norm).children())), images, {"1": "0", "5": "4", "10": "9", "13": "12"})


def test_chain_through_what_does_nothing_in_prediction():
    model = nn.Sequential(nn.Conv2d(4, 6, 3), nn.Dropout2d(0.9), nn.Identity(), BatchNorm2d(6), nn.ReLU(inplace=True))
    x = numbers(2, 4, 5, 5)
    assert_folded(lived(model), x, {"3": "0"})
    assert_folded(lived(model), x, {"3": "0"}, x)


class Flat(nn.Module):
    """A linear layer behind some way of flattening to (N, features)."""

    def __init__(self, flatten):
        super().__init__()
        self.flatten = flatten
        self.linear1, self.bn1 = nn.Linear(16, 4), nn.BatchNorm1d(4)
        self.linear2, self.bn2 = nn.Linear(4, 4), nn.BatchNorm1d(4)

    def forward(self, x):
        return self.bn2(self.linear2(torch.relu(self.bn1(self.linear1(self.flatten(x))))))


FLATTEN = [
    nn.Flatten(),
    lambda x: torch.flatten(x, 1),
    lambda x: x.flatten(1),
    lambda x: x.view(x.size(0), -1),
    lambda x: x.reshape(x.shape[0], 16),
]


@pytest.mark.parametrize("flatten", FLATTEN)
def test_linear_behind_a_flattening_needs_no_example(flatten):
    assert_folded(lived(Flat(flatten)), numbers(3, 4, 2, 2), {"bn1": "linear1", "bn2": "linear2"})


class Branching(nn.Module):
    """Code that decides on values can't be traced; what it does in one run can be seen."""

    def __init__(self):
        super().__init__()
        self.conv, self.bn, self.inner = nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), Inner()

    def forward(self, x):
        return self.inner(self.bn(self.conv(x)))


class Inner(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)

    def forward(self, x):
        return self.bn(self.conv(x)) if x.sum() > -1e9 else self.conv(x)


def test_code_that_decides_on_values_is_taken_as_a_whole():
    x = numbers(2, 4, 5, 5)
    model = lived(Branching())
    _, report = assert_folded(model, x, {"bn": "conv"})
    assert report.kept[0].batch_norm == "inner.bn" and "the code of inner can't be traced" in report.kept[0].reason
    assert_folded(model, x, {"bn": "conv", "inner.bn": "inner.conv"}, x)


class Options(nn.Module):
    """What happens to the convolution's output depends on an optional argument."""

    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)

    def forward(self, x, added=None, features=False):
        h = self.conv(x)
        if features:
            return h
        return self.bn(h) if added is None else self.bn(h) + added


class Unused(Options):
    """The same options, but none of them shows the convolution's output."""

    def forward(self, x, added=None, features=False):
        h = self.bn(self.conv(x))
        if features:
            return h
        return h.relu() if added is None else h + added


def test_every_way_to_call_the_model_is_looked_at():
    assert_kept(lived(Options()), "bn is never called (when called with added=None, features=True)")
    assert_folded(lived(Unused()), numbers(2, 4, 5, 5), {"bn": "conv"})


@pytest.mark.parametrize("shown_when_given", [True, False])
def test_an_argument_left_out_and_given(shown_when_given):
    """torch.fx alone sees the way in which an argument isn't None; the default call is the other one."""

    class Shown(Options):
        def forward(self, x, added=None):
            h = self.conv(x)
            return self.bn(h) + h if (added is not None) == shown_when_given else self.bn(h)

    way = "" if shown_when_given else " (when called with added=None)"
    assert_kept(lived(Shown()), f"the output of conv is used by the function add too{way}")


def test_reading_a_shape_is_no_use_of_the_values():
    class Reshaped(Options):
        def forward(self, x):
            h = self.conv(x)
            return self.bn(h).reshape(h.shape[0], h.size(1), -1)

    assert_folded(lived(Reshaped()), numbers(2, 4, 5, 5), {"bn": "conv"})


class ManyOptions(Options):
    def forward(self, x, a=None, b=None, c=None, d=None, e=None):
        return self.bn(self.conv(x))


def test_too_many_ways_to_call_the_model():
    reason = "the model can be called in 32 ways by its optional arguments; pass example_input to see one"
    assert_kept(lived(ManyOptions()), reason)
    x = numbers(2, 4, 5, 5)
    assert_folded(lived(ManyOptions()), x, {"bn": "conv"}, (x, None, x))


def test_a_plain_list_of_the_same_modules_is_folded_too():
    """The list holds the module itself: replaced only where it is registered, it would normalize twice."""

    class Listed(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.bn = nn.Conv2d(4, 4, 1), BatchNorm2d(4)
            self.again = self.bn
            self.steps = [self.conv, self.bn]

        def forward(self, x):
            for step in self.steps:
                x = step(x)
            return x

    folded, _ = assert_folded(lived(Listed()), numbers(2, 4, 5, 5), {"bn": "conv"})
    assert type(folded.steps[1]) is nn.Identity and folded.again is folded.bn


# ---- what must not be folded, one by one: model, reason, and the example where one is given


class Flow(nn.Module):
    """A convolution, a batch normalization and a way of the data through them."""

    def __init__(self, flow, conv=None, bn=None):
        super().__init__()
        self.conv, self.bn, self.flow = conv or nn.Conv2d(4, 4, 1), bn or BatchNorm2d(4), flow

    def forward(self, x):
        return self.flow(self, x)


def skip(m, x):
    h = m.conv(x)
    return h + m.bn(h)


def returned(m, x):
    h = m.conv(x)
    return m.bn(h), h


def put_aside(m, x):
    m.aside = m.conv(x)
    return m.bn(m.aside)


def twice_normalized(m, x):
    return m.bn(m.conv(x)) + m.bn(x)


def twice_convolved(m, x):
    return m.bn(m.conv(x)) + m.conv(x)


def weight_read(m, x):
    return m.bn(m.conv(x)) + m.conv.weight.sum()


def average_read(m, x):
    return m.bn(m.conv(x)) + m.bn.running_mean.sum()


def changed_in_place(m, x):
    h = m.conv(x)
    h.relu_()
    return m.bn(h)


IN_FLOW = [  # the flow, the reason by the code, the reason by a run
    (lambda m, x: m.bn(m.conv(x).relu()), "the method relu feeds it, no convolution or linear layer", None),
    (lambda m, x: m.bn(m.conv(x) + x), "the function add feeds it, no convolution or linear layer", None),
    (lambda m, x: m.conv(m.bn(x)), "the model's input feeds it, no convolution or linear layer", None),
    (lambda m, x: m.conv(x), "bn is never called", None),
    (skip, "the output of conv is used by the function add too", None),
    (changed_in_place, "the output of conv is used by the method relu_ too", None),
    (
        returned,
        "the output of conv is used by the model's output too",
        "the output of conv is used by the model's output or an attribute too",
    ),
    (twice_normalized, "bn is called 2 times", None),
    (twice_convolved, "conv is called 2 times", None),
    (weight_read, "code outside of conv reads its parameters or buffers", None),
    (average_read, "code outside of bn reads its parameters or buffers", None),
]


@pytest.mark.parametrize(("flow", "reason", "in_a_run"), IN_FLOW, ids=lambda v: getattr(v, "__name__", ""))
def test_the_flow_forbids(flow, reason, in_a_run):
    model = lived(Flow(flow))
    assert_kept(model, reason)
    x = numbers(2, 4, 5, 5)
    (entry,) = fold_batch_norm(model, x).report.entries
    seen = reason.replace("the method", "the function") if in_a_run is None else in_a_run
    assert entry.reason == seen
    torch.testing.assert_close(fold_batch_norm(model, x).model(x), model(x), rtol=0, atol=0)


def test_what_the_model_puts_aside_is_seen():
    x = numbers(2, 4, 5, 5)
    reason = "the output of conv is used by the model's output or an attribute too"
    assert_kept(lived(Flow(put_aside)), reason, x)
    assert_kept(lived(Flow(put_aside)), "the output of conv is used by an attribute of the model too")


def hooked(name):
    model = nn.Sequential(nn.Sequential(nn.Conv2d(4, 4, 1)), BatchNorm2d(4))
    model.get_submodule(name).register_forward_hook(lambda module, args, output: output + 1)
    return model


def shared():
    model = Flow(lambda m, x: m.bn(m.conv(x)) + m.other(x))
    model.other = nn.Conv2d(4, 4, 1, bias=False)
    model.other.weight = model.conv.weight
    return model


def legacy_weight_norm():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch deprecates it; models that use it are around
        return nn.Sequential(nn.utils.weight_norm(nn.Conv2d(4, 4, 1)), BatchNorm2d(4))


def pruned():
    model = nn.Sequential(nn.Conv2d(4, 4, 1), BatchNorm2d(4))
    prune.random_unstructured(model[0], "weight", 0.5)
    return model


class ScaledConv(nn.Conv2d):
    """Derived from a convolution, and not one of its weight."""

    def forward(self, x):
        return F.conv2d(x, self.weight / self.weight.norm(), self.bias)


COMPUTED = "the weight or bias of 0 is computed from other parameters; make it permanent first"
IN_MODULES = [
    (nn.Sequential(nn.Conv2d(4, 4, 1), BatchNorm2d(4, track_running_stats=False)), "1 has no running statistics"),
    (nn.Sequential(ScaledConv(4, 4, 1), BatchNorm2d(4)), "0 is a ScaledConv with a forward pass of its own"),
    (nn.Sequential(nn.Conv2d(4, 4, 1), RectifiedNorm(4)), "1 is a RectifiedNorm, which does more in prediction"),
    (nn.Sequential(parametrizations.weight_norm(nn.Conv2d(4, 4, 1)), BatchNorm2d(4)), COMPUTED),
    (nn.Sequential(parametrizations.spectral_norm(nn.Conv2d(4, 4, 1)), BatchNorm2d(4)), COMPUTED),
    (legacy_weight_norm(), COMPUTED),
    (nn.Sequential(nn.utils.spectral_norm(nn.Conv2d(4, 4, 1)), BatchNorm2d(4)), COMPUTED),
    (pruned(), COMPUTED),
    (hooked("0.0"), "0.0 has hooks, which would see other values"),
    (hooked("0"), "0 has hooks, which would see other values"),
    (hooked("1"), "1 has hooks, which would see other values"),
    (shared(), "conv shares its parameters with another module"),
]


@pytest.mark.parametrize(("model", "reason"), IN_MODULES, ids=lambda v: v if isinstance(v, str) else "")
@pytest.mark.parametrize("run", [False, True], ids=["traced", "run"])
def test_a_module_forbids(model, reason, run):
    model = lived(model)
    x = numbers(2, 4, 5, 5)
    folded, report = fold_batch_norm(model, *[x][:run])
    (entry,) = report.entries
    assert entry.reason.startswith(reason), str(report)
    assert torch.equal(folded(x), model(x))


def test_a_hook_on_what_holds_both_forbids_nothing():
    model = nn.Sequential(nn.Sequential(nn.Conv2d(4, 4, 1), BatchNorm2d(4)))
    model[0].register_forward_hook(lambda module, args, output: output + 1)
    assert_folded(lived(model), numbers(2, 4, 5, 5), {"0.1": "0.0"})


def test_hooks_are_not_called_while_the_flow_is_read():
    model, seen = lived(nn.Sequential(nn.Sequential(nn.Conv2d(4, 4, 1), BatchNorm2d(4)))), []
    model[0].register_forward_hook(lambda module, args, output: seen.append(output))
    for example in ([], [numbers(2, 4, 5, 5)]):
        assert_folded(copy.deepcopy(model), numbers(2, 4, 5, 5), {"0.1": "0.0"}, *example)
        seen.clear()
        fold_batch_norm(model, *example)
        assert seen == []


def test_linear_over_more_axes_than_two():
    """With L = C torch accepts (N, L, C) and normalizes L: folding along C would be wrong without an error."""
    model = lived(nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4)))
    unknown = "the output of 0 may have more axes than (N, C), and its features elsewhere; pass example_input"
    assert_kept(model, unknown)
    three = "0 gives 3 axes and has its features on the last one; 1 normalizes along axis 1"
    assert_kept(model, three, numbers(2, 4, 5))
    scale, shift = scale_and_shift(model[1])
    wrong = model[0](numbers(2, 4, 5)) * scale + shift
    assert (wrong - model(numbers(2, 4, 5))).abs().max() > 0.1


def test_convolution_of_an_unbatched_input():
    """A convolution takes (C, L) too; batch normalization then takes L for the channels, if there are as many."""
    model = lived(nn.Sequential(nn.Conv1d(3, 4, 1), nn.BatchNorm1d(4)))
    assert_kept(model, "1 doesn't take the channels of 0, a Conv1d, on axis 1", numbers(3, 4))
    assert_folded(model, numbers(2, 3, 4), {"1": "0"}, numbers(2, 3, 4))


def test_dtypes_that_do_not_go_together():
    model = lived(nn.Sequential(nn.Conv2d(4, 4, 1), BatchNorm2d(4)), torch.float32)
    model[1].double()
    reason = "the dtypes of 0 (torch.float32) and 1 (torch.float64) don't go together"
    assert_kept(model, reason)


def test_channels_that_do_not_go_together():
    assert_kept(lived(nn.Sequential(nn.Conv2d(4, 4, 1), BatchNorm2d(5))), "0 makes 4 channels and 1 takes 5")


def test_numbers_that_half_precision_cannot_hold():
    model = lived(nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)), torch.float32)
    model[0].half()
    with torch.no_grad():
        model[0].weight.fill_(100)
        model[0].weight[:, 1:] = 0
        model[1].running_var.zero_()
        model[1].weight.fill_(10)
    assert_kept(model, "the folded weight or bias of 0 isn't finite in torch.float16")  # 100 * 10 / sqrt(1e-5)
    assert torch.isfinite(model(numbers(2, 4, 5, 5, dtype=torch.half) * 1e-3)).all()


def test_meta_device():
    with torch.device("meta"):
        model = nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)).eval()
    assert_kept(model, "0 is on the meta device and has no values")


@pytest.mark.parametrize("norm", [BatchNorm2d(4), nn.BatchNorm2d(4)], ids=["ours", "torch"])
def test_a_batch_norm_alone(norm):
    assert_kept(lived(norm), "it is the whole model, no layer feeds it")
    assert_kept(lived(norm), "the model's input feeds it, no convolution or linear layer", numbers(2, 4, 5, 5))


# ---- what is kept of the model


def test_the_given_model_is_unchanged():
    for example in ([], [numbers(2, 4, 5, 5)]):
        model = lived(Block())
        model.conv2.weight.requires_grad_(False)
        before, objects = copy.deepcopy(model.state_dict()), {name: id(m) for name, m in model.named_modules()}
        kinds = [type(module) for module in model.modules()]
        assert_folded(model, numbers(2, 4, 5, 5), PAIRS, *example)
        after = model.state_dict()
        assert before.keys() == after.keys() and all(torch.equal(before[key], after[key]) for key in before)
        assert objects == {name: id(m) for name, m in model.named_modules()}
        assert kinds == [type(module) for module in model.modules()] and not model.training
        assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_no_tensor_is_shared_with_the_given_model():
    model = lived(nn.Sequential(nn.Conv2d(4, 4, 1), BatchNorm2d(4), nn.Conv2d(4, 4, 1)))
    folded, _ = fold_batch_norm(model)
    theirs = {t.untyped_storage().data_ptr() for t in model.state_dict().values()}
    assert not theirs & {t.untyped_storage().data_ptr() for t in folded.state_dict().values()}


def test_modes_gradients_and_names():
    model = lived(Block())
    model.conv1.weight.requires_grad_(False)
    model.bn2.bias.requires_grad_(False)
    folded, _ = fold_batch_norm(model)
    assert not any(module.training for module in folded.modules())
    flags = {name: parameter.requires_grad for name, parameter in folded.named_parameters()}
    assert flags == {
        "conv1.weight": False,
        "conv1.bias": True,  # in place of bn1's
        "conv2.weight": True,
        "conv2.bias": False,
        "shortcut.0.weight": True,
        "shortcut.0.bias": True,
    }
    assert all(parameter.is_leaf for parameter in folded.parameters())


def test_channels_last_weights_stay_so():
    model = lived(nn.Sequential(nn.Conv2d(4, 6, 3), BatchNorm2d(6))).to(memory_format=torch.channels_last)
    folded, _ = assert_folded(model, numbers(2, 4, 5, 5), {"1": "0"})
    assert folded[0].weight.stride() == model[0].weight.stride()


def test_folding_again_changes_nothing():
    once, _ = fold_batch_norm(lived(Block()))
    again, report = fold_batch_norm(once)
    assert report.entries == () and str(report) == "nothing to fold: no batch normalization found"
    for a, b in zip(again.parameters(), once.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("norm", ["batch", "torch"])
def test_pickled_and_exported(norm, tmp_path):
    images = numbers(3, 1, 28, 28)
    folded, _ = fold_batch_norm(lived(LeNet(norm)), images)
    expected = folded(images)
    torch.testing.assert_close(pickle.loads(pickle.dumps(folded))(images), expected)
    torch.save(folded, tmp_path / "folded.pt")
    torch.testing.assert_close(torch.load(tmp_path / "folded.pt", weights_only=False)(images), expected)
    exported = torch.export.export(folded, (images,))
    torch.testing.assert_close(exported.module()(images), expected)
    assert not [node for node in exported.graph.nodes if "batch_norm" in str(node.target)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates its older exporter, and warns of the check of shapes
        torch.testing.assert_close(torch.jit.trace(folded, images)(images), expected)


# ---- numbers


def relative_error(y, truth):
    return ((y.double() - truth).abs().max() / truth.abs().max()).item()


def test_float32_is_as_near_to_the_truth_as_without_folding():
    model = lived(nn.Sequential(nn.Conv2d(16, 32, 3), BatchNorm2d(32)), torch.float32)
    x = numbers(4, 16, 9, 9, dtype=torch.float32)
    truth = copy.deepcopy(model).double()(x.double())
    folded, _ = fold_batch_norm(model)
    assert relative_error(folded(x), truth) < 5e-7
    assert relative_error(folded(x), truth) < 4 * relative_error(model(x), truth)


def test_weights_are_rounded_once():
    """W' and b' are the float64 truth rounded to float32; torch's, computed in float32, are off by some units."""
    model = lived(nn.Sequential(nn.Conv2d(16, 32, 3), nn.BatchNorm2d(32)), torch.float32)
    truth = fusion.fuse_conv_bn_eval(copy.deepcopy(model[0]).double(), copy.deepcopy(model[1]).double())
    folded, _ = fold_batch_norm(model)
    assert torch.equal(folded[0].weight, truth.weight.float()) and torch.equal(folded[0].bias, truth.bias.float())
    theirs = fusion.fuse_conv_bn_eval(model[0], model[1])
    assert not torch.equal(theirs.weight, truth.weight.float())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("statistics", ["same", "float32"])
def test_half_precision_keeps_its_dtype(dtype, statistics):
    model = lived(nn.Sequential(nn.Conv2d(4, 6, 3, bias=False), nn.BatchNorm2d(6)), dtype)
    if statistics == "float32":
        model[1].float()
    x = numbers(2, 4, 5, 5, dtype=dtype)
    truth = copy.deepcopy(model).double()(x.double())
    folded, _ = fold_batch_norm(model)
    assert folded[0].weight.dtype == folded[0].bias.dtype == folded(x).dtype == dtype
    assert relative_error(folded(x), truth) < (2e-3 if dtype == torch.float16 else 2e-2)


@pytest.mark.parametrize("options", [{}, {"bias": False}, {"groups": 2}], ids=str)
@pytest.mark.parametrize("transposed", [False, True])
def test_equals_torchs_fusion_where_that_applies(transposed, options):
    kind = nn.ConvTranspose2d if transposed else nn.Conv2d
    model = lived(nn.Sequential(kind(4, 6, 3, **options), nn.BatchNorm2d(6)))
    x = numbers(2, 4, 5, 5)
    folded, _ = assert_folded(model, x, {"1": "0"})
    if transposed and "groups" in options:  # torch takes axis 1, which then has 3 of the 6 channels
        with pytest.raises(RuntimeError):
            fusion.fuse_conv_bn_eval(model[0], model[1], transpose=True)
        return
    fused = fusion.fuse_conv_bn_eval(model[0], model[1], transpose=transposed)
    torch.testing.assert_close(folded[0].weight, fused.weight, rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(folded[0].bias, fused.bias, rtol=1e-13, atol=1e-13)


def test_equals_torchs_fusion_of_linear_layers():
    model = lived(nn.Sequential(nn.Linear(5, 3), nn.BatchNorm1d(3)))
    folded, _ = fold_batch_norm(model, numbers(2, 5))
    fused = fusion.fuse_linear_bn_eval(model[0], model[1])
    torch.testing.assert_close(folded[0].weight, fused.weight, rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(folded[0].bias, fused.bias, rtol=1e-13, atol=1e-13)


@settings(deadline=None, max_examples=40)
@given(
    groups=st.integers(1, 3),
    inputs=st.integers(1, 3),
    outputs=st.integers(1, 3),
    transposed=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_law_scaling_the_weights_scales_the_channels(groups, inputs, outputs, transposed, seed):
    """layer(x; W', b') = layer(x; W, b) * scale + shift, for any scale and shift, in every group."""
    torch.manual_seed(seed)
    kind = nn.ConvTranspose1d if transposed else nn.Conv1d
    layer = kind(groups * inputs, groups * outputs, 2, groups=groups, dtype=torch.double)
    scale, shift = torch.randn(2, groups * outputs, dtype=torch.double)
    x = torch.randn(2, groups * inputs, 4, dtype=torch.double)
    expected = layer(x) * scale.view(1, -1, 1) + shift.view(1, -1, 1)
    weight, bias = folded_weight_and_bias(layer, scale, shift)
    layer.weight, layer.bias = nn.Parameter(weight), nn.Parameter(bias)
    torch.testing.assert_close(layer(x), expected, rtol=1e-11, atol=1e-11)


# ---- the report, and wrong input


def test_report_printed_and_read():
    model = nn.Sequential(nn.Conv2d(4, 4, 1), BatchNorm2d(4), nn.ReLU(), BatchNorm2d(4))
    _, report = fold_batch_norm(lived(model))
    reason = "2 (ReLU) feeds it, no convolution or linear layer"
    assert report.entries == (FoldEntry("1", "0"), FoldEntry("3", None, reason))
    assert report.folded == report.entries[:1] and report.kept == report.entries[1:]
    assert str(report) == f"batch normalizations folded: 1 of 2\n  1 folded into 0\n  3 kept: {reason}"
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.entries[0].reason = "other"


def test_layer_is_named_where_one_is_known():
    _, report = fold_batch_norm(lived(Flow(skip)))
    assert report.kept[0].layer == "conv"
    _, report = fold_batch_norm(lived(nn.Sequential(nn.ReLU(), nn.Dropout(), BatchNorm2d(4))))
    assert report.kept[0].layer is None


def partly_training():
    model = lived(Block())
    model.shortcut.train()
    return model


def scripted():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates it; such models are around
        return torch.jit.script(nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)).eval())


WRONG = [
    (nn.Sequential(BatchNorm2d(4)), RuntimeError, r"found the model itself and 1 more in training mode.*model\.eval"),
    (partly_training(), RuntimeError, r"found shortcut and 2 more in training mode"),
    (nn.Sequential(nn.LazyConv2d(4, 1), BatchNorm2d(4)).eval(), RuntimeError, r"found 0\.weight without a shape yet"),
    (nn.BatchNorm2d, TypeError, r"got type <class .*BatchNorm2d.*expected a torch\.nn\.Module"),
    (nn.Sequential(torch.compile(Block(), backend="eager")).eval(), TypeError, "found 0 compiled, a OptimizedModule"),
    (scripted(), TypeError, "found the model itself compiled, a RecursiveScriptModule"),
]


@pytest.mark.parametrize(
    ("model", "error", "sentence"), WRONG, ids=["training", "partly", "lazy", "class", "compiled", "scripted"]
)
def test_wrong_input(model, error, sentence):
    with pytest.raises(error, match=sentence):
        fold_batch_norm(model)


def test_an_example_the_model_cannot_take_raises_the_models_error():
    with pytest.raises(RuntimeError, match="channels"):
        fold_batch_norm(lived(Block()), numbers(2, 3, 5, 5))
