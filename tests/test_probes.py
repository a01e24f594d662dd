"""Probes see what torch sees, and change nothing."""

import time
from dataclasses import replace

import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import bnlib
from bnlib.lab.networks import batch, lenet, stack
from bnlib.lab.probes import Probes
from bnlib.training import TrainConfig, train

PLAN = TrainConfig(epochs=2, lr=0.5, batch_size=64, path="eager")


@pytest.fixture(scope="module")
def data():
    whole = bnlib.fashion_mnist(subset=True)
    tensors = {name: getattr(whole, name)[::20] for name in ("train_images", "train_labels")}
    return replace(whole, **tensors, test_images=whole.test_images[:50], test_labels=whole.test_labels[:50])


def trained(data, make, probed, every=1):
    torch.manual_seed(0)
    model = make()
    if not probed:
        train(model, data, PLAN, progress=False)
        return model, None
    with Probes(model, every) as probes:
        train(model, data, PLAN, progress=False, callback=probes)
    return model, probes


@pytest.mark.parametrize(
    "make",
    [lambda: bnlib.LeNet("batch"), lambda: bnlib.LeNet("none"), lambda: lenet(batch(), "relu", dropout=0.5)],
    ids=["batch", "none", "dropout"],
)
def test_they_change_nothing_to_the_last_bit(data, make):
    alone, _ = trained(data, make, probed=False)
    watched, probes = trained(data, make, probed=True)
    assert len(probes.rows) > 100
    for (name, a), (_, b) in zip(alone.state_dict().items(), watched.state_dict().items(), strict=True):
        assert torch.equal(a, b), name
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in watched.modules())


def test_every_number_is_the_one_that_torch_computes(data):
    """The first step, taken by hand beside the recorded one; every quantity of every kind of layer."""
    torch.manual_seed(0)
    model = stack(2, 8, batch())
    by_hand = stack(2, 8, batch())
    by_hand.load_state_dict(model.state_dict())
    one = replace(data, train_images=data.train_images[:64], train_labels=data.train_labels[:64])
    with Probes(model, quantiles=(0.5,)) as probes:
        train(model, one, TrainConfig(1, 0.5, 64, path="eager"), progress=False, callback=probes)
    got = probes.table().set_index(["step", "layer", "quantity"])["value"].loc[1]

    x = one.train_images.flatten(1)
    z = by_hand.linear1(x)
    y = by_hand.norm1(z)
    a = by_hand.sigmoid1(y)
    loss = F.cross_entropy(by_hand.linear(by_hand.sigmoid2(by_hand.norm2(by_hand.linear2(a)))), one.train_labels)
    loss.backward()
    w = by_hand.linear1.weight
    expected = {
        ("linear1", "mean"): z.mean(),
        ("linear1", "std"): z.std(correction=0),
        ("sigmoid1", "saturated"): ((a < 0.05) | (a > 0.95)).float().mean(),
        ("linear1.weight", "gradient_norm"): w.grad.norm(),
        ("linear1.weight", "update_ratio"): 0.5 * w.grad.norm() / w.norm(),
        ("norm1", "batch_mean"): z.mean(0).mean(),
        ("norm1", "batch_std"): z.std(0, correction=0).mean(),
        ("norm1", "moving_mean"): by_hand.norm1.running_mean.mean(),
        ("norm1", "moving_std"): by_hand.norm1.running_var.sqrt().mean(),
        ("norm1", "lag"): (0.9 * z.mean(0) / (z.var(0, correction=0) + 1e-5).sqrt()).square().mean().sqrt(),
        ("norm1", "gamma"): (by_hand.norm1.weight - 0.5 * by_hand.norm1.weight.grad).mean(),
        ("norm1", "beta"): -0.5 * by_hand.norm1.bias.grad.mean(),
    }
    for key, value in expected.items():
        assert got[key] == pytest.approx(value.item(), rel=1e-4, abs=1e-6), key
    assert abs(got["sigmoid1", "q0.5"] - a.median().item()) < 1e-2


def test_steps_between_are_left_out_and_predictions_are_not_steps(data):
    _, probes = trained(data, lambda: bnlib.LeNet("batch"), probed=True, every=4)
    assert list(probes.table()["step"].unique()) == [1, 5, 9]


def test_a_mean_of_zero_norm_has_no_update_ratio(data):
    _, probes = trained(data, lambda: bnlib.LeNet("batch"), probed=True)
    table = probes.table()
    biases = table[(table["layer"] == "norm1.bias") & (table["quantity"] == "update_ratio")]
    assert biases["step"].min() == 2 and not table["value"].isna().any()


def test_saturation_of_each_activation():
    kinds = {nn.Sigmoid: (-9.0, 0.0, 9.0), nn.Tanh: (-9.0, 0.0, 9.0), nn.ReLU: (-1.0, -2.0, 3.0)}
    for kind, values in kinds.items():
        model = nn.Sequential(kind())
        with Probes(model) as probes:
            model(torch.tensor(values))
        found = probes.table().set_index("quantity")["value"]
        assert found["saturated"] == pytest.approx(2 / 3), kind


def test_refusals(data):
    with pytest.raises(ValueError, match="every >= 1"):
        Probes(nn.Linear(1, 1), every=0)
    model = bnlib.LeNet("batch")
    other = Probes(bnlib.LeNet("batch"))
    with other, pytest.raises(RuntimeError, match='path="eager"'):
        train(model, data, PLAN, progress=False, callback=other)


def test_they_cost_little_where_every_tenth_step_is_recorded():
    """Interleaved, medians of five rounds: at most 30 % more time, on a LeNet of the course's batches."""
    whole = bnlib.fashion_mnist(subset=True)
    took = {True: [], False: []}
    for _ in range(5):
        for probed, times in took.items():
            torch.manual_seed(0)
            model = bnlib.LeNet("batch")
            probes = Probes(model, every=10)
            start = time.perf_counter()
            if probed:
                with probes:
                    train(model, whole, TrainConfig(1, 1.0, 256, path="eager"), progress=False, callback=probes)
            else:
                train(model, whole, TrainConfig(1, 1.0, 256, path="eager"), progress=False)
            times.append(time.perf_counter() - start)
    medians = {probed: pd.Series(times).median() for probed, times in took.items()}
    assert medians[True] < 1.3 * medians[False], medians
