"""Widget 3, which mode am I in: its table is measured on the layers, so another layer makes another table."""

import pytest
import torch
from torch import nn
from traitlets import TraitError

from bnlib import lecture
from bnlib.learn import WhichMode
from bnlib.learn.modes import COMBINATIONS, key


def table() -> dict:
    return WhichMode().data["table"]


@pytest.mark.parametrize(("layer", "mode", "grad"), COMBINATIONS)
def test_torchs_layer_and_ours_hear_the_mode_and_the_lectures_hears_gradients(layer, mode, grad):
    trains = grad if layer == "lecture" else mode == "train"
    assert table()[key(layer, mode, grad)] == ["batch" if trains else "moving", trains]


def test_twelve_combinations_are_measured_and_nothing_around_them_is_touched():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first = table()
    assert len(first) == 12 and torch.equal(torch.get_rng_state(), before) and torch.is_grad_enabled()
    with torch.no_grad():
        assert table() == first and not torch.is_grad_enabled()


def obeys(self, X):
    """The lecture's layer, mended: it asks for the mode."""
    with torch.set_grad_enabled(self.training):
        arguments = X, self.gamma, self.beta, self.moving_mean, self.moving_var
        Y, self.moving_mean, self.moving_var = lecture.batch_norm(*arguments, eps=1e-5, momentum=0.9)
    return Y


def never_updates(self, x):
    return nn.functional.batch_norm(x, self.running_mean.clone(), self.running_var.clone(), training=self.training)


def forgets_the_variance(self, x):
    self.running_mean.lerp_(x.mean((0, 2, 3)), 0.1)
    return x - x.mean((0, 2, 3), keepdim=True)


def test_a_mended_layer_changes_the_table(monkeypatch):
    before = table()
    monkeypatch.setattr(lecture.BatchNorm, "forward", obeys)
    after = table()
    assert after["lecture train off"] == ["batch", True] and after["lecture eval on"] == ["moving", False]
    assert {name for name in before if before[name] != after[name]} == {"lecture train off", "lecture eval on"}


def test_a_broken_layer_changes_the_table(monkeypatch):
    before = table()
    monkeypatch.setattr(nn.BatchNorm2d, "forward", never_updates)
    widget = WhichMode(layer="torch")
    assert before["torch train on"] == ["batch", True]
    assert (widget.statistics, widget.changes) == ("batch", False)


def test_a_layer_that_does_neither_is_an_error(monkeypatch):
    monkeypatch.setattr(nn.BatchNorm2d, "forward", forgets_the_variance)
    with pytest.raises(RuntimeError, match="BatchNorm2d in mode train used neither"):
        WhichMode()


def test_computed_traits_follow_the_state():
    widget, seen = WhichMode(), []
    widget.observe(lambda change: seen.append((change.name, change.new)), names=["statistics", "changes"])
    widget.mode = "eval"
    assert seen == []  # the lecture's layer doesn't hear it
    widget.layer = "bnlib"
    assert seen == [("statistics", "moving"), ("changes", False)]
    for name in ("statistics", "changes"):
        with pytest.raises(TraitError):
            setattr(widget, name, getattr(widget, name))


WRONG = [
    ({"layer": "keras"}, "layer got 'keras'; expected one of 'lecture', 'torch', 'bnlib'"),
    ({"mode": "training"}, "mode got 'training'; expected one of 'train', 'eval'"),
    ({"grad": 1}, "grad got 1; expected True or False"),
]


@pytest.mark.parametrize(("state", "sentence"), WRONG, ids=str)
def test_wrong_values_are_refused(state, sentence):
    with pytest.raises(TraitError, match=sentence):
        WhichMode(**state)


def test_the_picture_is_the_whole_table():
    picture = WhichMode().picture()
    assert "lecture, eval(), gradients on: batch, updated; " in picture
    assert "torch, eval(), gradients on: moving; " in picture
    assert picture.count("<text") == 3 + 4 * 4


def test_the_page_finds_out_which_switch_a_layer_hears(module_page, monkeypatch):
    def heard(layer):
        return module_page("modes").evaluate("([table, layer]) => heard(table, {layer})", [table(), layer])

    assert [heard(layer) for layer in ("lecture", "torch", "bnlib")] == [["grad"], ["mode"], ["mode"]]
    monkeypatch.setattr(lecture.BatchNorm, "forward", obeys)
    assert heard("lecture") == ["mode"]
