"""Accuracy in prediction, and the same weights under moving, recalibrated and batch statistics."""

from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from training_data import few, lenet

from bnlib.norm import recalibrate
from bnlib.training import TrainConfig, evaluate, score, train


@pytest.fixture(scope="module")
def data():
    return few()


def test_evaluate_counts_hits_over_uneven_batches_and_restores_modes(data):
    model = lenet("torch").train()
    model.norm1.eval()
    modes = [module.training for module in model.modules()]
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    accuracy = evaluate(model, data.test_images, data.test_labels, batch_size=33)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    logits = model.eval()(data.test_images)
    assert accuracy == (logits.argmax(1) == data.test_labels).double().mean().item()
    assert F.cross_entropy(logits, data.test_labels).requires_grad  # grad mode is back


def test_evaluate_restores_modes_if_the_model_raises_and_refuses_what_does_not_pair(data):
    model = lenet().train()
    with pytest.raises(ValueError, match="expected images"):
        evaluate(model, data.test_images.squeeze(1), data.test_labels)
    assert model.training
    with pytest.raises(ValueError, match="200 images and 5 labels"):
        evaluate(model, data.test_images, data.test_labels[:5])
    with pytest.raises(ValueError, match="0 images and 0 labels"):
        evaluate(model, data.test_images[:0], data.test_labels[:0])


def test_scores_are_those_taken_by_hand_and_change_nothing(data):
    model = lenet()
    train(model, data, TrainConfig(epochs=1, batch_size=50), device="cpu")
    model.train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    random = torch.get_rng_state()
    found = score(model, data, 50, epoch=1, step=12)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(module.training for module in model.modules()) and torch.equal(random, torch.get_rng_state())
    exact = recalibrate(deepcopy(model), data.train_images.split(50))
    with torch.no_grad():
        hits = sum((model(x).argmax(1) == y).sum() for x, y in zip(*batches(data, 50), strict=True)).item()
    model.load_state_dict(before)
    assert (found.epoch, found.step, found.batch) == (1, 12, hits / 200)
    assert found.moving == evaluate(model, data.test_images, data.test_labels)
    assert found.recalibrated == evaluate(exact, data.test_images, data.test_labels)


def batches(data, size):
    return data.test_images.split(size), data.test_labels.split(size)


def test_dropout_stays_off_while_batch_statistics_score(data):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10), nn.BatchNorm1d(10), nn.Dropout(0.5)).train()
    assert score(model, data, 100) == score(model, data, 100)


def test_a_run_scores_every_k_steps(data):
    config = TrainConfig(epochs=2, batch_size=100, score_every=4)  # 6 steps an epoch
    model = lenet()
    history = train(model, data, config, device="cpu")
    assert [(s.epoch, s.step) for s in history.scores] == [(1, 4), (2, 8), (2, 12)]
    last = history.scores[-1]
    assert last == score(model, data, 100, epoch=2, step=12)
    assert history.rows[-1].test_accuracy == last.moving
    plain = train(lenet(), data, TrainConfig(epochs=2, batch_size=100), device="cpu")
    assert [row.loss for row in plain.rows] == [row.loss for row in history.rows]  # watching changes nothing


def test_a_model_without_statistics_is_refused(data):
    with pytest.raises(ValueError, match="batch normalization"):
        score(lenet("none"), data, 100)
