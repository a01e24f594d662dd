"""The live curve in a real kernel: it grows in place, one figure stays, and the session is left alone."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import bnlib
from bnlib.training import EpochRow
from bnlib.training.curve import learning_curve
from bnlib.training.live import Live

ROWS = tuple(EpochRow(i, 2.0 / i, 0.9 - 0.4 / i, 0.85 - 0.4 / i, 1.0) for i in range(1, 6))
CELLS = {
    "start": """import gc, sys, bnlib
from time import monotonic, thread_time
from bnlib.training import EpochRow, live
from bnlib.training.live import Live
live.PATIENCE = 0
rows = [EpochRow(i, 2.0 / i, 0.9 - 0.4 / i, 0.85 - 0.4 / i, 1.0) for i in range(1, 6)]""",
    "unasked": """with Live(False, 5) as curve:
    curve.draw(rows)
assert 'matplotlib' not in sys.modules""",
    "settings": """import matplotlib
settings = dict(matplotlib.rcParams)""",
    "grow": """with Live(True, epochs=5) as curve:
    for epoch in range(1, 6):
        curve.draw(rows[:epoch])""",
    "settings kept": "assert settings == dict(matplotlib.rcParams) and 'matplotlib.pyplot' not in sys.modules",
    "memory": """def objects_after(n):
    with Live(True, epochs=5) as curve:
        for _ in range(n):
            curve.draw(rows)
    gc.collect()
    return len(gc.get_objects())
objects_after(2)
grown = objects_after(12) - objects_after(2)
assert abs(grown) < 200, grown""",
    "fails": """with Live(True, 5) as curve:
    curve.draw(rows[:2])
    raise RuntimeError('diverged')""",
    "fast epochs": """live.PATIENCE = 10
begin, drawing, n = monotonic(), 0.0, 0
with Live(True, epochs=5) as curve:
    while monotonic() < begin + 2:
        start = thread_time()
        curve.draw(rows)
        took = thread_time() - start
        n += 1
        drawing += took if took > 0.001 else 0
assert n > 1000 and drawing < 0.6, (n, drawing)
live.PATIENCE = 0""",
    "dark, in Chinese": """import matplotlib.style
matplotlib.style.use('dark_background')
bnlib.set_language('zh')
with Live(True, epochs=5) as curve:
    curve.draw(rows)""",
    "no matplotlib": """bnlib.set_language('en')
for name in [name for name in sys.modules if name.partition('.')[0] == 'matplotlib']:
    sys.modules[name] = None
for name in [name for name in sys.modules if name.startswith(('bnlib.training.curve', 'bnlib.drawing'))]:
    del sys.modules[name]
Live(True, 5)""",
}


@pytest.fixture(scope="module")
def notebook():
    """The cells after their run, by name, with the messages of data that each sent: [(type, data)]."""
    cells = [nbformat.v4.new_code_cell(code, metadata={"tags": ["raises-exception"]}) for code in CELLS.values()]
    client = NotebookClient(nbformat.v4.new_notebook(cells=cells), timeout=120, kernel_name="python3")
    process = client.process_message

    def note(message, cell, index):
        if "data" in message["content"]:
            cell.setdefault("sent", []).append((message["msg_type"], dict(message["content"]["data"])))
        return process(message, cell, index)

    client.process_message = note
    client.execute()
    return dict(zip(CELLS, client.nb.cells, strict=True))


def kinds(cell):
    return [kind for kind, data in cell.sent if "model_id" not in data]


def figure(cell):
    """The one figure that is left of a cell; where it grew is empty."""
    growing, final, data = (output for output in cell.outputs if output.output_type == "display_data")
    assert growing.data == {"text/html": ""} and data.data["text/html"].startswith('<details class="bnlib-data"')
    return final.data["image/svg+xml"], final.data["text/plain"]


@pytest.mark.parametrize("name", ["start", "unasked", "settings", "settings kept", "memory", "fast epochs"])
def test_no_cell_found_what_it_asserts_broken(notebook, name):
    assert [output.evalue for output in notebook[name].outputs if output.output_type == "error"] == []
    assert name in ("memory", "fast epochs") or notebook[name].outputs == []


def test_the_figure_grows_in_place_and_one_stays_with_all_epochs(notebook):
    sent = notebook["grow"].sent
    expected = ["display_data", *["update_display_data"] * 5, "display_data", "display_data", "update_display_data"]
    assert [kind for kind, _ in sent] == expected
    frames = [data["image/svg+xml"] for _, data in sent[1:6]]
    assert len(set(frames)) == 5
    svg, words = figure(notebook["grow"])
    assert svg == frames[-1] == learning_curve(ROWS, 5).svg  # also equal in another process
    assert words.endswith("After epoch 5: loss 0.400, training accuracy 0.820, test accuracy 0.770.")


def test_fast_epochs_are_not_all_drawn(notebook):
    updates = [kind for kind, _ in notebook["fast epochs"].sent if kind == "update_display_data"]
    assert 2 <= len(updates) < 60


def test_what_was_learned_stays_when_the_run_fails(notebook):
    assert "After epoch 2" in figure(notebook["fails"])[1]
    assert notebook["fails"].outputs[-1].ename == "RuntimeError"


def test_a_dark_session_gets_black_on_white_in_its_language(notebook):
    svg, words = figure(notebook["dark, in Chinese"])
    assert ">迭代周期<" in svg and ">训练损失（奈特）<" in svg and words.startswith("各迭代周期的训练损失")
    assert '<path d="M0 260L720 260L720 0L0 0z" style="fill: #ffffff"' in svg
    assert not re.search(r"<text [^>]*fill", svg) and "fill: #1b1f24; " in svg


def test_without_matplotlib_it_says_so_before_anything_is_trained(notebook):
    (error,) = notebook["no matplotlib"].outputs
    assert error.evalue == "live=True draws with matplotlib, which is not installed: pip install matplotlib"


def test_nbval_finds_the_same_again_and_would_see_another_figure(notebook, tmp_path):
    cells = [nbformat.v4.new_code_cell(CELLS["start"], execution_count=1)]
    for source in (CELLS["grow"], CELLS["grow"].replace("rows[:epoch]", "rows[:min(epoch, 4)]")):
        cells.append(nbformat.v4.new_code_cell(source, execution_count=2, outputs=notebook["grow"].outputs))
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "again.ipynb")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-rf", "--nbval", "--rootdir", "."]
    command += ["--nbval-kernel-name", "python3", "-c", "again.ini", "again.ipynb"]
    (tmp_path / "again.ini").write_text("[pytest]\n")
    here = {**os.environ, "PYTHONPATH": str(Path(bnlib.__file__).parent.parent)}
    done = subprocess.run(command, cwd=tmp_path, env=here, capture_output=True, text=True, check=False)
    assert "1 failed, 2 passed" in done.stdout and "Cell 2" in done.stdout, done.stdout + done.stderr


def test_outside_of_a_notebook_it_does_nothing(capfd):
    with Live(True, 5) as curve:
        curve.draw(ROWS)
    assert capfd.readouterr() == ("", "")
    code = "import sys, bnlib.training.live; sys.exit(bool({'matplotlib', 'IPython'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
