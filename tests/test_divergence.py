"""Divergence: stopped at its step, with the learning rate and the first layer affected, and weights that still work."""

import pickle

import pytest
import torch
from torch import nn
from training_data import few, lenet, part

from bnlib.training import DivergedError, TrainConfig, train
from bnlib.training.divergence import first_layer_affected, is_broken


@pytest.fixture(scope="module")
def data():
    return few()


def diverge(model, data, config):
    with pytest.raises(DivergedError) as caught:
        train(model, data, config, device="cpu")
    return caught.value


def test_the_sentence_names_step_rate_and_layer(data):
    error = diverge(lenet(), data, TrainConfig(lr=1e38))
    assert str(error) == (
        "The loss is nan in step 2 of epoch 1, at learning rate 1e+38: training has diverged; choose a smaller "
        "learning rate. The first layer affected is conv1."
    )
    assert (error.epoch, error.step, error.lr, error.layer) == (1, 2, 1e38, "conv1")
    assert error.history.rows == () and error.history.interrupted
    again = pickle.loads(pickle.dumps(error))  # as a worker process sends it
    assert str(again) == str(error) and again.history == error.history


def test_an_explosion_stops_too_and_the_weights_are_those_before_the_step(data):
    """Finite, but 10,000 nats per example are no training: logits of a linear model at a huge rate."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    error = diverge(model, data, TrainConfig(lr=1e4))
    assert 1e4 < error.loss < float("inf") and error.layer == "1" and error.step == 2
    torch.manual_seed(0)
    by_hand = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    optimizer = torch.optim.SGD(by_hand.parameters(), lr=1e4)
    batch = torch.randperm(600, generator=torch.Generator().manual_seed(0))[:256]
    nn.functional.cross_entropy(by_hand(data.train_images[batch]), data.train_labels[batch]).backward()
    optimizer.step()
    for ours, theirs in zip(model.parameters(), by_hand.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_in_a_later_epoch_what_was_finished_is_kept(data):
    model, poisoned = lenet(), part(data, 600, 200)

    def poison(moment):
        if (moment.kind, moment.step) == ("step", 4):  # a weight breaks in the middle of the second epoch
            with torch.no_grad():
                moment.model.conv2.weight[0, 0, 0, 0] = float("nan")

    with pytest.raises(DivergedError) as caught:
        train(model, poisoned, TrainConfig(epochs=3), device="cpu", callback=poison)
    assert (caught.value.epoch, caught.value.step) == (2, 2) and len(caught.value.history.rows) == 1


def test_the_first_layer_is_the_one_whose_output_breaks_first():
    model = lenet().train()
    images = torch.rand(4, 1, 28, 28)
    assert first_layer_affected(model, images) == ""
    with torch.no_grad():
        model.linear2.bias[0] = float("inf")
    assert first_layer_affected(model, images) == "linear2"
    with torch.no_grad():
        model.norm2.weight[0] = float("nan")
    assert first_layer_affected(model, images) == "norm2"
    assert not model.conv1._forward_hooks


def test_what_counts_as_broken():
    losses = torch.tensor([0.0, 2.3, 9_999.0, 10_001.0, float("inf"), float("nan"), -float("inf")])
    assert is_broken(losses).tolist() == [False, False, False, True, True, True, False]
