"""The progress bar: there in a terminal and in a notebook, silent in a pipe; numbers within the epoch; almost free."""

import os
import re
import subprocess
import sys
import termios
import threading
import time
import timeit
from contextlib import contextmanager

import nbformat
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nbclient import NotebookClient
from tqdm.utils import disp_len

import bnlib
from bnlib.training import EpochRow, progress
from bnlib.training.progress import Glance, Progress

ROW = EpochRow(1, 0.25, 0.9, 0.8, 1.0)
SHOW = """
from bnlib.training import EpochRow
from bnlib.training.progress import Progress
with Progress(None, epochs=2, examples=1000) as bar:
    bar.begin(1)
    bar.advance(1000)
    bar.end(EpochRow(1, 0.25, 0.9, 0.8, 1.0))
"""


def run_epoch(shown):
    with Progress(shown, epochs=2, examples=1000) as bar:
        bar.begin(1)
        bar.advance(1000)
        bar.end(ROW)


@pytest.fixture
def each_step(monkeypatch):
    monkeypatch.setattr(progress, "INTERVAL", 0)


def drawn(capfd):
    out, err = capfd.readouterr()
    assert out == ""
    return err.split("\r")


def test_silent_where_nobody_watches(capfd):
    run_epoch(None)
    run_epoch(False)
    assert capfd.readouterr() == ("", "")


def test_shown_when_asked_for(capfd):
    run_epoch(True)
    last = drawn(capfd)[-1]
    assert "epoch 1/2  50%" in last and "1.00k/2.00k examples" in last
    assert last.endswith("loss 0.250, train 0.900, test 0.800\n")


def test_numbers_within_the_epoch_are_means_over_its_steps_so_far(each_step, capfd):
    sums = torch.tensor([[200.0, 50.0], [100.0, 70.0], [7e9, 7e9]])  # the last row is of an earlier epoch
    with Progress(True, epochs=2, examples=300) as bar:
        bar.begin(1, sums)
        bar.advance(100)
        bar.advance(100)
        sums[2] = torch.tensor([0.0, 90.0])
        bar.advance(100)
        bar.end(ROW)
        bar.begin(2, sums)
        bar.advance(100)
    first, second, third, end, after = (line.strip() for line in drawn(capfd)[2:7])
    assert first.endswith("loss 2.000, train 0.500")
    assert second.endswith("loss 1.500, train 0.600")
    assert third.endswith("loss 1.000, train 0.700")
    assert end.endswith("loss 0.250, train 0.900, test 0.800")
    assert after.endswith("loss 2.000, train 0.500, test 0.800")  # the last test accuracy there is


def test_without_sums_the_last_epoch_stands(each_step, capfd):
    with Progress(True, epochs=2, examples=100) as bar:
        bar.begin(1)
        bar.advance(100)
        bar.end(ROW)
        bar.begin(2)
        bar.advance(50)
    lines = drawn(capfd)
    assert "loss" not in lines[2] and "75%" in lines[-1] and "loss 0.250, train 0.900, test 0.800" in lines[-1]


def test_a_resumed_run_starts_where_it_stopped(each_step, capfd):
    sums = torch.tensor([[200.0, 50.0], [100.0, 70.0]])
    with Progress(True, epochs=2, examples=200) as bar:
        bar.begin(2, sums, steps=1, examples=100)
        time.sleep(0.05)
        bar.advance(100)
    lines = drawn(capfd)
    assert "75%" in lines[1] and "100%" in lines[2] and "loss 1.500, train 0.600" in lines[2]
    speed = float(re.search(r"([\d.]+)(k?)/s", lines[2])[1]) * (1000 if "k/s" in lines[2] else 1)
    assert 0 < speed <= 100 / 0.05  # of what this process did


@given(st.lists(st.tuples(st.integers(1, 256), st.floats(0, 10), st.floats(0, 1)), min_size=1, max_size=20))
def test_a_glance_is_the_mean_over_examples(steps):
    sums = torch.full((25, 2), torch.nan)
    glance, examples = Glance(sums), 0
    for i, (size, loss, share) in enumerate(steps):
        sums[i, 0], sums[i, 1] = size * loss, size * share
        examples += size
        seen = glance.look(i + 1, examples)
    expected = [sum(size * part[k] for size, *part in steps) / examples for k in (0, 1)]
    assert seen == pytest.approx(expected, rel=1e-5, abs=1e-6)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_no_look_waits():
    sums = torch.tensor([[1.0, 1.0], [1.0, 1.0], [3.0, 1.0], [3.0, 1.0]], device="cuda")
    glance = Glance(sums)
    glance.look(1, 2)  # kernels are loaded at their first use, which waits
    torch.cuda._sleep(1)
    torch.cuda.synchronize()
    assert glance.look(2, 4) == (0.5, 0.5)  # the look before: 1 step, 2 examples
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        torch.cuda._sleep(int(1e9))  # half a second or so
        assert glance.look(4, 8) == (0.5, 0.5)  # 2 steps, 4 examples
        assert glance.look(4, 8) is None  # under way
    finally:
        torch.cuda.set_sync_debug_mode("default")
    torch.cuda.synchronize()
    assert glance.look(4, 8) == (1.0, 0.5)


@pytest.mark.parametrize("shown", [False, True])
def test_a_step_costs_less_than_two_microseconds_while_nothing_is_drawn(shown, monkeypatch, capfd):
    monkeypatch.setattr(progress, "INTERVAL", 3600)
    with Progress(shown, epochs=10**6, examples=60000) as bar:
        bar.begin(1, torch.zeros(235, 2))
        least = min(timeit.repeat(lambda: bar.advance(256), number=2000, repeat=20)) / 2000
        bar.steps = 0
    assert least < 2e-6


def test_it_is_drawn_four_times_a_second_at_most(capfd):
    begin, epoch = time.monotonic(), 0
    with Progress(True, epochs=10**9, examples=100) as bar:
        while time.monotonic() < begin + 1.2:
            epoch += 1
            bar.begin(epoch, torch.ones(1, 2))
            bar.advance(100)
            bar.end(ROW)
    took = time.monotonic() - begin
    assert 4 <= len(drawn(capfd)) - 1 <= took / progress.INTERVAL + 4  # the first, the last and tqdm's closing one


@pytest.mark.parametrize(
    ("language", "columns", "wanted"),
    [
        ("en", 120, "examples, .* left, .*/s, loss 0.300, train 0.800, test 0.800$"),
        ("en", 80, "^epoch 2/10  20%.* left, .*/s, loss 0.300, train 0.800, test 0.800$"),
        ("en", 40, r"^2/10 \d\d:\d\d loss 0.300, train 0.800$"),
        ("en", 20, "^loss 0.300, train 0"),
        ("zh", 120, "个样本，剩余.*，.*/s，损失0.300，训练0.800，测试0.800$"),
        ("zh", 80, "^迭代周期2/10  20%.*剩余.*，.*/s，损失0.300，训练0.800，测试0.800$"),
        ("zh", 40, r"^2/10 \d\d:\d\d 损失0.300，训练0.800$"),
        ("zh", 20, "^损失0.300，训练0.80"),
    ],
)
def test_a_terminal_of_any_width_shows_what_fits(language, columns, wanted, each_step, monkeypatch):
    bnlib.set_language(language)
    try:
        with terminal(columns) as (screen, written):
            monkeypatch.setattr(sys, "stderr", screen)
            with Progress(None, epochs=10, examples=60000) as bar:
                for epoch in range(1, 11):
                    bar.begin(epoch, torch.tensor([[15000.0, 24000.0], [3000.0, 24000.0]]))
                    bar.advance(30000)
                    bar.advance(30000)
                    bar.end(ROW)
    finally:
        bnlib.set_language("en")
    lines = [line.strip() for line in re.split("[\r\n]+", "".join(written)) if line.strip()]
    assert all(disp_len(line) <= columns for line in lines) and len(lines) > 30
    assert any(re.search(wanted, line) for line in lines), lines
    assert columns < 80 or {"en": "in 00:0", "zh": "用时00:0"}[language] in lines[-1]


def test_a_process_in_a_terminal_shows_it():
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (24, 120))
    with subprocess.Popen([sys.executable, "-c", SHOW], stderr=slave) as process:
        os.close(slave)
        written = b"".join(iter(lambda: read(master), b""))
    os.close(master)
    assert process.returncode == 0 and b"loss 0.250, train 0.900, test 0.800" in written


@contextmanager
def terminal(columns):
    """A terminal as a file to write to, and the list of what arrives there, complete at the end."""
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (24, columns))
    arrived, written = [], []
    reader = threading.Thread(target=lambda: arrived.extend(iter(lambda: read(master), b"")))
    reader.start()
    with open(slave, "w", encoding="utf-8") as screen:
        yield screen, written
    reader.join()
    os.close(master)
    written.append(b"".join(arrived).decode())


def read(master):
    try:
        return os.read(master, 4096)
    except OSError:  # how Linux says that the other end is closed
        return b""


NOTEBOOK = """
from bnlib.training import progress
assert progress.is_watched()
with progress.Progress(None, epochs=1, examples=100) as bar:
    bar.begin(1)
    bar.advance(100)
    bar.end(progress.EpochRow(1, 0.25, 0.9, 0.8, 1.0))
"""


def outputs(code):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    return notebook.cells[0].outputs


def test_in_a_notebook_it_is_a_widget():
    bar, text = outputs(NOTEBOOK + "print(''.join(part.value for part in bar.bar.container.children[::2]))")
    assert "application/vnd.jupyter.widget-view+json" in bar.data
    assert "loss 0.250, train 0.900, test 0.800" in text.text.replace("\u2007", " ")


def test_in_a_notebook_without_ipywidgets_it_is_plain_text_and_no_warning():
    parts = outputs("import sys\nsys.modules['ipywidgets'] = None\n" + NOTEBOOK)
    assert {part.get("name") for part in parts} == {"stdout"}
    assert "".join(part.text for part in parts).endswith("loss 0.250, train 0.900, test 0.800\n")
