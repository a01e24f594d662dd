"""Every experiment: small ones run for real, the recorded and the quick one show the effect, a sample is repeated."""

import math
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pandas as pd
import pytest

import bnlib
from bnlib import lab
from bnlib.lab.parts import measure_here

SMALL = {  # what makes a full configuration take seconds
    "gradients_by_depth": {"seeds": (0,), "examples": 512},
    "shallow_network": {"seeds": (0,), "lrs": (0.1,), "epochs": 1, "examples": 512},
    "order_of_layers": {"seeds": (0,), "lrs": (0.3,), "epochs": 1, "examples": 512},
    "bias_before_normalization": {"seeds": (0,), "examples": 512},
    "scale_invariance": {"seeds": (0,), "alphas": (0.3, 3.0), "epochs": 1, "examples": 512},
    "input_percentiles": {"seeds": (0,), "epochs": 2, "examples": 600, "every": 10},
    "deep_linear": {"seeds": (0,), "steps": 3, "every": 3, "depth": 5},
    "shift_by_rate": {"seeds": (0,), "lrs": (1e-7,), "steps": 2, "every": 2},
    "noisy_normalization": {"seeds": (0,), "lrs": (0.1,), "epochs": 1, "examples": 1280},
    "loss_along_step": {"seeds": (0,), "epochs": 1, "examples": 1024, "every": 4},
    "statistics_noise": {"seeds": (0,), "sizes": (2, 8), "batches": 50, "pool": 500, "examples": 512},
    "noise_on_logits": {"seeds": (0,), "sizes": (2, 8), "draws": 20, "candidates": 100, "examples": 512},
    "variance_shift": {"seeds": (0,), "drops": (0.5,), "epochs": 1, "examples": 512, "repeats": 3},
    "statistics_lag": {"seeds": (0,), "lrs": (1.0,), "epochs": 1, "examples": 512},
    "lag_by_layer": {"seeds": (0,), "epochs": 1, "examples": 512, "test": 512},
    "statistics_series": {
        "seeds": (0,),
        "lrs": (1.0,),
        "epochs": 1,
        "examples": 512,
        "every": 1,
        "score_every": 2,
        "test": 512,
    },
    "lag_remedies": {"seeds": (0,), "epochs": 2, "examples": 512, "test": 512},
    "ghost_gap": {"seeds": (0,), "sizes": (4,), "epochs": 1, "examples": 512},
    "population_normalization": {"seeds": (0,), "epochs": 1, "examples": 160, "reference": 64},
    "dropout_grid": {"seeds": (0,), "drops": (0.5,), "epochs": 1, "examples": 512},
    "weight_decay": {"seeds": (0,), "epochs": 1, "examples": 512},
    "batch_uncertainty": {"seeds": (0,), "sizes": (32,), "draws": 2, "epochs": 1, "examples": 512},
    "small_batches": {"seeds": (0,), "sizes": (32,), "devices": 2, "epochs": 1, "examples": 256},
    "normalized_layers": {"seeds": (0,), "epochs": 1, "examples": 512},
    "gamma_and_beta": {"seeds": (0,), "epochs": 1, "examples": 512},
}
KNOWN = [name for name in SMALL if name in lab.EXPERIMENTS]
MISSING_ALLOWED = {"diverged_step", "test_accuracy", "step_angle", "train_accuracy", "output_change", "cosine"}
MISSING_ALLOWED |= {"gradient_times_alpha", "restless", "recalibrated", "recalibrated_loss"}


def mean(table: pd.DataFrame, column: str, **where) -> float:
    for name, value in where.items():
        table = table[table[name] == value]
    assert len(table), where
    return table[column].mean()


def at_end(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["epoch"] == table["epoch"].max()]


def depth(t: pd.DataFrame) -> float:
    """Orders of magnitude between the top and the bottom layer of the deep network, that BN takes away."""

    def orders(norm):
        first = t[(t["step"] == 1) & (t["network"] == "deep") & (t["norm"] == norm)]
        norms = first.groupby("layer")["gradient_norm"].mean()
        return math.log10(norms.iloc[-1] / norms.iloc[0])

    return orders("none") - abs(orders("batch")) - 2


def above_first(t: pd.DataFrame) -> pd.DataFrame:
    """Nothing below the first layer moves."""
    return t[t["layer"] > 1]


def gap(t: pd.DataFrame) -> pd.DataFrame:
    return t.assign(gap=t["test_loss"] - t["train_loss"])


def lost(t: pd.DataFrame, **where) -> float:
    """The accuracy that moving averages cost."""
    return mean(t.assign(lost=t["recalibrated"] - t["moving"]), "lost", **where)


def changed(t: pd.DataFrame, size: int) -> float:
    """How far the predictive log loss by minibatches is from the one by the population."""
    found = {method: mean(t, "log_loss", method=method, batch_size=size) for method in ("population", "minibatches")}
    return abs(found["minibatches"] - found["population"])


def noise(t: pd.DataFrame) -> float:
    """How far within 10 % of 1/√m the mean of a linear layer's batch spreads, where a convolution's is beyond it."""
    linear = t[t["layer"] == "norm3"]
    off = (linear["mean_spread"] / linear["mean_theory"] - 1).abs().max()
    convolution = t[t["layer"] == "norm1"]
    return min(0.1 - off, (convolution["mean_spread"] / convolution["mean_theory"]).min() - 2)


def company(t: pd.DataFrame) -> float:
    """The logits spread at least three times as much among 2 images as among 32, and companions decide about the class
    of the doubtful image, not of the one that the network is sure of."""
    most = t.groupby(["seed", "image", "m"])["wins"].max().reset_index()
    decided = mean(most, "wins", image="sure", m=32) - mean(most, "wins", image="doubtful", m=32)
    return min(mean(t, "std", m=2) - 3 * mean(t, "std", m=32), decided - 0.1)


def little_to_gain(t: pd.DataFrame) -> float:
    """From the good start the plain network learns, and BN gains less than five points on it."""
    plain, batch = (mean(at_end(t), "test_accuracy", norm=norm, scale=1.0, lr=0.1) for norm in ("none", "batch"))
    return min(plain - 0.7, 0.05 - (batch - plain))


# positive where the experiment shows what its page says
EFFECTS = {
    "gradients_by_depth": depth,
    "shallow_network": little_to_gain,
    "order_of_layers": lambda t: (
        min(mean(at_end(t), "test_accuracy", activation="sigmoid", lr=0.3, order=o) for o in ("before", "after"))
        - mean(at_end(t), "test_accuracy", activation="sigmoid", lr=0.3, order="without")
    ),
    "bias_before_normalization": lambda t: 1e-4 - (t["bias_gradient"] / t["weight_gradient"]).max(),
    "scale_invariance": lambda t: (
        mean(t[t["epoch"] == 1], "step_angle", alpha=0.3) - 3 * mean(t[t["epoch"] == 1], "step_angle", alpha=3.0)
    ),
    "input_percentiles": lambda t: mean(t, "moved", norm="none") - 2 * mean(t, "moved", norm="batch"),
    "deep_linear": lambda t: mean(t[t["step"] > 1], "loss", norm="none") - mean(t[t["step"] > 1], "loss", norm="batch"),
    "shift_by_rate": lambda t: min(
        mean(above_first(t), "cosine", lr=lr, norm="none") - mean(above_first(t), "cosine", lr=lr, norm="batch")
        for lr in (1e-7, 1e-6)
    ),
    "noisy_normalization": lambda t: min(
        mean(at_end(t), "train_accuracy", arm="noisy batch", lr=0.1)
        - mean(at_end(t), "train_accuracy", arm="none", lr=0.1),
        mean(t, "restless", arm="noisy batch", lr=0.1) - mean(t, "restless", arm="none", lr=0.1),
    ),
    "loss_along_step": lambda t: (
        (t["loss_high"] - t["loss_low"])[t["norm"] == "none"].median()
        - (t["loss_high"] - t["loss_low"])[t["norm"] == "batch"].median()
    ),
    "statistics_noise": noise,
    "noise_on_logits": company,
    "variance_shift": lambda t: 0.02 - (t["ratio"] / t["formula"] - 1).abs().max(),
    "statistics_lag": lambda t: lost(t, momentum=0.01) - lost(t, momentum=0.1),
    # no layer's moving averages cost as much as those of all
    "lag_by_layer": lambda t: min(t[f"stale_{layer}"].mean() for layer in (1, 2, 3, 4)) - t["moving"].mean(),
    # too small a momentum costs more than the usual one, and that one still costs something
    "statistics_series": lambda t: min(
        t["moving_0.1"].mean() - t["moving_0.01"].mean(), t["recalibrated"].mean() - t["moving_0.1"].mean()
    ),
    "lag_remedies": lambda t: lost(t, arm="none") - 2 * max(lost(t, arm="rate"), lost(t, arm="average")),
    "ghost_gap": lambda t: mean(gap(t), "gap", ghost_size=256) - mean(gap(t), "gap", ghost_size=4),
    "population_normalization": lambda t: (
        mean(gap(t), "gap", norm="population", decay=0.0) - mean(gap(t), "gap", norm="batch")
    ),
    "dropout_grid": lambda t: mean(gap(t), "gap", drop=0.0) - mean(gap(t), "gap", drop=0.5),
    "weight_decay": lambda t: min(
        mean(t, "norm", decayed="none") - mean(t, "norm", decayed="weights", decay=1e-2),
        mean(t, "gamma", decayed="none") - mean(t, "gamma", decayed="gamma and beta", decay=1e-2),
    ),
    # the noise changes the predictions more, the smaller the minibatches
    "batch_uncertainty": lambda t: changed(t, t["batch_size"].min()) - changed(t, t["batch_size"].max()),
    # two images are too few for batch normalization, even recalibrated; not for group or synchronized normalization
    "small_batches": lambda t: min(
        mean(t, "recalibrated", arm="batch", m=16) - mean(t, "recalibrated", arm="batch", m=2) - 0.1,
        mean(t, "test_accuracy", arm="group", m=2) - mean(t, "recalibrated", arm="batch", m=2),
        mean(t, "recalibrated", arm="synchronized", m=2) - mean(t, "recalibrated", arm="batch", m=2),
    ),
    # the layer on top does more than the one at the bottom, and all four do most
    "normalized_layers": lambda t: min(
        mean(t, "train_accuracy", places="fourth") - mean(t, "train_accuracy", places="first"),
        mean(t, "train_accuracy", places="all") - mean(t, "train_accuracy", places="fourth"),
    ),
    # without gamma and beta LeNet learns all the same
    "gamma_and_beta": lambda t: mean(t, "train_accuracy", activation="sigmoid", learned="neither") - 0.5,
}
# parts of recorded results that take seconds, and the column and relative error that a repetition may have: on another
# processor roundings differ, and training amplifies them
REPEATED = {
    "gradients_by_depth": ({"network": "deep", "norm": "none", "seed": 0}, "gradient_norm", 0.05),
    "bias_before_normalization": ({"dtype": "float64", "seed": 1}, "loss_with", 1e-5),
    "scale_invariance": ({"alpha": 3.0, "seed": 1}, "norm", 1e-4),
    "statistics_noise": ({"seed": 0}, "mean_spread", 0.02),
    "ghost_gap": ({"ghost_size": 256, "seed": 2}, "train_loss", 0.1),
    "shallow_network": ({"scale": 1.0, "norm": "batch", "lr": 0.1, "seed": 0}, "loss", 0.02),
    "small_batches": ({"m": 128, "arm": "ghost", "seed": 0}, "loss", 0.05),
}


@pytest.fixture(scope="module")
def data():
    return bnlib.fashion_mnist(subset=True)


@pytest.fixture(scope="module")
def whole():
    return bnlib.fashion_mnist(subset=False)


def test_every_experiment_is_tried_here():
    old = {"learning_rate_frontier", "moving_statistics", "training_speed"}  # in test_lab and test_lab_parts
    assert set(lab.EXPERIMENTS) == old | set(KNOWN)
    modules = {path.stem for path in Path(lab.__file__).parent.glob("*.py") if "\nFULL = " in path.read_text("utf-8")}
    assert set(SMALL) == set(EFFECTS) == modules - old


@pytest.mark.parametrize("name", SMALL)
def test_a_small_one_has_the_rows_it_promises(name, data):
    experiment = import_module(f"bnlib.lab.{name}")
    config = replace(experiment.FULL, **SMALL[name])
    table = measure_here(experiment, data, config)
    parts = experiment.parts(config)
    assert len(table) >= len(parts) and table["seed"].eq(0).all()
    for column in set(table) - set(parts[0]):
        assert column in experiment.measure.__doc__ or column.startswith(("lag_", "train_", "test_", "moving_")), column
    between = [column for column in table if column.startswith(("true_", "moving_"))]  # of statistics_series
    assert name == "statistics_series" or not between
    numbers = table.drop(columns=[c for c in table if c in MISSING_ALLOWED or c in between]).select_dtypes("number")
    assert numbers.map(math.isfinite).all().all()


@pytest.mark.parametrize("name", KNOWN)
def test_the_recorded_one_shows_the_effect(name):
    assert EFFECTS[name](lab.load(name)) > 0


@pytest.mark.parametrize("name", KNOWN)
def test_the_quick_one_shows_it_too(name, whole, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert EFFECTS[name](pd.read_csv(lab.run(name, quick=True))) > 0


@pytest.mark.parametrize("name", [name for name in REPEATED if name in lab.EXPERIMENTS])
def test_a_repetition_agrees_with_the_record(name, whole):
    part, column, error = REPEATED[name]
    experiment = import_module(lab.EXPERIMENTS[name])
    table = lab.load(name)
    for key, value in part.items():
        table = table[table[key] == value]
    again = pd.DataFrame(measure_in_one_thread(experiment, part, whole))
    assert len(again) == len(table) > 0
    assert again[column].to_numpy() == pytest.approx(table[column].to_numpy(), rel=error)


def measure_in_one_thread(experiment, part, data):
    from bnlib.training.threads import threads

    with threads(1):
        return experiment.measure(part, data, experiment.FULL)
