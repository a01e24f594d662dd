"""The trainer: d2l's mathematics to the last bit, the same run twice, and refusals before anything starts."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from training_data import few, lenet, part, timeless

import bnlib
from bnlib.training import TrainConfig, evaluate, fashion_mnist, progress, train
from bnlib.training.lenet import NORMS


@pytest.fixture(scope="module")
def data():
    return few()


def train_ch6_like(net, data, epochs, lr, batch_size, seed):
    """d2l's loop in plain torch: optimizer, Accumulator(3) and evaluate_accuracy_gpu, on the trainer's order."""
    optimizer, loss = torch.optim.SGD(net.parameters(), lr=lr), nn.CrossEntropyLoss()
    order, rows = torch.Generator().manual_seed(seed), []
    for _ in range(epochs):
        metric = [0.0, 0.0, 0]
        net.train()
        for batch in torch.randperm(len(data.train_labels), generator=order).split(batch_size):
            X, y = data.train_images[batch], data.train_labels[batch]
            optimizer.zero_grad()
            y_hat = net(X)
            mean = loss(y_hat, y)
            mean.backward()
            optimizer.step()
            with torch.no_grad():
                metric[0] += float(mean * X.shape[0])
                metric[1] += float((y_hat.argmax(axis=1) == y).sum())
                metric[2] += X.shape[0]
        net.eval()
        with torch.no_grad():
            hits = (net(data.test_images).argmax(axis=1) == data.test_labels).sum().item()
        rows.append((metric[0] / metric[2], metric[1] / metric[2], hits / len(data.test_labels)))
    return rows


@pytest.mark.parametrize("norm", NORMS)
def test_weights_and_numbers_are_d2ls_to_the_last_bit(norm, data):
    theirs, ours = lenet(norm), lenet(norm)
    rows = train_ch6_like(theirs, data, epochs=2, lr=0.9, batch_size=256, seed=3)
    history = train(ours, data, TrainConfig(epochs=2, lr=0.9, seed=3), device="cpu", progress=False)
    for (name, a), b in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        assert torch.equal(a, b), name
    assert [(row.loss, row.train_accuracy, row.test_accuracy) for row in history.rows] == rows


def test_the_same_seeds_give_the_same_run_and_another_seed_another(data):
    config = TrainConfig(epochs=2)
    first = train(lenet(), data, config, device="cpu")
    again = train(lenet(), data, config, device="cpu")
    other = train(lenet(), data, replace(config, seed=1), device="cpu")
    assert timeless(first) == timeless(again) != timeless(other)
    assert [row.epoch for row in first.rows] == [1, 2] and all(row.seconds > 0 for row in first.rows)
    assert (first.data, first.device, first.examples) == ("fashion-mnist-subset", "cpu", 600)


def test_torchs_global_generator_is_left_alone(data):
    model = lenet()
    before = torch.get_rng_state()
    train(model, data, TrainConfig(epochs=1))
    assert torch.equal(before, torch.get_rng_state())


def test_callback_is_told_every_step_and_epoch(data):
    moments, gradients = [], []

    def watch(moment):
        moments.append((moment.kind, moment.epoch, moment.step, moment.loss.item(), moment.row))
        gradients.append(moment.model.conv1.weight.grad.norm().item())
        assert moment.model is model and model.training and moment.loss.dim() == 0

    model = lenet()
    history = train(model, data, TrainConfig(epochs=2), callback=watch)
    kinds = [("step", 1, 1), ("step", 1, 2), ("step", 1, 3), ("epoch", 1, 3)]
    kinds += [("step", 2, 4), ("step", 2, 5), ("step", 2, 6), ("epoch", 2, 6)]
    assert [moment[:3] for moment in moments] == kinds
    assert min(gradients) > 0
    steps, row = [moment[3] for moment in moments[:3]], history.rows[0]
    assert row.loss == pytest.approx((256 * steps[0] + 256 * steps[1] + 88 * steps[2]) / 600, rel=1e-6)
    assert moments[3][3] == pytest.approx(row.loss, rel=1e-6) and moments[3][4] == row
    assert not model.training  # at the end in prediction mode, as after d2l.train_ch6


def test_it_learns(data):
    history = train(lenet(), data, TrainConfig(epochs=4, batch_size=50))
    losses = [row.loss for row in history.rows]
    assert losses == sorted(losses, reverse=True) and losses[-1] < math.log(10) - 0.5
    assert history.rows[-1].train_accuracy > 0.45


@pytest.mark.parametrize(("examples", "batch_size"), [(513, 256), (5, 1), (1, 256)])
def test_a_batch_of_one_is_refused_before_the_first_step(data, examples, batch_size):
    model, few = lenet(), part(data, examples, 10)
    before = [p.clone() for p in model.parameters()]
    with pytest.raises(ValueError, match=f"Batch size {batch_size} leaves one of the {examples} examples alone"):
        train(model, few, TrainConfig(epochs=1, batch_size=batch_size))
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), before, strict=True))
    train(lenet("none"), few, TrainConfig(epochs=1, batch_size=batch_size))  # no normalization, no objection


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("epochs", 0, "epochs is 0; expected a whole number of at least 1"),
        ("epochs", 2.0, "epochs is 2.0; expected a whole number"),
        ("epochs", "3", "epochs is '3'; expected a whole number"),
        ("batch_size", -1, "batch_size is -1; expected a whole number of at least 1"),
        ("seed", -1, "seed is -1; expected a whole number of at least 0"),
        ("seed", 2**63, "expected a whole number"),
        ("lr", 0, "lr is 0; expected a finite number above 0"),
        ("lr", -1.0, "lr is -1.0; expected a finite number above 0"),
        ("lr", math.nan, "lr is nan; expected a finite number above 0"),
        ("lr", math.inf, "lr is inf; expected a finite number above 0"),
        ("lr", "1", "lr is '1'; expected a finite number above 0"),
    ],
)
def test_numbers_out_of_range_are_refused(field, value, expected):
    with pytest.raises(ValueError, match=expected):
        TrainConfig(**{field: value})


def test_no_examples_and_a_missing_device_are_refused(data):
    with pytest.raises(ValueError, match="0 images and 0 labels; expected at least one image"):
        train(lenet(), part(data, 0, 10))
    with pytest.raises(ValueError, match='expected "auto" or one of'):
        train(lenet(), data, device="cuda:99")


def test_what_would_fail_at_the_first_scoring_is_refused_before_the_first_step(data):
    def begun(moment):
        raise AssertionError

    for norm in ("none", "lecture"):
        with pytest.raises(ValueError, match="score_every compares the running statistics"):
            train(lenet(norm), data, TrainConfig(epochs=1, score_every=2), callback=begun)
    with pytest.raises(ValueError, match="Batch size 199 leaves one of the 200 examples alone"):
        train(lenet(), data, TrainConfig(epochs=1, batch_size=199, score_every=2), callback=begun)
    for lacking in (replace(data, test_labels=data.test_labels[:5]), part(data, 600, 0)):
        with pytest.raises(ValueError, match="There are (200|0) images and (5|0) labels"):
            train(lenet(), lacking, TrainConfig(epochs=1), callback=begun)


def test_any_model_trains(data):
    linear = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    assert train(linear, data, TrainConfig(epochs=3, lr=0.1)).rows[-1].train_accuracy > 0.5
    assert evaluate(nn.Flatten(), data.test_images, data.test_labels) < 0.5  # no parameters: the images' device


def test_public_names_are_the_functions():
    assert bnlib.train is train and bnlib.fashion_mnist is fashion_mnist and bnlib.TrainConfig is TrainConfig


def test_the_bar_shows_an_epoch_while_it_runs(data, monkeypatch, capfd):
    monkeypatch.setattr(progress, "INTERVAL", 0)  # each step is drawn
    history = train(lenet(), data, TrainConfig(epochs=2), device="cpu", progress=True)
    lines = [line.strip() for line in capfd.readouterr().err.split("\r")]
    for row, before in zip(history.rows, ("", f", test {history.rows[0].test_accuracy:.3f}"), strict=True):
        whole = f"loss {row.loss:.3f}, train {row.train_accuracy:.3f}"
        assert any(line.endswith(whole + before) for line in lines)  # its last step, before it was scored
        assert any(line.endswith(f"{whole}, test {row.test_accuracy:.3f}") for line in lines)
    assert len(lines) >= 2 * 4 and history.norm == "batch"


def test_a_number_is_no_configuration(data):
    with pytest.raises(
        TypeError, match=r"config is of type int; expected a TrainConfig, such as TrainConfig\(epochs=10\)"
    ):
        train(lenet(), data, 10)
