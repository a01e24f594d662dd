"""Widget 8 in JupyterLab: Python starts it, sees its losses when it stops, and sees what a reader's step does."""

import re

import pytest
from test_widgets_live import lab, open_lab, run_cell  # noqa: F401

SHOW = """import bnlib.learn
w, seen = bnlib.learn.Playground(steps=60), []
w.observe(lambda change: seen.append(len(change.new["batch"])), "losses")
w"""
START = "w.running = True"
TELL = """first = round(w.losses["batch"][0], 3)
print("told", w.step, w.running, seen[-1], len(w.losses["none"]), sorted(w.accuracies), first)"""
CHANGE = "w.depth = 2"


@pytest.mark.timeout(400)
def test_python_starts_it_and_sees_the_losses(lab, chromium):  # noqa: F811
    page, troubles = open_lab(lab([SHOW, START, TELL, CHANGE]), chromium)
    run_cell(page, 0)
    root = page.locator(".bnlib-playground")
    run, step = (root.locator(".scene button").nth(i) for i in range(2))
    run.wait_for()
    run_cell(page, 1)
    root.locator(".readout", has_text="Step 60").wait_for()
    assert run.text_content() == "Run"
    run_cell(page, 2)
    said = page.locator(".jp-OutputArea-output", has_text="told").last
    said.wait_for()
    told = said.text_content()
    assert re.search(r"told 60 False 60 60 \['batch', 'none'\] 0\.\d+", told), told
    run_cell(page, 3)
    root.locator(".readout", has_text="Nothing is trained yet").wait_for()
    step.click()
    root.locator(".readout", has_text="Step 1.").wait_for()
    assert root.locator(".arms .none path.bars").count() == 3
    assert troubles == []
