"""The processes of a sweep: killed, interrupted, started from anywhere; none stays behind, no finished run is lost."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from training_data import few

from bnlib.training import TrainConfig
from bnlib.training.many.grid import Plan, expand
from bnlib.training.many.outcome import Failure, carry_out
from bnlib.training.many.pool import Pool
from bnlib.training.sweep import sweep

TESTS = Path(__file__).parent
GRID = {"norm": ["none"], "seed": [0, 1, 2, 3], "epochs": [3], "path": ["eager"]}
# no `if __name__ == "__main__"`: a child that imported this would begin a sweep of its own
SWEEP = """
from bnlib.training.sweep import sweep
from training_data import few
import sys
table = sweep({grid!r}, few(), folder={folder!r}, workers={workers}, device="cpu", progress=False)
print("rows", len(table), flush=True)
"""


@pytest.fixture(scope="module")
def data():
    return few()


def script(folder=None, grid=GRID, workers=2):
    return SWEEP.format(grid=grid, folder=folder and str(folder), workers=workers)


def start(code):
    """A sweep in a process group of its own, as a shell starts it."""
    path = os.pathsep.join([str(TESTS), str(TESTS.parent)])

    def as_in_a_shell():
        os.setpgid(0, 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        preexec_fn=as_in_a_shell,
    )


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "nothing came of it"
        time.sleep(0.01)
    return found


def workers_of(process):
    """The ids of its children, once there are two."""
    return wait_for(lambda: (c := psutil.Process(process.pid).children(recursive=True)) and len(c) == 2 and c)


def ended(processes):
    return all(not p.is_running() or p.status() == psutil.STATUS_ZOMBIE for p in processes)


def finished(folder):
    return sorted(folder.glob("*.json"))


def test_after_kill_9_of_the_whole_group_only_what_is_missing_is_run(data, tmp_path):
    folder = tmp_path / "runs"
    with start(script(folder, {**GRID, "seed": [0, 1, 2, 3, 4, 5]})) as process:
        workers = workers_of(process)
        wait_for(lambda: finished(folder))
        os.killpg(process.pid, signal.SIGKILL)
    wait_for(lambda: ended(workers), seconds=15)
    before = {path: path.stat().st_mtime_ns for path in finished(folder)}
    assert 1 <= len(before) < 6
    (folder / sorted(before)[0].name).unlink()  # one at least is missing of those that are asked for now
    done = [json.loads(path.read_text())["settings"]["seed"] for path in finished(folder)]
    seeds = sorted({0, *done})
    table = sweep({**GRID, "seed": seeds}, data, folder=folder, workers=1, device="cpu")
    after = {path: path.stat().st_mtime_ns for path in finished(folder)}
    assert sum(after[path] == before.get(path) for path in after) == len(done)
    plans = expand({**GRID, "seed": seeds})[1]
    expected = [carry_out(plan, data, "cpu", lambda examples: None).history.rows for plan in plans]
    assert table.loss.tolist() == [row.loss for rows in expected for row in rows]


def test_workers_end_by_themselves_when_the_parent_is_killed():
    with start(script(grid={"norm": "none", "epochs": 100_000, "seed": [0, 1]})) as process:
        workers = workers_of(process)
        time.sleep(2)  # in whatever they are at: importing or training
        process.kill()
    wait_for(lambda: ended(workers), seconds=15)


@pytest.mark.parametrize("to_all", [True, False])
def test_ctrl_c_ends_the_workers_at_once_and_reaches_the_caller(to_all, tmp_path):
    """A terminal sends it to the whole group; a notebook to the parent alone."""
    folder = tmp_path / "runs"
    with start(script(folder, {"norm": "none", "epochs": [3, 100_000, 100_001]})) as process:
        workers = workers_of(process)
        wait_for(lambda: len(finished(folder)) == 1)
        (os.killpg if to_all else os.kill)(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert ended(workers)
    assert out == "" and err.count("Traceback") == 1 and err.endswith("\nKeyboardInterrupt\n")
    assert process.returncode == -signal.SIGINT and len(finished(folder)) == 1


def test_ctrl_c_while_the_workers_start(tmp_path):
    with start(script(tmp_path / "runs")) as process:
        workers = workers_of(process)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert ended(workers) and out == "" and err.count("Traceback") == 1 and err.endswith("\nKeyboardInterrupt\n")


def test_a_killed_worker_is_replaced_and_a_run_that_kills_twice_is_given_up(data):
    once, twice, after = (Plan("none", TrainConfig(epochs=2, seed=seed)) for seed in range(3))
    kills, counted = {once: 1, twice: 2, after: 0}, {once: 0, twice: 0, after: 0}

    def advance(plan, examples):
        counted[plan] += examples
        if examples > 0 and kills[plan]:
            kills[plan] -= 1
            os.kill(pool.crew[0].process.pid, signal.SIGKILL)

    with Pool([once, twice, after], data, 1, advance, pytest.fail) as pool:
        found = dict(pool)
        pids = [worker.process.pid for worker in pool.crew]
    assert not any(map(psutil.pid_exists, pids))
    assert list(found) == [once, twice, after] and found[twice] == Failure("its process ended with status SIGKILL")
    assert kills == {once: 0, twice: 0, after: 0} and counted[twice] == 0
    assert all(counted[plan] <= 1200 for plan in (once, after))
    assert len(found[once].history.rows) == len(found[after].history.rows) == 2
    assert found[once].history.config.seed == 0


def test_it_runs_from_a_string_and_from_a_file_and_once(tmp_path):
    """No main module to import anew, or one that would begin a sweep of its own; and in a folder full of traps."""
    code = script(grid={"norm": "none", "epochs": 1}, workers=1)
    (tmp_path / "script.py").write_text(code)
    traps = tmp_path / "traps"
    traps.mkdir()
    for name in ("json", "queue", "mmap"):  # what a child that looked here first would import
        (traps / f"{name}.py").write_text("raise ImportError('not this one')")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)])}
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    processes = [
        subprocess.Popen([sys.executable, *words], cwd=traps, env=environment, **pipes)
        for words in (["-P", "-c", code], [str(tmp_path / "script.py")])
    ]
    for process in processes:
        assert (*process.communicate(timeout=120), process.returncode) == ("rows 1\n", "", 0)
    assert len(list(traps.iterdir())) == 3  # without a folder nothing is written


def test_it_runs_in_a_notebook():
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel()
    said = []
    try:
        code = f"import sys; sys.path[:0] = {[str(TESTS), str(TESTS.parent)]!r}\n"
        code += script(grid={"norm": "none", "epochs": 1}, workers=1)
        reply = client.execute_interactive(code, timeout=120, output_hook=lambda m: said.append(m["content"]))
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert reply["content"]["status"] == "ok" and "rows 1\n" in [content.get("text") for content in said]
