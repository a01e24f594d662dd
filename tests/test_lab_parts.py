"""Experiments in parts: processes give what one gives, what is finished is kept, what fails is told."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import growing_experiment
import pandas as pd
import pytest
import torch

import bnlib
from bnlib import lab
from bnlib.lab import learning_rate_frontier as frontier
from bnlib.lab import order_of_layers, record
from bnlib.lab.parts import grid, measure_here, measure_side_by_side

CONFIG = frontier.Config(lrs=(0.1, 1e30), seeds=(0, 1), epochs=1, batch_size=500)


@pytest.fixture(scope="module")
def data():
    return bnlib.fashion_mnist(subset=True)


def test_a_grid_changes_its_last_name_fastest():
    assert grid(a=(1, 2), b="xy") == [{"a": 1, "b": "x"}, {"a": 1, "b": "y"}, {"a": 2, "b": "x"}, {"a": 2, "b": "y"}]


def test_processes_give_what_this_process_gives(data, tmp_path):
    """To the last bit, whatever the number of threads here; runs that diverge at once included."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        here = measure_here(frontier, data, CONFIG)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    there, processes = measure_side_by_side(frontier, data, CONFIG, keep=tmp_path, code="c", workers=2)
    pd.testing.assert_frame_equal(here, there)
    assert processes == 2 and list(tmp_path.iterdir()) == []
    assert here["diverged_step"].notna().tolist() == [False, False, True, True] * 2


def test_what_is_finished_is_not_measured_again(data, tmp_path, monkeypatch):
    """A part that raises loses nothing of the others; other code or another configuration begins anew."""
    really, asked = frontier.measure, []

    def measure(part, data, config):
        asked.append((part["norm"], part["lr"], part["seed"]))
        if part == {"norm": "batch", "lr": 0.1, "seed": 1} and not (tmp_path / "mended").exists():
            raise OSError("the plug was pulled")
        return really(part, data, config)

    monkeypatch.setattr(frontier, "measure", measure)

    def run(code, config=CONFIG):
        asked.clear()
        return measure_side_by_side(frontier, data, config, keep=tmp_path, code=code, workers=1)[0]

    with pytest.raises(OSError, match="the plug was pulled"):
        run("c")
    assert len(asked) == 6
    (tmp_path / "mended").touch()
    table = run("c")
    assert asked == [("batch", 0.1, 1), ("batch", 1e30, 0), ("batch", 1e30, 1)]
    pd.testing.assert_frame_equal(table, run("another"))
    assert len(asked) == 8


def test_an_error_in_a_process_arrives_as_itself(data, tmp_path):
    config = frontier.Config(norms=("none", "warp"), lrs=(0.1,), seeds=(0,), epochs=1)
    with pytest.raises(ValueError, match="warp"):
        measure_side_by_side(frontier, data, config, keep=tmp_path, code="c", workers=2)


def test_processes_that_grow_are_replaced_and_nothing_is_lost(data, tmp_path):
    table, _ = measure_side_by_side(
        growing_experiment, data, growing_experiment.FULL, keep=tmp_path, code="c", workers=2
    )
    assert table["number"].tolist() == list(range(8))
    assert table["kept"].max() < 4  # or no process was replaced


def test_kill_in_the_middle_and_go_on(tmp_path):
    """The command, killed when the first part is there: the second call doesn't measure that one again."""
    environment = {**os.environ, "PYTHONPATH": str(Path(bnlib.__file__).parent.parent), "PYTHONUNBUFFERED": "1"}
    words = [sys.executable, "-m", "bnlib", "lab", "learning_rate_frontier", "--quick", "--subset", "--workers", "1"]
    process = subprocess.Popen(words, cwd=tmp_path, env=environment, start_new_session=True)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("lab_results/parts/*/[!.]*.json")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    kept = sorted(tmp_path.glob("lab_results/parts/*/[!.]*.json"))
    for path in kept:  # marked, to be recognized in the table
        path.write_text(json.dumps([{**row, "path": "kept"} for row in json.loads(path.read_text())]))
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "lab_results" / "learning_rate_frontier.csv")
    assert len(table) == 12 and (table["path"] == "kept").sum() == 2 * len(kept)
    assert not any((tmp_path / "lab_results" / "parts").iterdir())


def test_all_of_them_go_on_where_they_were_stopped(tmp_path, monkeypatch):
    """The second experiment raises at first; called again, the first one isn't measured a second time."""
    monkeypatch.chdir(tmp_path)
    small = {"lrs": (0.1,), "seeds": (0,), "epochs": 1, "batch_size": 500}
    monkeypatch.setattr(frontier, "QUICK", frontier.Config(**small))
    monkeypatch.setattr(order_of_layers, "QUICK", order_of_layers.Config(("sigmoid",), **small, examples=1000))
    names = ("learning_rate_frontier", "order_of_layers")
    monkeypatch.setattr(record, "EXPERIMENTS", {name: f"bnlib.lab.{name}" for name in names})
    really, written = order_of_layers.measure, []

    def pulled(part, data, config):
        raise OSError("the plug was pulled")

    def run():
        for path in lab.run_all(quick=True, subset=True, workers=1):
            written.append(path.stem)

    monkeypatch.setattr(order_of_layers, "measure", pulled)
    with pytest.raises(OSError, match="the plug was pulled"):
        run()
    monkeypatch.setattr(order_of_layers, "measure", really)
    run()
    assert written == list(names)
    run()
    assert written == 2 * list(names) and not any((tmp_path / "lab_results" / "parts").iterdir())


def test_changed_code_is_other_code(tmp_path, monkeypatch):
    """Committed or not: a part that was measured before a change is measured again."""
    package = tmp_path / "bnlib"
    (package / "lab" / "results").mkdir(parents=True)
    (package / "training.py").write_text("lr = 1.0")
    monkeypatch.setattr(record, "__file__", str(package / "lab" / "record.py"))
    before = record._code()
    (package / "lab" / "results" / "a.csv").write_text("1")
    assert record._code() == before
    (package / "training.py").write_text("lr = 0.1")
    assert record._code() != before


def test_a_quick_run_for_a_page(data):
    table = lab.measure("learning_rate_frontier", data)
    assert list(table["norm"].unique()) == ["none", "batch"] and len(table) == 12
