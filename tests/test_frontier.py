"""Widget 5, learning-rate frontier: its numbers are the recorded table's, in Python and in the page."""

import json

import pandas as pd
import pytest
from traitlets import TraitError

from bnlib import lab
from bnlib.learn import LearningRateFrontier, frontier

TABLE = lab.load("learning_rate_frontier")
LRS = sorted(TABLE["lr"].unique())
STATES = [{"lr": lr, "images": images} for lr in LRS for images in ("train", "test")]


@pytest.mark.parametrize("state", STATES, ids=str)
def test_numbers_are_those_of_the_table(state):
    widget = LearningRateFrontier(**state)
    here = TABLE[TABLE["lr"] == state["lr"]]
    means = here.pivot_table(index="epoch", columns="norm", values=f"{state['images']}_accuracy")
    for arm in ("batch", "none"):
        assert widget.curves[arm] == pytest.approx(means[arm].to_list(), abs=0.0006)
        assert f"{widget.accuracy[arm]:.3f}" == f"{means[arm].iloc[-1]:.3f}"  # as the page's tables say it
        loss = here[(here["norm"] == arm) & (here["epoch"] == 10)]["loss"].mean()
        assert widget.data["loss"][arm][LRS.index(state["lr"])] == pytest.approx(loss, rel=0.005)


@pytest.mark.parametrize(("arms", "shown"), [("both", ["batch", "none"]), ("batch", ["batch"]), ("none", ["none"])])
def test_only_the_arms_asked_for_are_there(arms, shown):
    widget = LearningRateFrontier(arms=arms)
    assert list(widget.accuracy) == list(widget.curves) == shown


def test_traits_can_be_observed_and_computed_ones_not_set():
    widget, seen = LearningRateFrontier(), []
    widget.observe(lambda change: seen.append(change.new), names="accuracy")
    widget.lr = 10.0
    assert seen == [widget.accuracy] and widget.accuracy["none"] < 0.15 < 0.8 < widget.accuracy["batch"]
    with pytest.raises(TraitError):
        widget.curves = {}


WRONG = [
    ({"lr": 0.5}, r"lr got 0.5; expected one of 1.0, 0.03, 0.1, 0.3, 3.0, 10.0, 30.0, 100.0"),
    ({"lr": "1.0"}, "lr got '1.0'; expected one of 1.0"),
    ({"arms": "layer"}, "arms got 'layer'; expected one of 'both', 'batch', 'none'"),
    ({"images": None}, "images got None; expected one of 'train', 'test'"),
]


@pytest.mark.parametrize(("state", "sentence"), WRONG, ids=str)
def test_wrong_values_are_refused(state, sentence):
    with pytest.raises(TraitError, match=sentence):
        LearningRateFrontier(**state)


def test_the_picture_says_the_numbers_of_both_arms():
    picture = LearningRateFrontier().picture()
    last = TABLE[TABLE["epoch"] == 10].pivot_table(index="lr", columns="norm", values="train_accuracy")
    for arm in ("batch", "none"):
        assert f"10 → {last.loc[10.0, arm]:.3f}" in picture and f"1 → {last.loc[1.0, arm]:.3f}" in picture


@pytest.fixture
def with_diverged_runs(monkeypatch):
    """At rate 100 without BN, one run that diverged in its third epoch and one that diverged in its first."""
    table = TABLE.copy()
    here = (table["lr"] == 100) & (table["norm"] == "none")
    table = table[~(here & ((table["seed"] == 1) & (table["epoch"] > 2) | (table["seed"] == 2) & (table["epoch"] > 1)))]
    here = (table["lr"] == 100) & (table["norm"] == "none")
    table.loc[here & (table["seed"] == 1), "diverged_step"] = 500
    table.loc[here & (table["seed"] == 2), "diverged_step"] = 3
    table.loc[here & (table["seed"] == 2), ["loss", "train_accuracy", "test_accuracy"]] = float("nan")
    monkeypatch.setattr(frontier.lab, "load", lambda name: pd.DataFrame(table))


def test_runs_that_diverged_are_told_with_their_steps(with_diverged_runs, module_page):
    widget = LearningRateFrontier(lr=100.0)
    assert widget.data["diverged"]["none"][-1] == [500, 3] and widget.data["diverged"]["batch"][-1] == []
    assert [len(run) for run in widget.data["train"]["none"][-1]] == [10, 2, 0]
    assert widget.accuracy["none"] is None and widget.curves["none"] == [] and widget.accuracy["batch"] < 0.15
    assert "NaN" not in widget.stored_html() and json.dumps(widget.data, allow_nan=False)
    page = module_page("frontier")
    state = {name: getattr(widget, name) for name in ("lr", "arms", "images", "lang", "strings", "limits", "data")}
    text = page.evaluate(
        """state => {
          const place = document.body.appendChild(document.createElement("div"));
          const model = { get: (name) => state[name], set() {}, save_changes() {}, on() {}, off() {} };
          const close = widget.render({ model, el: place });
          const text = place.querySelector(".numbers").textContent;
          close();
          place.remove();
          return text;
        }""",
        state,
    )
    assert "without BN: 2 of the runs diverged, the first one at step 3" in text


@pytest.mark.parametrize("state", STATES, ids=str)
def test_the_page_reckons_as_python_does(module_page, state):
    widget = LearningRateFrontier(**state)
    found = module_page("frontier").evaluate(
        """([data, images, i]) => ["batch", "none"].map((arm) => [
          accuracy(data, images, arm, i).mean, curve(data, images, arm, i)])""",
        [widget.data, state["images"], LRS.index(state["lr"])],
    )
    for arm, (mean, curve) in zip(("batch", "none"), found, strict=True):
        assert curve == pytest.approx(widget.curves[arm], rel=1e-12)
        assert mean == pytest.approx(widget.accuracy[arm], rel=1e-12)
