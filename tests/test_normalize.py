"""Widget 1, normalize a batch: its numbers are torch's, in Python and in the page, and its traits guard themselves."""

import random

import pytest
import torch
from torch.nn import functional as F
from traitlets import TraitError

from bnlib.learn import NormalizeBatch


@pytest.mark.parametrize("samples", [[-4.0, -1.0, 0.5, 2.0, 5.0], [3.0, 3.0], [1e3, 1e3 + 1, 1e3 + 3]])
@pytest.mark.parametrize("mode", ["training", "prediction"])
def test_outputs_equal_torch(samples, mode):
    widget = NormalizeBatch(samples=samples, gamma=1.5, beta=-0.5, eps=0.1, mode=mode, moving_mean=1.0, moving_var=4.0)
    x = torch.tensor(samples, dtype=torch.double).view(-1, 1)
    moving = torch.tensor([1.0]).double(), torch.tensor([4.0]).double()
    gamma, beta = torch.tensor([1.5]).double(), torch.tensor([-0.5]).double()
    truth = F.batch_norm(x, *moving, gamma, beta, training=mode == "training", eps=0.1)
    torch.testing.assert_close(torch.tensor(widget.outputs).double().view(-1, 1), truth, rtol=1e-6, atol=1e-9)


def test_one_sample_moves_all_outputs_in_training_and_its_own_in_prediction():
    widget = NormalizeBatch()
    for mode, moved in (("training", 5), ("prediction", 1)):
        widget.mode = mode
        before = list(widget.outputs)
        widget.samples = [*widget.samples[:-1], widget.samples[-1] + 1]
        assert sum(a != b for a, b in zip(before, widget.outputs, strict=True)) == moved


def test_traits_can_be_observed():
    widget, seen = NormalizeBatch(), []
    widget.observe(lambda change: seen.append(change.new), names="outputs")
    widget.gamma = 2.0
    assert seen == [widget.outputs]
    with pytest.raises(TraitError):
        widget.outputs = [0.0]


WRONG = [
    ({"samples": []}, "samples got .*; expected 1 to 12 numbers"),
    ({"samples": [0.0] * 13}, "expected 1 to 12 numbers from -10000 to 10000"),
    ({"samples": [float("nan")]}, "expected 1 to 12 numbers"),
    ({"samples": 3.0}, "samples got 3.0; expected 1 to 12 numbers"),
    ({"eps": 0.0}, "eps got 0.0; expected a number from 1e-12 to 100"),
    ({"moving_var": -1.0}, "moving_var got -1.0; expected a number from 0 to 1e"),
    ({"gamma": float("inf")}, "gamma got inf; expected a number from -10 to 10"),
    ({"mode": "testing"}, "mode got 'testing'; expected one of 'training', 'prediction'"),
]


@pytest.mark.parametrize(("state", "sentence"), WRONG, ids=str)
def test_wrong_values_are_refused(state, sentence):
    with pytest.raises(TraitError, match=sentence):
        NormalizeBatch(**state)


def test_the_picture_says_the_numbers():
    assert "−4.00 → −1.50" in NormalizeBatch().picture()


@pytest.mark.parametrize("seed", range(20))
def test_the_page_reckons_as_python_does(module_page, seed):
    draw = random.Random(seed)
    state = {
        "samples": [draw.uniform(-10, 10) for _ in range(draw.randint(1, 12))],
        "gamma": draw.uniform(-3, 3),
        "beta": draw.uniform(-2, 2),
        "eps": 10 ** draw.uniform(-6, 1),
        "mode": draw.choice(["training", "prediction"]),
        "moving_mean": draw.uniform(-5, 5),
        "moving_var": draw.uniform(0, 9),
    }
    found = module_page("normalize").evaluate("state => outputs(state)", state)
    assert found == pytest.approx(NormalizeBatch(**state).outputs, rel=1e-12, abs=1e-12)
