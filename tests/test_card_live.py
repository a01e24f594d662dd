"""A card and the board in JupyterLab: what a reader opens and answers is in the learner's file, a check in the card."""

import json

import pytest
from card_book import NUMBER
from test_widgets_live import lab, open_lab, run_cell  # noqa: F401

from bnlib.learn import Exercise
from bnlib.learn.exercises import load

SHOW = """import bnlib.learn
from IPython.display import display
card, code, board = bnlib.learn.Exercise({!r}), bnlib.learn.Exercise("normalize"), bnlib.learn.Board()
display(card, code, board)"""
TELL = """import json
print("kept", open(bnlib.learn.record.place()).read())"""
CHECK = """from bnlib.learn.exercises import load
bnlib.learn.check("normalize", load("normalize").right)"""


@pytest.mark.timeout(400)
def test_card_board_check_and_file_follow_each_other(lab, chromium, tmp_path, monkeypatch):  # noqa: F811
    file = tmp_path / "learner.json"
    monkeypatch.setenv("BNLIB_PROGRESS", str(file))
    page, troubles = open_lab(lab([SHOW.format(NUMBER), TELL, CHECK]), chromium)
    run_cell(page, 0)
    card, code = page.locator(".bnlib-card").nth(0), page.locator(".bnlib-card").nth(1)
    card.wait_for()
    card.locator("input[type=number]").fill(str(load(NUMBER).value()))
    card.locator("input[type=number]").press("Enter")
    code.locator(".steps button").first.press("Enter")
    assert Exercise(NUMBER).exercise["solution"].replace("`", "") in card.locator("[role=status]").inner_text()
    board = page.locator(".bnlib-board")
    board.locator("tbody tr", has_text=Exercise("normalize").exercise["title"]).get_by_text("1", exact=True).wait_for()
    run_cell(page, 1)
    said = page.locator(".jp-OutputArea-output", has_text="kept {").last
    said.wait_for()
    kept = json.loads(said.text_content().partition("kept ")[2])
    assert kept == json.loads(file.read_text(encoding="utf-8"))
    assert kept[NUMBER]["passed"] and kept[NUMBER]["tries"] == 1 and kept[NUMBER]["answer"] == load(NUMBER).value()
    assert kept["normalize"]["hints"] == 1 and not kept["normalize"]["passed"]
    assert page.evaluate("localStorage.getItem('bnlib.progress')") is None
    run_cell(page, 2)
    code.get_by_text("✓ solved").wait_for()
    assert board.locator("caption").inner_text().startswith("2 of ")
    board.get_by_role("button", name="Delete my progress").click()
    board.get_by_role("button", name="Yes, delete").click()
    code.get_by_text("✓ solved").wait_for(state="hidden")
    assert json.loads(file.read_text(encoding="utf-8")) == {}
    assert card.locator("[role=status]").inner_text() == ""
    assert troubles == []
