"""The widgets in a live kernel, in JupyterLab: Python sees a drag and a key, and the picture follows Python."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import nbformat
import pytest
from test_widgets import WIDGETS


@pytest.fixture
def lab(tmp_path):
    """lab(cells) -> the address of a notebook with these cells in a JupyterLab of its own, on this machine alone."""
    servers = []

    def start(cells: list[str]) -> str:
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
        notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
        nbformat.write(notebook, tmp_path / "live.ipynb")
        port, server = serve(tmp_path)
        servers.append(server)
        wait_for(f"http://127.0.0.1:{port}/api?token=live", server)
        return f"http://127.0.0.1:{port}/lab/tree/live.ipynb?token=live&reset"

    yield start
    for server in servers:
        server.terminate()
        server.wait(30)


def serve(folder: Path) -> tuple[int, subprocess.Popen]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [Path(sys.executable).with_name("jupyter"), "lab", "--no-browser", "--allow-root", "--ip=127.0.0.1"]
    options = [f"--port={port}", "--IdentityProvider.token=live", f"--ServerApp.root_dir={folder}"]
    settings = {**os.environ, "JUPYTER_CONFIG_DIR": str(folder / "config"), "HOME": str(folder)}
    with (folder / "log").open("w") as log:
        server = subprocess.Popen([*command, *options], stdout=log, stderr=log, env=settings)
    return port, server


def wait_for(address: str, server: subprocess.Popen) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urlopen(address, timeout=5).close()
            return
        except URLError:
            time.sleep(0.5)
    pytest.fail(f"JupyterLab did not answer; its exit status is {server.poll()}", pytrace=False)


def outputs(page) -> list[float]:
    return [float(out.get_attribute("data-output")) for out in page.locator(".bnlib-normalize .out").all()]


def open_lab(address: str, chromium):
    """The notebook with its kernel running, and the errors of its scripts."""
    page, troubles = chromium.new_context(viewport={"width": 1200, "height": 1000}).new_page(), []
    page.set_default_timeout(120_000)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.goto(address)
    page.locator(".jp-CodeCell .cm-content").first.wait_for()
    page.get_by_text("Python 3 (ipykernel) | Idle").or_(page.locator("[data-status=idle]")).first.wait_for()
    return page, troubles


def run_cell(page, number: int) -> None:
    """Run a cell to its end; JupyterLab does nothing where it is asked before it has made itself ready."""
    cell = page.locator(".jp-CodeCell").nth(number)
    prompt = cell.locator(".jp-InputPrompt")
    deadline = time.monotonic() + 120
    while not re.search(r"\d", prompt.inner_text()):
        assert time.monotonic() < deadline, f"cell {number} does not run"
        if "*" not in prompt.inner_text():
            cell.locator(".cm-content").click()
            page.keyboard.press("Shift+Enter")
        page.wait_for_timeout(1000)


@pytest.mark.timeout(400)
def test_drag_reaches_python_and_a_trait_reaches_the_picture(lab, chromium):
    address = lab(
        [
            "import bnlib.learn\nw = bnlib.learn.NormalizeBatch()\nw",
            "w.gamma = 2.0\nprint('moved to', w.samples[4])",
        ]
    )
    page, troubles = open_lab(address, chromium)
    run_cell(page, 0)
    knob = page.locator(".bnlib-normalize .knob").nth(4)
    knob.wait_for()
    box = knob.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 60, y, steps=4)
    page.mouse.up()
    before = outputs(page)
    place = float(knob.get_attribute("aria-valuenow"))
    run_cell(page, 1)
    said = page.locator(".jp-OutputArea-output", has_text="moved to").last
    said.wait_for()
    assert place < 4 and abs(float(said.text_content().split()[-1]) - place) < 0.06
    page.wait_for_function(
        "old => document.querySelector('.bnlib-normalize .out').dataset.output != old", arg=f"{before[0]:.6f}"
    )
    assert outputs(page) == pytest.approx([2 * value for value in before], abs=1e-5)
    assert "= 2.0 · (" in page.locator(".bnlib-normalize .readout").text_content()  # so a screen reader is told, too
    assert troubles == []


SHOW = """import bnlib.learn
w = bnlib.learn.{}()
w"""
TELL = """import json
print("state of", w.name, json.dumps({n: getattr(w, n) for n in w.limits}))"""
BACK = """for name, value in {}.items():
    setattr(w, name, value)"""
CONTROLS = "nodes => nodes.map(node => [node.dataset.trait, node.value, node.checked ?? null])"


@pytest.mark.timeout(900)
def test_every_widget_draws_and_both_sides_follow_each_other(lab, chromium):
    made = [widget() for widget in WIDGETS]
    cells = []
    for widget in made:
        state = {name: getattr(widget, name) for name in widget.limits}
        cells += [SHOW.format(type(widget).__name__), TELL, BACK.format(repr(state))]
    page, troubles = open_lab(lab(cells), chromium)
    for number, widget in enumerate(made):
        run_cell(page, 3 * number)
        root = page.locator(f".bnlib-{widget.name}")
        root.wait_for()
        controls = root.locator("[data-trait]")
        at_first = controls.evaluate_all(CONTROLS)
        first = root.locator("input[type=range], input[type=radio]").first
        trait = first.get_attribute("data-trait")
        first.press("ArrowRight" if first.input_value() != first.get_attribute("max") else "ArrowLeft")
        run_cell(page, 3 * number + 1)
        said = page.locator(".jp-OutputArea-output", has_text=f"state of {widget.name} ").last
        said.wait_for()
        state = json.loads(said.text_content().split(widget.name, 1)[1])
        assert state[trait] != getattr(widget, trait)
        run_cell(page, 3 * number + 2)
        page.wait_for_function(
            f"([name, wanted]) => wanted === JSON.stringify(({CONTROLS})"
            "([...document.querySelectorAll(`.bnlib-${name} [data-trait]`)]))",
            arg=[widget.name, json.dumps(at_first, separators=(",", ":"))],
        )
    assert troubles == []
