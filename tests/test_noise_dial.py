"""Widget 4, the noise dial: it shows what was recorded, beside the theory, and its traits guard themselves."""

import math

import numpy as np
import pytest
import torch
from traitlets import TraitError

from bnlib import lab
from bnlib.learn import NoiseDial
from bnlib.learn.noise_dial import IMAGES, LAYER, SEED, SIZES

SETTINGS = [(image, size) for image in IMAGES for size in SIZES]


def recorded(image: str, size: int):
    """One row for each class."""
    table = lab.load("noise_on_logits")
    chosen = (table["seed"] == SEED) & (table["image"] == image) & (table["m"] == size)
    return table[chosen].sort_values("class")


@pytest.mark.parametrize(("image", "size"), SETTINGS)
def test_logits_are_the_recorded_ones(image, size):
    widget, rows = NoiseDial(image=image, batch_size=size), recorded(image, size)
    assert rows["class"].tolist() == list(range(10))
    for trait, column, rounding in (("logit_mean", "mean", 5e-3), ("logit_std", "std", 5e-3), ("wins", "wins", 1e-6)):
        assert getattr(widget, trait) == pytest.approx(rows[column].tolist(), abs=rounding + 1e-9)
    assert widget.population == pytest.approx(rows["population"].tolist(), abs=5e-3 + 1e-9)
    assert math.fsum(widget.wins) == pytest.approx(1)


@pytest.mark.parametrize("size", SIZES)
def test_spread_is_the_recorded_one_and_near_to_the_theory(size):
    widget, table = NoiseDial(batch_size=size), lab.load("statistics_noise")
    (row,) = table[(table["layer"] == LAYER) & (table["seed"] == SEED) & (table["m"] == size)].itertuples()
    assert widget.mean_spread == pytest.approx(row.mean_spread, abs=5e-5 + 1e-9)
    assert widget.scale_spread == pytest.approx(row.std_spread, abs=5e-5 + 1e-9)
    assert widget.mean_theory == pytest.approx(row.mean_theory, rel=1e-4)
    assert widget.scale_theory == pytest.approx(row.var_theory / 2, rel=1e-3)
    assert widget.mean_spread == pytest.approx(widget.mean_theory, rel=0.02)
    assert widget.scale_spread == pytest.approx(widget.scale_theory, rel=0.15 if size < 8 else 0.05)


def test_both_tables_are_of_the_same_network():
    noise, logits = (lab.provenance(name)["config"] for name in ("statistics_noise", "noise_on_logits"))
    assert SEED in noise["seeds"] and SEED in logits["seeds"]
    assert all(noise[name] == logits[name] for name in ("examples", "lr", "sizes"))


def test_traits_follow_the_batch_size_and_can_be_observed():
    widget, seen = NoiseDial(), []
    assert widget.batch_size == 8
    widget.observe(lambda change: seen.append(change.new), names="logit_std")
    widget.batch_size = 128
    assert seen == [widget.logit_std] and max(widget.logit_std) < 0.2
    for trait in ("mean_spread", "mean_theory", "scale_spread", "scale_theory", "logit_mean", "wins", "population"):
        with pytest.raises(TraitError):
            setattr(widget, trait, getattr(widget, trait))


WRONG = [
    ({"batch_size": 3}, "batch_size got 3; expected one of 2, 4, 8"),
    ({"batch_size": "8"}, "batch_size got '8'; expected one of 2, 4, 8"),
    ({"image": "coat"}, "image got 'coat'; expected one of 'doubtful', 'middling', 'sure'"),
]


@pytest.mark.parametrize(("state", "sentence"), WRONG, ids=str)
def test_wrong_values_are_refused(state, sentence):
    with pytest.raises(TraitError, match=sentence):
        NoiseDial(**state)


@pytest.mark.parametrize("value", [np.int64(16), np.float32(16), 16.0])
def test_a_number_that_equals_a_batch_size_is_that_batch_size(value):
    widget = NoiseDial(batch_size=value)
    assert type(widget.batch_size) is int and widget.batch_size == 16
    assert widget.stored_html() == NoiseDial(batch_size=16).stored_html()


@pytest.mark.parametrize("value", [np.array([8, 4]), np.array([8]), torch.tensor(8), True, None, "8"], ids=str)
def test_what_is_no_batch_size_is_refused(value):
    with pytest.raises(TraitError, match="batch_size got .*; expected one of 2, 4, 8"):
        NoiseDial(batch_size=value)


def test_the_picture_says_the_numbers():
    widget = NoiseDial(image="sure", batch_size=256)
    assert f"{widget.mean_spread:.3f} σ (theory 0.062)" in widget.picture()
    assert "bag in 100% of the minibatches" in widget.picture()


def test_the_page_reckons_as_python_does(module_page):
    page, widget = module_page("noise_dial"), NoiseDial()
    for image, size in SETTINGS:
        widget.image, widget.batch_size = image, size
        found = page.evaluate("([data, image, m]) => measured(data, image, m)", [widget.data, image, size])
        assert found["mean"] == widget.logit_mean and found["std"] == widget.logit_std
        assert found["wins"] == widget.wins and found["population"] == widget.population
        assert (found["mean_spread"], found["scale_spread"]) == (widget.mean_spread, widget.scale_spread)
        expected = page.evaluate("([m, kurtosis]) => theory(m, kurtosis)", [size, widget.data["kurtosis"]])
        assert expected["mean"] == pytest.approx(widget.mean_theory, rel=1e-12)
        assert expected["scale"] == pytest.approx(widget.scale_theory, rel=1e-12)
