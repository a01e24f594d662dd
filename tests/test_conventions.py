"""The table of conventions against the frameworks themselves: torch, the lecture's code, Keras, ONNX and Flax.

Keras and ONNX have to be there. Flax may be absent: then test_facts_of_flax is skipped and says so in the last lines of
the run, and linen and nnx are missing from LAYERS.
"""

import importlib.util
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from bnlib import lecture
from bnlib.norm.conventions import (
    CONVENTIONS,
    compare,
    convert,
    convert_momentum,
    initial_state,
    predict,
    table,
    train_step,
    variance_factor,
)

C = 3
FLAX = importlib.util.find_spec("flax") is not None


def keras_layer(**options):
    from keras_on_torch import keras  # takes seconds, so not where tests are only collected

    return keras.layers.BatchNormalization(**options)


# Each layer below is the framework's own. It takes a state under the framework's names and the framework's arguments,
# is called with (x, training) in the framework's layout, and gives its state back.


class TorchLayer:
    row = CONVENTIONS["PyTorch"]

    def __init__(self, state, momentum, eps, dims):
        self.layer = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d}[dims](C, eps, momentum)
        self.layer.load_state_dict(state)

    def __call__(self, x, training):
        return self.layer.train(training)(x).detach()

    def state(self):
        return self.layer.state_dict()


class LectureLayer:
    row = CONVENTIONS["lecture"]

    def __init__(self, state, momentum, eps, dims):
        shape = (1, C, 1, 1) if dims == 4 else (1, C)
        self.values = [v.view(shape) for v in state.values()]
        self.options = eps, momentum

    def __call__(self, x, training):
        with torch.set_grad_enabled(training):
            y, *self.values[2:] = lecture.batch_norm(x, *self.values, *self.options)
        return y

    def state(self):
        return dict(zip(self.row.names, self.values, strict=True))


class KerasLayer:
    row = CONVENTIONS["Keras"]

    def __init__(self, state, momentum, eps, dims):
        self.layer = keras_layer(momentum=momentum, epsilon=eps)
        self.layer.build((None,) * (dims - 1) + (C,))
        self.layer.set_weights([v.numpy() for v in state.values()])

    def __call__(self, x, training):
        return self.layer(x, training=training).detach().cpu()

    def state(self):
        return {v.name: v.value.detach().cpu() for v in self.layer.variables}


class OnnxLayer:
    row = CONVENTIONS["ONNX"]

    def __init__(self, state, momentum, eps, dims):
        from onnx import TensorProto, helper
        from onnx.reference import ReferenceEvaluator

        names = ["X", *self.row.names]
        inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in names]
        self.run = {}
        for training, outputs in ((True, ["Y", "running_mean", "running_var"]), (False, ["Y"])):
            options = {"training_mode": int(training), "epsilon": eps, "momentum": momentum}
            node = helper.make_node("BatchNormalization", names, outputs, **options)
            results = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs]
            graph = helper.make_graph([node], "batch_norm", inputs, results)
            model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)])
            self.run[training] = ReferenceEvaluator(model)
        self.held = {name: v.numpy() for name, v in state.items()}

    def __call__(self, x, training):
        y, *statistics = self.run[training].run(None, {"X": x.numpy(), **self.held})
        self.held |= dict(zip(("input_mean", "input_var"), statistics, strict=False))  # none in prediction
        return torch.as_tensor(y)

    def state(self):
        return {name: torch.as_tensor(v) for name, v in self.held.items()}


class LinenLayer:
    row = CONVENTIONS["Flax"]

    def __init__(self, state, momentum, eps, dims):
        from flax import linen

        scale, bias, mean, var = (v.numpy() for v in state.values())
        self.layer = linen.BatchNorm(momentum=momentum, epsilon=eps)
        self.variables = {"params": {"scale": scale, "bias": bias}, "batch_stats": {"mean": mean, "var": var}}

    def __call__(self, x, training):
        options = {"use_running_average": not training, "mutable": ["batch_stats"]}
        y, new = self.layer.apply(self.variables, x.numpy(), **options)
        self.variables = self.variables | new
        return torch.as_tensor(np.array(y))

    def state(self):
        flat = self.variables["params"] | self.variables["batch_stats"]
        return {name: torch.as_tensor(np.array(v)) for name, v in flat.items()}


class NnxLayer:
    row = CONVENTIONS["Flax"]

    def __init__(self, state, momentum, eps, dims):
        from flax import nnx

        self.layer = nnx.BatchNorm(C, momentum=momentum, epsilon=eps, rngs=nnx.Rngs(0))
        for name, v in state.items():
            getattr(self.layer, name)[...] = v.numpy()

    def __call__(self, x, training):
        return torch.as_tensor(np.array(self.layer(x.numpy(), use_running_average=not training)))

    def state(self):
        return {name: torch.as_tensor(np.array(getattr(self.layer, name)[...])) for name in self.row.names}


FLAX_LAYERS = (LinenLayer, NnxLayer) if FLAX else ()
LAYERS = (LectureLayer, TorchLayer, KerasLayer, OnnxLayer, *FLAX_LAYERS)
SHAPES = [(8, C), (6, C, 7), (4, C, 2, 5)]
CASES = [(layer, shape) for layer in LAYERS for shape in SHAPES if not (layer is LectureLayer and len(shape) == 3)]
OPTIONS = [None, (0.3, 0.05), (0.0, 1e-5), (1.0, 1e-5)]  # momentum and eps, None for the framework's defaults


def random(shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 2 + 1


def random_state(row):
    scale, shift, mean, var = (random(C, seed) for seed in range(4))
    values = zip(row.names, (scale, shift, mean, var.abs() + 0.5), strict=True)
    return initial_state(row, C) | dict(values)


def assert_same(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        torch.testing.assert_close(value.view_as(theirs[name]), theirs[name], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize(("layer", "shape"), CASES, ids=lambda v: v.__name__ if isinstance(v, type) else str(v))
def test_equal_to_the_framework(layer, shape, options):
    """Outputs and the whole state, in the framework's names and layout, over batches of unequal size."""
    row = layer.row
    momentum, eps = options or (row.momentum, row.eps)
    state = random_state(row)
    theirs = layer(state, momentum, eps, len(shape))
    given = options or ()  # the defaults are left to train_step
    for step in range(4):
        x = random((shape[0] - step // 2, *shape[1:]), step).movedim(1, row.channel_axis)
        y, state = train_step(row.name, x, state, *given)
        torch.testing.assert_close(y, theirs(x, True), rtol=1e-5, atol=1e-5)
        assert_same(state, theirs.state())
        torch.testing.assert_close(predict(row, x, state, *given[1:]), theirs(x, False), rtol=1e-5, atol=1e-5)
        assert_same(state, theirs.state())


@pytest.mark.parametrize("momentum", [0.0, 0.1, 0.7, 1.0])
@pytest.mark.parametrize("shape", [(8, C), (4, C, 2, 5)], ids=str)
def test_d2l_en_is_the_lecture_with_the_other_momentum(shape, momentum):
    x, state = random(shape), random_state(CONVENTIONS["d2l-en"])
    theirs = LectureLayer(state, 1 - momentum, 1e-5, len(shape))
    y, new = train_step("d2l-en", x, state, momentum)
    torch.testing.assert_close(y, theirs(x, True))
    assert_same(new, theirs.state())


# ---- each fact in the table, asked of the framework


def test_facts_of_torch_and_the_lecture():
    layer, row = nn.BatchNorm2d(C), CONVENTIONS["PyTorch"]
    assert (row.momentum, row.eps) == (layer.momentum, layer.eps)
    assert_same(initial_state("PyTorch", C), layer.state_dict())
    notes, row = lecture.BatchNorm(C, 4), CONVENTIONS["lecture"]
    assert_same(initial_state("lecture", C), {name: getattr(notes, name).detach() for name in row.names})
    x = random((8, C, 2, 2))
    y, state = train_step("lecture", x, initial_state("lecture", C))  # the layer with its own momentum and eps
    torch.testing.assert_close(y, notes(x).detach())
    assert_same(state, {name: getattr(notes, name).detach() for name in row.names})


def test_facts_of_keras():
    layer, row = keras_layer(), CONVENTIONS["Keras"]
    assert (row.momentum, row.eps, row.channel_axis) == (layer.momentum, layer.epsilon, layer.axis)
    layer.build((None, C))
    assert_same(initial_state("Keras", C), {v.name: v.value.detach().cpu() for v in layer.variables})


def test_facts_of_onnx():
    from onnx import defs

    schema, row = defs.get_schema("BatchNormalization", 15), CONVENTIONS["ONNX"]
    assert schema.since_version == defs.get_schema("BatchNormalization").since_version == 15
    default = {name: attribute.default_value.f for name, attribute in schema.attributes.items()}
    assert (row.momentum, row.eps) == pytest.approx((default["momentum"], default["epsilon"]))
    assert schema.attributes["training_mode"].default_value.i == 0
    assert ["X", *row.names] == [i.name for i in schema.inputs]


@pytest.mark.skipif(not FLAX, reason="no Flax here, linen and nnx were not compared; they are after pip install flax")
def test_facts_of_flax():
    import jax
    from flax import linen, nnx

    row = CONVENTIONS["Flax"]
    layers = linen.BatchNorm(use_running_average=False), nnx.BatchNorm(C, rngs=nnx.Rngs(0))
    for layer in layers:
        assert (row.momentum, row.eps, row.channel_axis) == (layer.momentum, layer.epsilon, layer.axis)
    variables = layers[0].init(jax.random.key(0), np.zeros((2, C), np.float32))
    held = variables["params"] | variables["batch_stats"], {n: getattr(layers[1], n)[...] for n in row.names}
    for values in held:
        assert_same(initial_state("Flax", C), {name: torch.as_tensor(np.array(v)) for name, v in values.items()})


@pytest.mark.parametrize("layer", [KerasLayer, *FLAX_LAYERS], ids=lambda v: v.__name__)
def test_keras_and_flax_lose_the_variance_far_from_zero_and_the_rows_do_not(layer):
    """E[x²] - E[x]² in float32 at mean 1e4 and variance 1 (flax 1491, tensorflow 118701)."""
    x = torch.randn(4096, C, generator=torch.Generator().manual_seed(0)) + 1e4
    truth, state = x.double().var(0, correction=0), initial_state(layer.row, C)
    theirs = layer(state, 0.0, layer.row.eps, 2)
    theirs(x, True)
    _, ours = train_step(layer.row, x, state, 0.0)
    error, lost = ((state[layer.row.names[3]] - truth).abs().max() for state in (ours, theirs.state()))
    assert error < 1e-4 and lost > 0.1


def test_a_frozen_keras_layer_predicts():
    layer, x = keras_layer(), random((8, C))
    layer.build((None, C))
    layer.trainable = False
    y = layer(x, training=True).detach().cpu()
    torch.testing.assert_close(y, predict("Keras", x, initial_state("Keras", C)))


@pytest.mark.parametrize("layer", LAYERS, ids=lambda v: v.__name__)
def test_one_value_per_channel(layer):
    """torch refuses it, as its row does; all others return the shift and move towards a variance of 0."""
    row = layer.row
    x, state = random((1, C)), random_state(row)
    theirs = layer(state, row.momentum, row.eps, 2)
    if row.name == "PyTorch":
        with pytest.raises(ValueError, match="more than 1 value per channel"):
            theirs(x, True)
        with pytest.raises(ValueError, match="at least 2 value"):
            train_step(row, x, state)
        return
    y, new = train_step(row, x, state)
    torch.testing.assert_close(y, theirs(x, True), rtol=1e-3, atol=1e-3)  # x² - x² is not always 0 in Keras and Flax
    torch.testing.assert_close(y, state[row.names[1]].view(1, C))
    torch.testing.assert_close(new[row.names[3]], row.momentum * state[row.names[3]])
    assert_same(new, theirs.state())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    """torch with float32 parameters, Keras with its mixed policy; a sum of squares in float16 is inf at mean 300."""
    x = (random((64, C)) * 5 + 300).to(dtype)
    torch_layer = nn.BatchNorm1d(C)
    y, state = train_step("PyTorch", x, initial_state("PyTorch", C))
    torch.testing.assert_close(y, torch_layer(x).detach(), rtol=0.02, atol=2 * torch.finfo(dtype).eps)
    assert_same(state, torch_layer.state_dict())
    theirs = keras_layer(dtype=f"mixed_{str(dtype).removeprefix('torch.')}")
    y, state = train_step("Keras", x, initial_state("Keras", C))
    torch.testing.assert_close(y, theirs(x, training=True).detach().cpu(), rtol=0.02, atol=2 * torch.finfo(dtype).eps)
    held = {v.name: v.value.detach().cpu() for v in theirs.variables}
    torch.testing.assert_close(state["moving_variance"], held["moving_variance"], rtol=1e-3, atol=0)
    half = {name: v.to(dtype) for name, v in initial_state("Keras", C).items()}
    assert all(v.dtype == dtype for v in train_step("Keras", x, half)[1].values())


def test_gradients_are_torchs_and_the_state_has_no_history():
    x, layer = random((8, C)).double().requires_grad_(), nn.BatchNorm1d(C).double()
    y, state = train_step("PyTorch", x, initial_state("PyTorch", C, torch.double))
    upstream = random((8, C), 1).double()
    ours, theirs = (torch.autograd.grad(out, x, upstream)[0] for out in (y, layer(x)))
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)
    assert not any(v.requires_grad for v in state.values())


# ---- conversion


@pytest.mark.parametrize("source", CONVENTIONS)
@pytest.mark.parametrize("target", CONVENTIONS)
def test_conversion_keeps_the_prediction(source, target):
    """With the source's eps, a converted layer predicts the same; and there and back is where one was."""
    given, wanted = CONVENTIONS[source], CONVENTIONS[target]
    state, x = random_state(given), random((4, C, 5))
    converted = convert(state, source, target)
    assert tuple(converted) == wanted.names
    ours = predict(source, x.movedim(1, given.channel_axis), state).movedim(given.channel_axis, 1)
    theirs = predict(target, x.movedim(1, wanted.channel_axis), converted, given.eps).movedim(wanted.channel_axis, 1)
    assert torch.equal(ours, theirs)
    assert all(torch.equal(v, state[k]) for k, v in convert(converted, target, source).items())
    momentum = convert_momentum(given.momentum, source, target)
    assert convert_momentum(momentum, target, source) == pytest.approx(given.momentum)


@pytest.mark.parametrize("target", [c for c in LAYERS if c is not TorchLayer], ids=lambda v: v.__name__)
def test_a_trained_torch_layer_predicts_the_same_in_the_other_framework_and_back(target):
    layer, row = nn.BatchNorm2d(C), target.row
    nn.init.uniform_(layer.weight), nn.init.normal_(layer.bias)
    for step in range(5):
        layer(random((4, C, 2, 5), step))
    x = random((4, C, 2, 5), 9)
    theirs = target(convert(layer.state_dict(), "PyTorch", row), row.momentum, layer.eps, 4)
    expected = layer.eval()(x).detach()
    y = theirs(x.movedim(1, row.channel_axis), False).movedim(row.channel_axis, 1)
    torch.testing.assert_close(y, expected, rtol=1e-5, atol=1e-5)
    back = nn.BatchNorm2d(C).eval()
    back.load_state_dict(convert(theirs.state(), row, "PyTorch"))
    assert torch.equal(back(x).detach(), expected) and back.num_batches_tracked == 0


def test_converted_tensors_are_new():
    layer = nn.BatchNorm1d(C)
    converted = convert(dict(layer.state_dict(keep_vars=True)), "PyTorch", "Flax")
    layer.weight.data.fill_(7), layer.running_var.fill_(7)
    assert torch.equal(converted["scale"], torch.ones(C)) and torch.equal(converted["var"], torch.ones(C))
    assert not converted["scale"].requires_grad


LAWS = settings(deadline=None, max_examples=40)
NAMES = st.sampled_from(list(CONVENTIONS))


def train(name, sizes, old, seed):
    """Running statistics of a convention in float64 over batches of these sizes, and after each step the variance."""
    row, generator = CONVENTIONS[name], torch.Generator().manual_seed(seed)
    state, seen = initial_state(row, C, torch.double), []
    for size in sizes:
        x = torch.randn(size, C, dtype=torch.double, generator=generator) * 2 + 1  # (N, C): the same in both layouts
        _, state = train_step(row, x, state, convert_momentum(old, "lecture", row))
        seen.append(state[row.names[3]])
    return state, seen


@LAWS
@given(NAMES, NAMES, st.integers(2, 20), st.integers(1, 30), st.floats(0, 1), st.integers(0, 999))
def test_equal_batches_convert_the_running_variance_exactly(source, target, m, steps, old, seed):
    """Also while a part old**steps of the initial variance is still in the average."""
    (a, _), (b, _) = (train(name, [m] * steps, old, seed) for name in (source, target))
    converted = convert(a, source, target, values=m, initial_share=old**steps)
    for name in CONVENTIONS[target].names:
        torch.testing.assert_close(converted[name], b[name], rtol=1e-10, atol=1e-10)


@LAWS
@given(NAMES, NAMES, st.lists(st.integers(2, 20), min_size=1, max_size=12), st.floats(0, 1), st.integers(0, 999))
def test_unequal_batches_convert_step_by_step(source, target, sizes, old, seed):
    """The formula in variance_factor: U_t = a U_(t-1) + factor_t (B_t - a B_(t-1))."""
    (_, b), (_, expected) = (train(name, sizes, old, seed) for name in (source, target))
    before = u = torch.ones(C, dtype=torch.double)
    for m, now, wanted in zip(sizes, b, expected, strict=True):
        u, before = old * u + variance_factor(source, target, m) * (now - old * before), now
        torch.testing.assert_close(u, wanted, rtol=1e-10, atol=1e-10)


def test_unequal_batches_do_not_convert_afterwards():
    """Two runs end with the same biased variance and the same sizes of batches, and not with the same unbiased one."""
    ends = []
    for stretch in (1.0, 3.0):
        x = torch.tensor([[-1.0], [1.0]]).double() * stretch  # variance stretch², m = 2
        left = ((10 - 0.5 * stretch**2) / 0.5) ** 0.5  # so that the average of both is 10
        z = torch.tensor([[-1.0], [1.0]] * 5).double() * left  # m = 10
        ends.append({})
        for name in ("lecture", "PyTorch"):
            state = initial_state(name, 1, torch.double)
            for batch, old in ((x, 0.0), (z, 0.5)):
                _, state = train_step(name, batch, state, convert_momentum(old, "lecture", name))
            ends[-1][name] = state[CONVENTIONS[name].names[3]].item()
    assert ends[0]["lecture"] == pytest.approx(10) == ends[1]["lecture"]
    assert abs(ends[0]["PyTorch"] - ends[1]["PyTorch"]) > 1


# ---- side by side


def test_side_by_side():
    """What differs with equal momentum and eps is the variance alone: PyTorch's is larger by m / (m - 1)."""
    m, steps = 32, 100
    generator = torch.Generator().manual_seed(0)
    data = [torch.randn(m, C, dtype=torch.double, generator=generator) * 2 + 1 for _ in range(steps)]
    variance, a = torch.ones(C, dtype=torch.double), 0.9
    for batch in data:
        variance = a * variance + (1 - a) * batch.var(0)
    expected = ((variance - a**steps) / m).max().item()  # U - B = (U - a^T) (1 - (m - 1) / m)
    for row in compare(data, data[0], matched=True):
        assert row["output"] < 1e-12 and row["mean"] < 1e-12
        assert row["var"] == pytest.approx(0 if row["name"] == "PyTorch" else expected, abs=1e-12)
        assert (row["prediction"] > 1e-3) == (row["name"] != "PyTorch")


def test_side_by_side_with_the_defaults():
    data = random((32, C, 4)).double()
    rows = {row["name"]: row for row in compare([data], data, matched=False)}
    mean = data.mean((0, 2)).abs().max().item()
    for name, weight in (("lecture", 0.1), ("d2l-en", 0.1), ("ONNX", 0.1), ("Keras", 0.01), ("Flax", 0.01)):
        assert rows[name]["mean"] == pytest.approx((0.1 - weight) * mean, abs=1e-12)
    assert rows["Keras"]["output"] > 1e-4 > 1e-12 > rows["Flax"]["output"]  # Keras' eps is 1e-3


def test_the_table_prints():
    rows = table()
    assert [row["name"] for row in rows] == list(CONVENTIONS) and rows[3]["eps"] == "0.001"
    assert rows[2]["names"] == "weight bias running_mean running_var" and rows[2]["counter"] == "num_batches_tracked"
    assert all(isinstance(value, str) for row in rows for value in row.values())


def test_a_row_of_ones_own_runs():
    """Keras' fused kernel of TensorFlow 2 kept the unbiased variance (tensorflow 55545)."""
    x, state = random((2, C)), initial_state("Keras", C)
    fused = replace(CONVENTIONS["Keras"], running_var="unbiased")
    _, new = train_step(fused, x, state, 0.0)
    torch.testing.assert_close(new["moving_variance"], x.var(0))
    assert variance_factor("Keras", fused, 2) == 2.0


STATE = initial_state("PyTorch", C)
WRONG = [
    (
        lambda: predict("MXNet", torch.zeros(2, 3), STATE),
        ValueError,
        "no convention 'MXNet'; expected one of 'lec",
    ),
    (lambda: predict("PyTorch", torch.zeros(3), STATE), ValueError, r"shape \(3,\); expected a batch axis"),
    (lambda: convert({"gamma": torch.ones(3)}, "PyTorch", "Keras"), ValueError, r"names \['gamma'\] came; PyTorch has"),
    (lambda: train_step("Keras", torch.zeros(2, 3), STATE), ValueError, "came; Keras has"),
    (lambda: train_step("PyTorch", torch.zeros(4, 2), STATE), RuntimeError, "weight should contain 2 elements"),
    (lambda: train_step("PyTorch", torch.zeros(0, 3), STATE), ValueError, r"at least 2.*shape \(0, 3\) with 0"),
    (
        lambda: predict("Keras", torch.zeros(2, 3, 5), initial_state("Keras", C)),
        RuntimeError,
        r"gamma should contain 5 elements.*channels on axis -1",
    ),
    (lambda: variance_factor("Keras", "PyTorch", 1), ValueError, "at least 2 values per channel; got values=1"),
]


@pytest.mark.parametrize(("call", "error", "sentence"), WRONG, ids=lambda v: v if isinstance(v, str) else "")
def test_wrong_input(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()
