"""sweep: the same bits as by hand, one row per run and epoch in the grid's order, and only what is missing is run."""

import json
import math
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from training_data import few, part

import bnlib
from bnlib.training import DivergedError, LeNet, TrainConfig, train
from bnlib.training.kernels.build import BuildError, libraries
from bnlib.training.many.grid import NAMES, Plan, expand
from bnlib.training.many.outcome import carry_out, from_json, to_json
from bnlib.training.many.results import Results, digest
from bnlib.training.many.shared import ALIGNED, TENSORS, SharedData, attach
from bnlib.training.sweep import SweepError, SweepWarning, sweep
from bnlib.training.threads import threads

PATH = "eager" if isinstance(libraries(), BuildError) else "kernels"  # what a sweep takes by itself
GRID = [
    {"norm": "none", "lr": [1000.0, 1e38], "epochs": 3},  # diverge in the second epoch and in the first
    {"norm": ["none", "batch"], "seed": [1, 2], "lr": 0.5, "batch_size": 100},
]
RUNS = [("none", 1000.0, 3, 0, 256), ("none", 1e38, 3, 0, 256)]
RUNS += [(norm, 0.5, 1, seed, 100) for norm in ("none", "batch") for seed in (1, 2)]


@pytest.fixture(scope="module")
def data():
    return few()


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """A sweep in two processes: its grid, its table and its folder."""
    folder = tmp_path_factory.mktemp("sweep") / "runs"
    grid = [GRID[0], {**GRID[1], "epochs": 1}]
    before = torch.get_rng_state()
    table = sweep(grid, data, folder=folder, workers=2, device="cpu")
    assert torch.equal(before, torch.get_rng_state())  # the caller's random numbers are left alone
    return grid, table, folder


def timeless(table):
    return table.drop(columns="seconds")


def test_every_run_is_the_same_as_by_hand_to_the_last_bit(data, whole):
    _, table, _ = whole
    expected = []
    for norm, lr, epochs, seed, batch_size in RUNS:
        torch.manual_seed(seed)
        model, config = LeNet(norm), TrainConfig(epochs, lr, batch_size, seed, path=PATH)
        with threads(1):
            try:
                history, step = train(model, data, config, device="cpu", progress=False), pd.NA
            except DivergedError as error:
                history, step = error.history, (error.epoch - 1) * 3 + error.step
        facts = (norm, lr, epochs, seed, batch_size)
        found = [(row.epoch, row.loss, row.train_accuracy, row.test_accuracy) for row in history.rows]
        for row in found or [(1, math.nan, math.nan, math.nan)]:
            expected.append((*facts, *row, history.path, "fashion-mnist-subset", step))
    names = ["norm", "lr", "epochs", "seed", "batch_size"]
    found = ["epoch", "loss", "train_accuracy", "test_accuracy", "path", "data", "diverged_step"]
    expected = pd.DataFrame(expected, columns=names + found).astype({"diverged_step": "Int64"})
    pd.testing.assert_frame_equal(timeless(table)[names + found], expected, check_exact=True)
    assert list(table) == ["norm", "lr", "epochs", "seed", "batch_size", *found[:4], "seconds", *found[4:]]


def test_a_diverged_run_keeps_its_epochs_or_has_one_row_without_numbers(whole):
    _, table, _ = whole
    assert table.diverged_step.tolist() == [5, 2, *[pd.NA] * 4]
    assert table.loss.isna().tolist() == table.test_accuracy.isna().tolist() == [False, True, *[False] * 4]
    assert table.loc[table.loss.notna(), "seconds"].min() > 0


def test_a_second_call_runs_nothing_and_gives_the_same_table(data, whole, monkeypatch):
    grid, table, folder = whole
    times = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert len(times) == 6
    monkeypatch.setattr("sys.executable", "/nowhere/python")  # no process could be started
    again = sweep(grid, data, folder=folder, device="cpu")
    pd.testing.assert_frame_equal(again, table, check_exact=True)
    assert times == {path: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_files_that_do_not_fit_are_named_and_their_runs_done_again(data, whole, tmp_path):
    grid, table, folder = whole
    runs = shutil.copytree(folder, tmp_path / "runs")
    files = sorted(runs.glob("batch*")) + sorted(runs.glob("none-lr0.5*"))
    truncated, older, other, shorter = files
    truncated.write_bytes(truncated.read_bytes()[:-40])
    change(older, lambda content: content["versions"].update(torch="1.0"))
    change(other, lambda content: content.update(data_sha256="0" * 64))
    change(shorter, lambda content: content["history"]["rows"].clear())
    with pytest.warns(SweepWarning) as caught:
        again = sweep(grid, data, folder=runs, workers=1, device="cpu")
    said = "\n".join(str(warning.message) for warning in caught)
    assert len(caught) == 3 and all(said.count(file.name) == 1 for file in files)
    assert "(damaged)" in said and f"torch 1.0, now bnlib {bnlib.__version__} torch {torch.__version__}" in said
    assert f"on the data 000000000000, now {digest(data)[:12]}" in said
    pd.testing.assert_frame_equal(timeless(again), timeless(table), check_exact=True)
    sweep(grid, data, folder=runs, device="cpu")  # and now they fit


def change(path, how):
    content = json.loads(path.read_text())
    how(content)
    path.write_text(json.dumps(content))


def test_another_grid_takes_what_it_shares_and_leaves_the_rest_alone(data, whole, tmp_path, monkeypatch):
    _, table, folder = whole
    runs = shutil.copytree(folder, tmp_path / "runs")
    (runs / "notes.txt").write_text("mine")
    before = {path: path.read_bytes() for path in runs.iterdir()}
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    grid = {"seed": np.array([2, 1]), "lr": np.float64(0.5), "batch_size": 100, "epochs": range(1, 2)}
    part = sweep(grid, data, folder=runs, device="cpu")
    assert before == {path: path.read_bytes() for path in runs.iterdir()}
    assert part.loss.tolist() == table.loss.tolist()[:-3:-1]  # the last two, turned round
    assert list(part)[:5] == ["seed", "lr", "batch_size", "epochs", "epoch"]


def test_other_data_of_the_same_name_and_size_is_other_data(data):
    turned = few()
    turned.train_images[0, 0, 0, 0] += 0.5
    assert digest(turned) != digest(data) == digest(few())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a folder that refuses even root, /proc/self")
def test_a_folder_that_cannot_be_written_is_refused_at_once(tmp_path, data, monkeypatch):
    (tmp_path / "file").write_text("a file")
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    for folder in (tmp_path / "file", "/proc/self", "/proc/self/runs"):
        with pytest.raises(OSError):
            sweep({"lr": 1.0}, data, folder=folder, device="cpu")


def test_a_disk_that_refuses_a_result_costs_no_result(data, tmp_path):
    said = []
    results = Results(tmp_path, data, torch.device("cpu"), said.append)
    plan = Plan("none", TrainConfig(epochs=1))
    (results.path(plan) / "in the way").mkdir(parents=True)  # so it can be neither read nor replaced
    assert results.find([plan]) == {}
    results.save(plan, carry_out(plan, data, "cpu", lambda examples: None))
    damaged, not_saved = said
    assert results.path(plan).name in damaged and f"cannot be written to {results.path(plan)} (" in not_saved
    assert list(tmp_path.iterdir()) == [results.path(plan)]  # no draft left


def test_an_exception_in_a_run_is_one_sentence_and_the_others_are_kept(data, tmp_path, monkeypatch):
    """Real: a run that can't be, and would be refused before anything starts, is refused by `train` in its process."""
    monkeypatch.setattr(sys.modules["bnlib.training.sweep"], "_check_all", lambda *_: None)
    _, (broken, sound) = expand({"norm": ["none", "batch"], "epochs": [1], "score_every": [2]})
    results = Results(tmp_path, data, torch.device("cpu"), pytest.fail)
    results.save(sound, carry_out(sound, data, "cpu", lambda examples: None))
    with pytest.warns(SweepWarning) as caught, pytest.raises(SweepError) as error:
        sweep([broken.settings(), sound.settings()], data, folder=tmp_path, device="cpu")
    (warning,) = caught
    assert warning.filename == __file__ and str(warning.message).count("\n") == 0
    assert re.search("run norm=none epochs=1 .* failed and is left out: ValueError: .* [(]", str(warning.message))
    assert str(error.value).startswith("1 of the runs failed and are missing from the table: norm=none epochs=1 ")
    assert error.value.table.norm.tolist() == ["batch"] and list(error.value.failures) == [broken.words(NAMES)]
    assert list(tmp_path.iterdir()) == [results.path(sound)]


def test_the_file_keeps_scores_and_every_bit(data):
    outcome = carry_out(Plan("batch", TrainConfig(epochs=2, score_every=2)), data, "cpu", lambda examples: None)
    assert len(outcome.history.scores) == 3
    assert from_json(json.loads(json.dumps(to_json(outcome)))) == outcome


def test_shared_data_is_the_same_and_aligned_and_nobody_elses_to_change(data):
    odd = part(data, 601 - 2, 7)
    with SharedData(odd) as shared:
        one, other = attach(json.loads(json.dumps(shared.where))), attach(shared.where)
        for name in TENSORS:
            assert torch.equal(getattr(one, name), getattr(odd, name)) and one.name == odd.name
            assert getattr(one, name).data_ptr() % ALIGNED == 0
        one.train_images.zero_()
        assert torch.equal(other.train_images, odd.train_images)


@pytest.mark.parametrize(("grid", "error", "expected"), [
    ({}, ValueError, "The grid is empty; name at least one of: norm, epochs, lr, "),
    ([], ValueError, "The grid is empty"),
    ([{"lr": 1.0}, {}], ValueError, "The grid is empty"),
    ({"lr": []}, ValueError, "The grid gives lr no value"),
    ({"rate": [1.0]}, ValueError, "A grid names 'rate', which is no setting of a run; expected one of: norm, epochs,"),
    ([{"lr": 1.0}, {3: 1.0}], ValueError, "A grid names 3, which"),
    ("lr", TypeError, "A grid is 'lr'; expected names with their values"),
    ([0.1, 1.0], TypeError, "A grid is 0.1; expected"),
    ({"lr": [1, 1.0]}, ValueError, "The grid holds the run lr=1.0 twice"),
    ([{"lr": [0.5, 1.0]}, {"seed": [0]}], ValueError, "The grid holds the run lr=1.0 seed=0 twice"),
    ({"lr": [0.1, -1]}, ValueError, "lr is -1.0; expected a finite number above 0"),
    ({"lr": {0.1, 1.0}}, ValueError, "lr is {"),
    ({"epochs": [1.5]}, ValueError, "epochs is 1.5; expected a whole number"),
    ({"norm": "layer"}, ValueError, "LeNet got the normalization 'layer'; expected one of: none, batch"),
    ({"norm": [None]}, ValueError, "LeNet got the normalization None"),
    ({"norm": [["batch"]]}, ValueError, r"LeNet got the normalization \['batch'\]"),
    ({"path": ["fast"]}, ValueError, "path is 'fast'; expected one of: auto"),
    ({"path": "graph"}, ValueError, "A CUDA graph cannot run on cpu"),
    ({"norm": ["batch", "none"], "score_every": 2}, ValueError, "score_every compares the running statistics"),
    ({"batch_size": [256, 599]}, ValueError, "Batch size 599 leaves one of the 600 examples alone"),
])  # fmt: skip
def test_what_cannot_be_run_is_refused_before_anything_starts(grid, error, expected, data, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(error, match=expected):
        sweep(grid, data, folder=tmp_path / "runs", device="cpu")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("workers", [0, -1, 1.5, "2"])
def test_workers_are_a_whole_number(workers, data):
    with pytest.raises(ValueError, match=f"workers is {workers!r}; expected a whole number of at least 1"):
        sweep({"lr": 1.0}, data, workers=workers)


def test_refusals_in_chinese(data):
    bnlib.set_language("zh")
    try:
        with pytest.raises(ValueError, match="网格中的'rate'不是训练的设置项；应为以下之一：norm"):
            sweep({"rate": 1.0}, data)
    finally:
        bnlib.set_language("en")


VALUES = {
    "norm": st.sampled_from(["none", "batch", "torch", "lecture"]),
    "lr": st.floats(1e-3, 1e3),
    "seed": st.integers(0, 2**63 - 1),
    "epochs": st.integers(1, 100),
}


@given(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: st.lists(VALUES[name], min_size=1, max_size=3, unique=True)
                                         for name in names})))  # fmt: skip
def test_a_grid_is_every_combination_and_the_last_name_changes_fastest(grid):
    names, plans = expand(grid)
    assert names == list(grid) and len(plans) == math.prod(map(len, grid.values())) == len(set(plans))
    found = [tuple(plan.settings()[name] for name in names) for plan in plans]
    places = [tuple(grid[name].index(value) for name, value in zip(names, run, strict=True)) for run in found]
    assert places == sorted(places)
    single = [dict(zip(names, run, strict=True)) for run in found]  # the same as a list of single runs
    assert expand(single) == (names, plans)


def test_whatever_is_not_named_is_the_lectures():
    (plan,) = expand({"seed": 3})[1]
    assert plan == Plan("batch", TrainConfig(seed=3)) and set(plan.settings()) == set(NAMES)


def test_the_bar_counts_runs_and_examples_also_those_of_before(data, whole, tmp_path, capfd):
    _, _, folder = whole
    runs = shutil.copytree(folder, tmp_path / "runs")
    before = {"norm": "none", "lr": 1e38, "epochs": 3}
    sweep(before, data, folder=runs, device="cpu")
    assert capfd.readouterr() == ("", "")  # silent where nobody watches
    sweep([before, {"norm": "none", "epochs": 1}], data, folder=runs, progress=True, device="cpu")
    out, err = capfd.readouterr()
    assert out == "" and "1/2 runs  75%" in err and "2/2 runs 100%" in err
    assert "2.40k/2.40k examples, 00:00 left, " in err


def test_processes_that_cannot_start_end_the_sweep_with_a_reason(data, monkeypatch, tmp_path):
    (tmp_path / "torch.py").write_text("raise ImportError('no torch for workers')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(RuntimeError, match="do not start: its process ended with status 1 .ImportError: no torch"):
        sweep({"norm": "none"}, data, device="cpu")


def test_a_workers_warnings_come_here(data):
    """The C++ loops have no lecture's layer, so such a run is eager and says so."""
    with pytest.warns(SweepWarning, match="steps run eagerly") as caught:
        table = sweep({"norm": "lecture", "path": "kernels", "epochs": 1}, data, device="cpu")
    assert len(caught) == 1 and caught[0].filename == __file__
    assert (table.path_asked[0], table.path[0]) == ("kernels", "eager")


def test_what_a_worker_prints_disturbs_nothing_and_its_warnings_are_sent():
    code = (
        "from bnlib.training.many.worker import _Talk; import warnings\n"
        "talk = _Talk(); warnings.showwarning = talk.warn\n"
        "print('noise'); warnings.warn('careful', UserWarning); talk.say(ready=True)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ['{"warning": "careful"}', '{"ready": true}'] and done.stderr == "noise\n"


def test_without_a_compiler_a_sweep_runs_eagerly_and_says_so_once(data, monkeypatch):
    missing = BuildError("kernels.no_compiler", tried="c++")
    monkeypatch.setattr("bnlib.training.kernels.stages.libraries", lambda: missing)
    with pytest.warns(SweepWarning, match="need a C\\+\\+ compiler.*The steps run eagerly instead") as told:
        table = sweep({"norm": ["none", "batch"], "epochs": 1}, data, workers=1)
    assert len(told) == 1 and set(table.path) == {"eager"}
