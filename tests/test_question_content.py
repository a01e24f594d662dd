"""What the questions call right is so: tried on layers, or seen in the recorded tables that their sentences quote."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from bnlib import lab, lecture
from bnlib.learn.exercises import load
from bnlib.learn.exercises.questions._recorded import mean


def facts(name):
    return load(name).told


def test_group_norm_shares_as_the_question_says():
    X = torch.randn(8, 16, 5, 5, requires_grad=True)
    nn.GroupNorm(4, 16)(X)[0, 0, 0, 0].backward()
    places = {
        "other_image": (1, 0, 0, 0),
        "other_position": (0, 0, 3, 2),
        "same_group": (0, 3, 1, 1),
        "next_group": (0, 4, 0, 0),
    }
    assert {name for name, place in places.items() if X.grad[place] != 0} == load("group_members").right


def test_layer_norm_keeps_a_sign():
    x = torch.randn(5, dtype=torch.float64)
    LN = lambda x: F.layer_norm(x, (5,), eps=0.0)  # noqa: E731
    holds = {
        "shift": torch.allclose(LN(x + 3), LN(x)),
        "positive": torch.allclose(LN(2 * x), LN(x)),
        "any_factor": torch.allclose(LN(-2 * x), LN(x)),
        "negative": torch.allclose(LN(-2 * x), -LN(x)),
    }
    assert {name for name, is_so in holds.items() if not is_so} == load("negative_scale").right


def test_with_gradients_in_prediction_mode_the_lectures_layer_takes_the_batch():
    X = 5 + torch.randn(8, 3)
    found = {}
    for name, layer in {"lecture": lecture.BatchNorm(3, 2), "torch": nn.BatchNorm1d(3)}.items():
        means = layer.eval()(X).mean(0).abs()
        found[name] = "batch" if means.max() < 1e-3 else "moving"
    assert found == {"lecture": "batch", "torch": "moving"}
    assert load("eval_with_gradients").right == {"lecture_batch"}


def test_no_grad_in_training_mode_takes_the_batch_and_updates():
    X, layer = 5 + torch.randn(8, 3, 4, 4), nn.BatchNorm2d(3)
    with torch.no_grad():
        means = layer(X).mean((0, 2, 3))
    assert means.abs().max() < 1e-3 and (layer.running_mean > 0.3).all()
    assert load("no_grad_is_not_eval").right == {"batch_and_update"}


def test_accumulated_batches_are_normalized_each_by_itself():
    X, layer = 5 + torch.randn(32, 3), nn.BatchNorm1d(3)
    for part in X.split(8):
        assert layer(part).mean(0).abs().max() < 1e-3
    assert layer.num_batches_tracked == 4 and load("accumulated_batches").right == {"eight"}


def test_dropout_doubles_and_zeroes():
    """The factor that is counted out is that of torch's dropout."""
    X = torch.tensor([0.0, 2.0], dtype=torch.float64).repeat(200_000)
    torch.manual_seed(0)
    assert F.dropout(X, 0.5).var().item() == pytest.approx(load("variance_shift_factor").value(), abs=0.03)


def test_few_samples_determine_no_covariance():
    found = facts("full_covariance")
    assert found["rank"] == found["samples"] - 1 < found["features"]


def test_the_bias_is_redundant_in_the_record():
    assert facts("drop_the_bias")["ratio"] < 1e-12 and facts("drop_the_bias")["apart"] < 1e-10


def test_the_frontier_is_as_the_question_tells():
    """Both networks are best at the same rate, and there the layer gains more than any larger rate gives."""
    found = facts("frontier_factor")
    assert found["best_none"] == found["best_batch"] and found["top_batch"] > found["top_none"] + 0.05
    larger = [mean("learning_rate_frontier", "test_accuracy", norm="batch", lr=lr) for lr in (3.0, 10.0, 30.0)]
    assert max(larger) < found["top_batch"]


def test_both_places_beat_none_and_neither_always_leads():
    found = facts("before_or_after")
    for activation in ("sigmoid", "relu"):
        assert min(found[f"{activation}_before"], found[f"{activation}_after"]) > found[f"{activation}_without"] + 0.1
        assert found[f"{activation}_after"] > found[f"{activation}_before"]
    assert found["relu_before_last"] > found["relu_after_last"] and found["sigmoid_without"] < 0.11
    for lr in (0.1, 0.3):
        after, before = (
            mean("order_of_layers", "test_accuracy", activation="relu", order=order, lr=lr)
            for order in ("after", "before")
        )
        assert after > before


def test_ghosts_shrink_the_gap_and_not_the_error():
    found = facts("ghost_sizes")
    assert found["gap_small"] < 0.6 * found["gap_large"] and found["train_small"] < found["train_large"] - 0.05
    assert found["test_small"] < found["test_large"] < found["test_best"] < found["test_large"] + 0.01


def test_normalization_alone_beats_dropout_alone():
    found = facts("norm_or_dropout")
    assert found["dropped_none"] < found["undropped_none"] < found["undropped_batch"] - 0.03
    assert found["most_batch"] < found["undropped_batch"] < found["best_batch"] < found["undropped_batch"] + 0.02
    assert found["gap_most_none"] < found["gap_most_batch"] and found["most_none"] < found["dropped_none"]


def test_group_norm_is_best_on_one_device_with_two_images():
    found = facts("smallest_batches")
    alone = {arm: found[arm] for arm in ("batch", "renorm", "group", "none")}
    assert max(alone, key=alone.get) == "group" and found["synchronized"] > found["group"]
    assert found["batch"] < found["renorm"] < found["none"] and found["batch_at_8"] > found["group_at_8"] + 0.02
    assert found["recalibrated"] < found["none"]


def test_what_is_settled_was_measured():
    found = facts("settled")
    assert found["none"] < 0.11 and found["batch"] > 0.7 and found["change"] < 0.001
    assert found["noisy"] > found["plain"] + 0.05  # noise behind the layer costs little of what the layer gains


def test_the_hints_read_the_chart_rightly():
    """As hint_2 of moving_average_cost says: a little above 0.86, a little below 0.80."""
    medians = lab.load("moving_statistics").groupby("epoch")[["moving", "recalibrated"]].median()
    assert 0.79 < medians["moving"][6] < 0.80 and 0.86 < medians["recalibrated"][6] < 0.87


def test_the_higher_a_single_layer_stands_the_more_it_helps():
    found = facts("needed_where")
    alone = [found[place] for place in ("none", "first", "second", "third", "fourth", "upper_train", "all")]
    assert alone == sorted(alone) and found["fourth"] > found["third"] + 0.02 and found["none"] < 0.11
    assert found["upper_recalibrated"] > found["upper_moving"] + 0.2


def test_gamma_and_beta_hardly_count_in_this_network():
    found = facts("gamma_and_beta_fixed")
    for activation in ("sigmoid", "relu"):
        scores = [found[f"{activation}_{learned}"] for learned in ("both", "gamma", "beta", "neither")]
        assert max(scores) - min(scores) < 0.01 and scores[0] == max(scores)
