"""The laboratory: experiments run for real on a slice of the data, recorded tables carry their provenance."""

import json
from dataclasses import replace

import pandas as pd
import pytest
import torch

import bnlib
from bnlib import lab
from bnlib.lab import figures, moving_statistics, training_speed
from bnlib.lab.parts import measure_here

MISSING = {  # columns with no value in some rows, as the experiment's own words say
    "statistics_series": [
        *("true_mean", "true_var", "recalibrated"),
        *(f"moving_{momentum:g}" for momentum in lab.provenance("statistics_series")["config"]["momenta"]),
    ],
    "small_batches": ["recalibrated", "recalibrated_loss"],
    "input_percentiles": ["test_accuracy"],
    "scale_invariance": [
        "step_angle",
        "train_accuracy",
        "test_accuracy",
        "output_change",
        "gradient_times_alpha",
        "cosine",
    ],
}


@pytest.fixture(scope="module")
def data():
    whole = bnlib.fashion_mnist(subset=True)
    return replace(
        whole,
        train_images=whole.train_images[::10],
        train_labels=whole.train_labels[::10],
        test_images=whole.test_images[::5],
        test_labels=whole.test_labels[::5],
    )


@pytest.fixture(scope="module")
def table(data):
    config = moving_statistics.Config(seeds=(0, 1), epochs=2, batch_size=128)
    return measure_here(moving_statistics, data, config)


def test_moving_statistics_has_a_row_per_seed_and_epoch(table):
    assert list(zip(table["seed"], table["epoch"], strict=True)) == [(0, 1), (0, 2), (1, 1), (1, 2)]
    assert table[["moving", "recalibrated", "batch"]].stack().between(0, 1).all()
    assert (table[[f"lag_{i}" for i in range(1, 5)]] > 0).all().all()


def test_measuring_does_not_change_the_run(data, table):
    """The same seed trained without the experiment's scoring ends with the same loss, bit for bit."""
    torch.manual_seed(1)
    model = bnlib.LeNet("batch")
    history = bnlib.train(model, data, bnlib.TrainConfig(2, 1.0, 128, 1, path="kernels"), progress=False)
    assert [row.loss for row in history.rows] == table[table["seed"] == 1]["train_loss"].to_list()


def test_training_speed_compares_the_same_training(tmp_path, monkeypatch):
    """Three contenders, each in a process of its own; accuracies are compared on the real data in the record."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(training_speed, "QUICK", replace(training_speed.QUICK, epochs=2))
    table = pd.read_csv(lab.run("training_speed", quick=True, subset=True, folder=tmp_path))
    assert list(table["contender"]) == list(training_speed.QUICK.contenders)
    assert list(table["path"]) == ["d2l", "eager", "C++ loops"]
    assert (table[["loading", "training", "epoch"]] > 0).all().all()
    assert (table["epoch"] < table["training"]).all()


def test_a_contender_that_fails_says_why(data):
    config = replace(training_speed.QUICK, contenders=("bnlib",), batch_size=-1)
    with pytest.raises(RuntimeError, match=r"(?s)^bnlib ended with status 1:.*batch_size"):
        training_speed.measure({"round": 0, "contender": "bnlib"}, data, config)


def test_the_recorded_contenders_learned_alike():
    last = lab.load("training_speed").groupby("contender")["train_accuracy"].mean()
    assert last.max() - last.min() < 0.02


def test_the_recorded_moving_averages_cost_accuracy_in_every_seed():
    means = lab.load("moving_statistics").groupby("seed")[["moving", "recalibrated"]].mean()
    assert (means["recalibrated"] - means["moving"] > 0.01).all()


def test_the_recorded_frontier_is_wider_with_normalization():
    """As chapter 01 says: rates from 0.03 to 30 instead of 0.1 to 3."""
    table = lab.load("learning_rate_frontier")
    last = table[table["epoch"] == table["epoch"].max()].groupby(["norm", "lr"])["train_accuracy"].mean()
    learned = {norm: list(last[norm][last[norm] > 0.2].index) for norm in ("none", "batch")}
    assert learned["none"] == [0.1, 0.3, 1.0, 3.0]
    assert learned["batch"] == [0.03, *learned["none"], 10.0, 30.0]


@pytest.mark.parametrize("name", lab.EXPERIMENTS)
def test_every_experiment_is_recorded_with_provenance(name):
    facts = lab.provenance(name)
    config = facts["config"]
    repeated, times = ("round", range(config["rounds"])) if "rounds" in config else ("seed", config["seeds"])
    assert facts["data"] == "fashion-mnist" and len(times) >= 3 and facts["seconds"] > 0
    assert {"torch", "python"} <= set(facts["versions"]) and facts["device"] and facts["revision"]
    assert not facts["revision"].endswith("+"), "recorded from changed files: commit first, then measure"
    table = lab.load(name)
    assert set(table[repeated]) == set(times)
    if "diverged_step" in table:
        table = table[table["diverged_step"].isna()].drop(columns="diverged_step")
    table = table.drop(columns=MISSING.get(name, []))
    assert len(table) and not table.isna().any().any()


def test_run_writes_the_table_and_its_provenance(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(moving_statistics, "QUICK", moving_statistics.Config(seeds=(3,), epochs=1, batch_size=500))
    path = lab.run("moving_statistics", quick=True, subset=True, folder=tmp_path)
    assert pd.read_csv(path)["seed"].to_list() == [3]
    facts = json.loads(path.with_suffix(".json").read_text())
    assert facts["data"] == "fashion-mnist-subset" and facts["config"]["batch_size"] == 500
    assert {p.name for p in tmp_path.iterdir()} == {"moving_statistics.csv", "moving_statistics.json", "lab_results"}
    assert list((tmp_path / "lab_results" / "parts").iterdir()) == []


def test_unknown_experiment():
    with pytest.raises(
        ValueError,
        match=f"no experiment 'warp'; expected one of: {', '.join(lab.EXPERIMENTS)}",
    ):
        lab.load("warp")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_figure_is_deterministic_and_speaks_the_language(table, language):
    before = bnlib.language.current()
    bnlib.set_language(language)
    try:
        first, second = (figures.moving_against_recalibrated(table) for _ in range(2))
    finally:
        bnlib.set_language(before)
    assert first.svg == second.svg
    assert {"en": ">test accuracy<", "zh": ">测试精度<"}[language] in first.svg
    assert len(first.description) > 40 and "DejaVu" not in first.svg


def test_the_recorded_frontier_can_be_drawn():
    """Three equal accuracies have a mean that rounds to just below the lowest."""
    figure = figures.learning_rate_frontier(lab.load("learning_rate_frontier"))
    assert "0.905" in figure.description and "0.808" in figure.description
