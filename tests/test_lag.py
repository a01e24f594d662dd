"""Widget 6, moving-average lag: its averages are those of torch's layer and the lecture's, accuracies the table's."""

import math
import random

import pytest
import torch
from torch import nn
from traitlets import TraitError

from bnlib import lab, lecture
from bnlib.learn import MovingAverageLag

TABLE = lab.load("statistics_series").query("seed == 0")  # the run that the widget shows
MOMENTA = MovingAverageLag().data["momenta"]


def unrounded(lr: float, statistic: str) -> list[float]:
    return TABLE[TABLE["lr"] == lr]["batch_mean" if statistic == "mean" else "batch_var"].to_list()


def batches(widget) -> list[torch.Tensor]:
    """Batches of two values with the means and unbiased variances that the widget holds."""
    run = widget.data["runs"][widget.data["lrs"].index(widget.lr)]
    pairs = zip(run["mean"]["batch"], run["variance"]["batch"], strict=True)
    half = [(mean * 1e-3, math.sqrt(variance * 1e-4 / 2)) for mean, variance in pairs]
    return [torch.tensor([[mean - off], [mean + off]]).double() for mean, off in half]


@pytest.mark.parametrize("lr", [1.0, 0.1])
@pytest.mark.parametrize("momentum", [0.001, 0.01, 0.1, 0.37, 1.0])
def test_moving_averages_are_those_of_torchs_layer(lr, momentum):
    widget = MovingAverageLag(lr=lr, momentum=momentum)
    layer = nn.BatchNorm1d(1, momentum=momentum).double()
    found = {"mean": [], "variance": []}
    for batch in batches(widget):
        layer(batch)
        found["mean"].append(layer.running_mean.item())
        found["variance"].append(layer.running_var.item())
    for statistic, expected in found.items():
        widget.statistic = statistic
        assert widget.moving == pytest.approx(expected, rel=1e-6, abs=1e-7)


def test_the_lectures_layer_has_it_with_the_weight_of_the_old_value():
    widget = MovingAverageLag(momentum=0.3)
    mean, var = torch.zeros(1, 1).double(), torch.ones(1, 1).double()
    one, zero = torch.ones(1, 1).double(), torch.zeros(1, 1).double()
    for batch in batches(widget):
        _, mean, var = lecture.batch_norm(batch, one, zero, mean, var, 1e-5, widget.old_weight)
    assert widget.moving[-1] == pytest.approx(mean.item(), rel=1e-6)
    assert widget.old_weight == pytest.approx(0.7)


@pytest.mark.parametrize("lr", [1.0, 0.1])
@pytest.mark.parametrize("statistic", ["mean", "variance"])
@pytest.mark.parametrize("momentum", MOMENTA)
def test_numbers_are_those_of_the_table(lr, statistic, momentum):
    widget, run = MovingAverageLag(lr=lr, statistic=statistic, momentum=momentum), TABLE[TABLE["lr"] == lr]
    kept, off = float(statistic == "variance"), []
    for row, batch in zip(run.itertuples(), unrounded(lr, statistic), strict=True):
        kept = (1 - momentum) * kept + momentum * batch
        assert widget.moving[row.step - 1] == pytest.approx(kept, abs=0.0006)
        if row.step > widget.data["steps"] and not math.isnan(row.true_mean):
            far = ((kept - row.true_mean) ** 2 / row.true_var, (kept / row.true_var - 1) ** 2)
            off.append(far[statistic == "variance"])
    assert widget.lag == pytest.approx(math.sqrt(sum(off) / len(off)), abs=0.003, rel=0.003)
    scored = run.dropna()
    last, later = scored.iloc[-1], scored[scored["step"] > widget.data["steps"]]
    expected = {"momentum": momentum, "moving": last[f"moving_{momentum:g}"], "recalibrated": last["recalibrated"]}
    expected["lost"] = (later["recalibrated"] - later[f"moving_{momentum:g}"]).mean()
    assert widget.accuracies == pytest.approx(expected, abs=0.0006)


@pytest.mark.parametrize(("momentum", "measured"), [(0.001, 0.01), (0.08, 0.1), (0.06, 0.05), (0.96, 1.0), (0.94, 0.9)])
def test_between_the_recorded_momenta_the_nearest_ones_accuracy_is_told(momentum, measured):
    widget = MovingAverageLag(momentum=momentum)
    assert widget.accuracies["momentum"] == measured
    assert widget.moving != MovingAverageLag(momentum=measured).moving


def test_too_small_a_momentum_lags_and_so_does_the_largest():
    lags = {momentum: MovingAverageLag(momentum=momentum).lag for momentum in MOMENTA}
    assert lags[0.01] > 3 * lags[0.1] and lags[1.0] > lags[0.5]


def test_traits_can_be_observed_and_computed_ones_not_set():
    widget, seen = MovingAverageLag(), []
    widget.observe(lambda change: seen.append(change.new), names="lag")
    widget.momentum = 0.02
    assert seen == [widget.lag]
    for name, value in (("moving", []), ("lag", 0.0), ("old_weight", 0.5), ("accuracies", {})):
        with pytest.raises(TraitError):
            setattr(widget, name, value)


WRONG = [
    ({"momentum": 0.0}, "momentum got 0.0; expected a number from 0.001 to 1"),
    ({"momentum": 1.5}, "momentum got 1.5; expected a number from 0.001 to 1"),
    ({"momentum": None}, "momentum got None; expected a number"),
    ({"lr": 0.3}, "lr got 0.3; expected one of 1.0, 0.1"),
    ({"statistic": "median"}, "statistic got 'median'; expected one of 'mean', 'variance'"),
]


@pytest.mark.parametrize(("state", "sentence"), WRONG, ids=str)
def test_wrong_values_are_refused(state, sentence):
    with pytest.raises(TraitError, match=sentence):
        MovingAverageLag(**state)


def test_the_picture_says_the_numbers():
    widget = MovingAverageLag(momentum=0.5)
    assert f"lag {widget.lag:.2f};" in widget.picture()
    assert f"cost {widget.accuracies['lost']:.3f} of accuracy" in widget.picture()


@pytest.mark.parametrize("seed", range(20))
def test_the_page_reckons_as_python_does(module_page, seed):
    draw = random.Random(seed)
    state = {"lr": draw.choice([1.0, 0.1]), "statistic": draw.choice(["mean", "variance"])}
    widget = MovingAverageLag(momentum=10 ** draw.uniform(-3, 0), **state)
    number = widget.data["lrs"].index(widget.lr)
    found = module_page("lag").evaluate(
        """([data, number, momentum, statistic]) => {
          const run = data.runs[number], at = nearest(data, momentum), far = lag(run, momentum, statistic, data);
          return [moving(run, momentum, statistic), far, data.momenta[at], losses(run, at, data)];
        }""",
        [widget.data, number, widget.momentum, widget.statistic],
    )
    assert found[0] == pytest.approx(widget.moving, rel=1e-12, abs=1e-12)
    assert found[1] == pytest.approx(widget.lag, rel=1e-9)
    assert found[2] == widget.accuracies["momentum"]
    run = TABLE[(TABLE["lr"] == widget.lr) & (TABLE["step"] > widget.data["steps"])].dropna()
    lost = (run["recalibrated"] - run[f"moving_{found[2]:g}"]).mean()
    assert found[3] == pytest.approx(lost, abs=0.0011)
