"""The widget in a live kernel: JupyterLab in Chromium, a drag that Python sees, a trait that the picture follows."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import nbformat
import pytest


@pytest.fixture
def lab(tmp_path):
    """The address of a notebook with two cells in a JupyterLab of its own, on this machine alone."""
    cells = [
        "import bnlib.learn\nw = bnlib.learn.NormalizeBatch()\nw",
        "w.gamma = 2.0\nprint('moved to', w.samples[4])",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    nbformat.write(notebook, tmp_path / "live.ipynb")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [Path(sys.executable).with_name("jupyter"), "lab", "--no-browser", "--allow-root", "--ip=127.0.0.1"]
    options = [f"--port={port}", "--IdentityProvider.token=live", f"--ServerApp.root_dir={tmp_path}"]
    settings = {**os.environ, "JUPYTER_CONFIG_DIR": str(tmp_path / "config"), "HOME": str(tmp_path)}
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen([*command, *options], stdout=log, stderr=log, env=settings)
    try:
        wait_for(f"http://127.0.0.1:{port}/api?token=live", server)
        yield f"http://127.0.0.1:{port}/lab/tree/live.ipynb?token=live&reset"
    finally:
        server.terminate()
        server.wait(30)


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


@pytest.mark.timeout(400)
def test_drag_reaches_python_and_a_trait_reaches_the_picture(lab, chromium):
    page = chromium.new_context(viewport={"width": 1200, "height": 1000}).new_page()
    page.set_default_timeout(120_000)
    page.goto(lab)
    first, second = (page.locator(".jp-CodeCell").nth(i).locator(".cm-content") for i in range(2))
    first.click()
    page.get_by_text("Python 3 (ipykernel) | Idle").or_(page.locator("[data-status=idle]")).first.wait_for()
    page.keyboard.press("Shift+Enter")
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
    second.click()
    page.keyboard.press("Shift+Enter")
    said = page.locator(".jp-OutputArea-output", has_text="moved to").last
    said.wait_for()
    assert place < 4 and abs(float(said.text_content().split()[-1]) - place) < 0.06
    page.wait_for_function(
        "old => document.querySelector('.bnlib-normalize .out').dataset.output != old", arg=f"{before[0]:.6f}"
    )
    assert outputs(page) == pytest.approx([2 * value for value in before], abs=1e-5)
