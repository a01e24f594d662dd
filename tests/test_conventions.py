"""The table of conventions against the frameworks themselves: torch, the lecture's code, Keras, ONNX and Flax."""

import importlib.util

import numpy as np
import pytest
import torch
from torch import nn

from bnlib import lecture
from bnlib.norm.conventions import (
    CONVENTIONS,
    State,
    compare,
    convert,
    convert_momentum,
    initial_state,
    predict,
    table,
    train_step,
)

SHAPES = [(8, 3), (8, 3, 4, 5)]
STEPS = 3


@pytest.fixture
def keras():
    from keras_on_torch import keras  # takes seconds, so not where tests are only collected

    return keras


def batches(shape, channel_axis):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator).movedim(1, channel_axis) * 2 + 1 for _ in range(STEPS + 1)]


def random_parameters(state):
    generator = torch.Generator().manual_seed(1)
    return state._replace(scale=torch.rand(3, generator=generator), shift=torch.randn(3, generator=generator))


class TorchLayer:
    def __init__(self, state, shape):
        self.layer = (nn.BatchNorm1d if len(shape) == 2 else nn.BatchNorm2d)(3)
        self.layer.load_state_dict(
            {"weight": state.scale, "bias": state.shift, "running_mean": state.mean, "running_var": state.var}
            | {"num_batches_tracked": torch.tensor(0)}
        )

    def __call__(self, x, training):
        return self.layer.train(training)(x).detach()

    def statistics(self):
        return self.layer.running_mean, self.layer.running_var


class LectureLayer:
    def __init__(self, state, shape):
        self.layer = lecture.BatchNorm(3, len(shape))
        with torch.no_grad():
            self.layer.gamma.copy_(state.scale.view_as(self.layer.gamma))
            self.layer.beta.copy_(state.shift.view_as(self.layer.beta))

    def __call__(self, x, training):
        with torch.set_grad_enabled(training):
            return self.layer(x).detach()

    def statistics(self):
        return self.layer.moving_mean.flatten(), self.layer.moving_var.flatten()


class KerasLayer:
    def __init__(self, state, shape, keras):
        self.layer = keras.layers.BatchNormalization()
        self.layer.build((None, *shape[2:], 3))
        self.layer.set_weights([v.numpy() for v in state])

    def __call__(self, x, training):
        return self.layer(x, training=training).detach().cpu()

    def statistics(self):
        return tuple(torch.as_tensor(np.asarray(v.value.detach().cpu())) for v in self.layer.non_trainable_variables)


class OnnxLayer:
    def __init__(self, state, shape):
        from onnx import TensorProto, helper
        from onnx.reference import ReferenceEvaluator

        names = ["X", *CONVENTIONS["ONNX"].names]
        inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in names]
        self.run = {}
        for training, outputs in ((True, ["Y", "mean", "var"]), (False, ["Y"])):
            node = helper.make_node("BatchNormalization", names, outputs, training_mode=int(training))
            results = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs]
            graph = helper.make_graph([node], "batch_norm", inputs, results)
            model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)])
            self.run[training] = ReferenceEvaluator(model)
        self.state = dict(zip(CONVENTIONS["ONNX"].names, (v.numpy() for v in state), strict=True))

    def __call__(self, x, training):
        y, *statistics = self.run[training].run(None, {"X": x.numpy(), **self.state})
        if training:
            self.state |= dict(zip(("input_mean", "input_var"), statistics, strict=True))
        return torch.as_tensor(y)

    def statistics(self):
        return torch.as_tensor(self.state["input_mean"]), torch.as_tensor(self.state["input_var"])


class FlaxLayer:
    def __init__(self, state, shape):
        from flax import linen

        scale, bias, mean, var = (v.numpy() for v in state)
        self.make = linen.BatchNorm
        self.variables = {"params": {"scale": scale, "bias": bias}, "batch_stats": {"mean": mean, "var": var}}

    def __call__(self, x, training):
        layer = self.make(use_running_average=not training)
        y, new = layer.apply(self.variables, x.numpy(), mutable=["batch_stats"])
        if training:
            self.variables = self.variables | new
        return torch.as_tensor(np.array(y))

    def statistics(self):
        return tuple(torch.as_tensor(np.array(self.variables["batch_stats"][k])) for k in ("mean", "var"))


def assert_same(name, layer, state, shape, tolerance=1e-5):
    *training, last = batches(shape, CONVENTIONS[name].channel_axis)
    for x in training:
        y, state = train_step(name, x, state)
        torch.testing.assert_close(layer(x, True), y, rtol=tolerance, atol=tolerance)
        for ours, theirs in zip((state.mean, state.var), layer.statistics(), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(layer(last, False), predict(name, last, state), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("name", "layer"), [("PyTorch", TorchLayer), ("lecture", LectureLayer), ("ONNX", OnnxLayer)])
def test_equal_to_the_framework(name, layer, shape):
    state = random_parameters(initial_state(3))
    assert_same(name, layer(state, shape), state, shape)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equal_to_keras(keras, shape):
    state = random_parameters(initial_state(3))
    assert_same("Keras", KerasLayer(state, shape, keras), state, shape)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.skipif(importlib.util.find_spec("flax") is None, reason="Flax is compared only where it is installed")
def test_equal_to_flax(shape):
    state = random_parameters(initial_state(3))
    assert_same("Flax", FlaxLayer(state, shape), state, shape)


def test_defaults_are_the_frameworks(keras):
    from onnx import defs

    layer, theirs = nn.BatchNorm2d(3), keras.layers.BatchNormalization()
    onnx = {name: a.default_value.f for name, a in defs.get_schema("BatchNormalization", 15).attributes.items()}
    defaults = {name: (row.momentum, row.eps) for name, row in CONVENTIONS.items()}
    assert defaults["PyTorch"] == (layer.momentum, layer.eps)
    assert defaults["Keras"] == (theirs.momentum, theirs.epsilon) and theirs.axis == CONVENTIONS["Keras"].channel_axis
    assert defaults["ONNX"] == pytest.approx((onnx["momentum"], onnx["epsilon"]))
    assert set(CONVENTIONS["PyTorch"].names) <= set(layer.state_dict())
    theirs.build((None, 3))
    assert list(CONVENTIONS["Keras"].names) == [v.name for v in theirs.variables]


def test_d2l_en_is_the_lecture_with_the_other_momentum():
    x, state = batches((8, 3), 1)[0], initial_state(3)
    for a, b in zip(train_step("d2l-en", x, state), train_step("lecture", x, state), strict=True):
        for u, v in zip(a if isinstance(a, State) else [a], b if isinstance(b, State) else [b], strict=True):
            torch.testing.assert_close(u, v)


@pytest.mark.parametrize("source", CONVENTIONS)
@pytest.mark.parametrize("target", CONVENTIONS)
def test_conversion_keeps_the_prediction(source, target):
    """With the source's eps, a converted layer predicts the same; and there and back is where one was."""
    rows = CONVENTIONS[source], CONVENTIONS[target]
    values = State(torch.rand(3), torch.randn(3), torch.randn(3), torch.rand(3))
    state = dict(zip(rows[0].names, values, strict=True))
    converted = convert(state, source, target)
    assert set(converted) == set(rows[1].names)
    moved = State(*(converted[name] for name in rows[1].names))
    x = torch.randn(4, 3, 5)
    ours = predict(source, x.movedim(1, rows[0].channel_axis), values).movedim(rows[0].channel_axis, 1)
    theirs = predict(target, x.movedim(1, rows[1].channel_axis), moved, rows[0].eps).movedim(rows[1].channel_axis, 1)
    assert torch.equal(ours, theirs)
    assert all(torch.equal(v, state[k]) for k, v in convert(converted, target, source).items())
    momentum = convert_momentum(rows[0].momentum, source, target)
    assert convert_momentum(momentum, target, source) == pytest.approx(rows[0].momentum)


def test_side_by_side():
    """What differs with equal momentum and eps is the variance alone: PyTorch's is larger by m / (m - 1)."""
    m, steps = 32, 100
    generator = torch.Generator().manual_seed(0)
    data = [torch.randn(m, 3, dtype=torch.double, generator=generator) for _ in range(steps)]
    for row in compare(data, data[0], matched=True):
        biased = row["name"] != "PyTorch"
        assert row["output"] < 1e-12 and row["mean"] < 1e-12
        assert (1 / 50 < row["var"] < 1 / 20) == biased and (row["prediction"] > 1e-3) == biased
    rows = {row["name"]: row for row in compare(data[:1], data[0], matched=False)}
    assert rows["Keras"]["output"] > 1e-4 > 1e-12 > rows["Flax"]["output"]  # Keras' eps is 1e-3
    assert rows["Flax"]["mean"] > 1e-3  # 0.99 of the old value instead of 0.9


def test_the_table_prints():
    rows = table()
    assert [row["name"] for row in rows] == list(CONVENTIONS) and rows[3]["eps"] == "0.001"
    assert all(isinstance(value, str) for row in rows for value in row.values())


def test_wrong_names():
    with pytest.raises(ValueError, match="no convention 'MXNet'; expected one of 'lecture', 'd2l-en'"):
        predict("MXNet", torch.zeros(2, 3), initial_state(3))
    with pytest.raises(ValueError, match=r"names \['gamma'\]; PyTorch has \['bias', 'running_mean'"):
        convert({"gamma": torch.ones(3)}, "PyTorch", "Keras")
