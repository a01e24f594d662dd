"""Widget 7 in the built page: points dragged by mouse, finger and keys; steps, detached or not; what is said."""

import json
import random
from urllib.parse import quote

import pytest
from browser_fixtures import tap

from bnlib.learn import BackwardProjection

PAGES = {language: f"chapters/{language}/02_formulas.html" for language in ("en", "zh")}
ROOT = ".bnlib-projection"


def gradient(page) -> list[float]:
    return [float(row.get_attribute("data-dx")) for row in page.locator(f"{ROOT} tbody tr").all()]


def column(page, number: int) -> list[float]:
    """A column of the table as it is read: 1 is x, 2 x̂, 3 g, 4 and 5 what is removed, 6 dx."""
    cells = page.locator(f"{ROOT} tbody tr > :nth-child({number + 1})").all_inner_texts()
    return [float(text.replace("−", "-")) for text in cells]


def knob(page, number: int):
    """1 to 3 are x, 4 to 6 are g."""
    return page.locator(f"{ROOT} .knob").nth(number - 1)


def centre(node) -> tuple[float, float]:
    box = node.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def readout(page) -> str:
    return page.locator(f"{ROOT} .readout").inner_text()


@pytest.fixture(params=["served_book", "file_book"])
def book(request) -> str:
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("language", PAGES)
def test_mouse_moves_x_and_g(book, open_page, language):
    page, troubles = open_page(f"{book}/{PAGES[language]}")
    assert gradient(page) == pytest.approx(BackwardProjection().grad_input, rel=1e-9)
    for number, by in ((3, 60), (4, -90)):
        knob(page, number).scroll_into_view_if_needed()
        x, y = centre(knob(page, number))
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + by, y, steps=4)
        page.mouse.up()
    samples, upstream = column(page, 1), column(page, 3)
    assert samples[2] > 2.5 and upstream[0] < 1.6
    expected = BackwardProjection(samples=samples, gradient=upstream)
    assert gradient(page) == pytest.approx(expected.grad_input, rel=1e-9)
    assert (f"from {expected.mean:.2f}" if language == "en" else f"从{expected.mean:.2f}") in readout(page)
    page.locator(f"{ROOT} .reset").click()
    assert gradient(page) == pytest.approx(BackwardProjection().grad_input, rel=1e-9)
    assert troubles == []


@pytest.mark.parametrize("seed", range(4))
def test_numbers_are_pythons(served_book, open_page, seed):
    draw = random.Random(seed)
    state = {
        "samples": [round(draw.uniform(-5, 5), 2) for _ in range(3)],
        "gradient": [round(draw.uniform(-3, 3), 2) for _ in range(3)],
        "gamma": 1.5,
        "eps": 0.1,
        "detached": bool(seed % 2),
        "step": 10 * seed,
    }
    page, troubles = open_page(f"{served_book}/{PAGES['en']}?projection={quote(json.dumps(state))}")
    widget = BackwardProjection(**state)
    assert gradient(page) == pytest.approx(widget.grad_input, rel=1e-9, abs=1e-12)
    names = ("position", "normalized", "gradient", "along_one", "along_x", "grad_input")
    for number, name in enumerate(names, start=1):
        assert column(page, number) == pytest.approx(getattr(widget, name), abs=0.0051), name
    assert troubles == []


def test_keyboard(served_book, open_page):
    page, troubles = open_page(f"{served_book}/{PAGES['en']}")
    knob(page, 5).focus()
    page.keyboard.press("ArrowRight")
    assert knob(page, 5).get_attribute("aria-valuenow") == "-0.7"
    page.keyboard.press("Home")  # the focus stays on the moved point
    assert knob(page, 5).get_attribute("aria-valuenow") == "-3.0"
    assert gradient(page) == pytest.approx(BackwardProjection(gradient=[2.2, -3.0, 0.2]).grad_input, rel=1e-9)
    assert "The layer removes" in readout(page)
    assert troubles == []


@pytest.mark.parametrize("language", PAGES)
def test_detached_nothing_is_removed_and_the_mean_drifts(book, open_page, language):
    page, troubles = open_page(f"{book}/{PAGES[language]}")
    assert page.locator(f"{ROOT} svg[role=img] line.dashed").count() == 2
    page.locator(f"{ROOT} input[type=checkbox]").check()
    assert page.locator(f"{ROOT} svg[role=img] line.dashed").count() == 0
    assert column(page, 4) == column(page, 5) == [0.0] * 3
    steps = page.locator(f"{ROOT} input[type=range]")
    steps.focus()
    page.keyboard.press("End")
    widget = BackwardProjection(detached=True, step=50)
    assert gradient(page) == pytest.approx(widget.grad_input, rel=1e-9)
    assert f"{widget.var:.2f}" in page.locator(f"{ROOT} .numbers").inner_text()
    assert f"{widget.path_mean[0]:.2f}" in readout(page) and f"{widget.path_var[50]:.2f}" in readout(page)
    page.locator(f"{ROOT} input[type=checkbox]").uncheck()
    assert f"{BackwardProjection(step=50).var:.2f}" in page.locator(f"{ROOT} .numbers").inner_text()
    assert troubles == []


def test_what_the_layer_undoes_moves_no_output_while_x_drifts(served_book, open_page):
    page, troubles = open_page(f"{served_book}/{PAGES['en']}")
    before = column(page, 2)
    page.locator(f"{ROOT} button", has_text="Set g").click()
    assert max(map(abs, gradient(page))) < 0.01
    page.locator(f"{ROOT} input[type=checkbox]").check()
    page.locator(f"{ROOT} input[type=range]").focus()
    page.keyboard.press("End")
    assert column(page, 2) == pytest.approx(before, abs=0.021)
    assert max(abs(x - y) for x, y in zip(column(page, 1), (-1.0, 0.2, 2.0), strict=True)) > 1
    assert troubles == []


def test_finger_on_a_phone_in_the_dark(served_book, open_page):
    page, troubles = open_page(f"{served_book}/{PAGES['zh']}", width=390, dark=True, has_touch=True)
    page.evaluate("document.fonts.ready.then(() => new Promise(done => setTimeout(done, 300)))")  # all stands
    knob(page, 6).evaluate("node => node.scrollIntoView({block: 'center', behavior: 'instant'})")
    x, y = centre(knob(page, 6))
    before = gradient(page)
    touch = page.context.new_cdp_session(page)
    for kind, at in (("touchStart", x), ("touchMove", x + 30), ("touchMove", x + 60), ("touchEnd", None)):
        points = [] if at is None else [{"x": at, "y": y}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert column(page, 3)[2] > 0.8
    assert all(abs(a - b) > 1e-3 for a, b in zip(before, gradient(page), strict=True))
    page.wait_for_timeout(1000)  # a tap right behind a drag would only end the drag's fling
    tap(page.locator(f"{ROOT} input[type=checkbox]"))
    assert column(page, 4) == [0.0] * 3
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert troubles == []


@pytest.mark.parametrize(
    "wrong",
    [
        '{"samples": [1, 2]}',
        '{"samples": [1, 2, 3, 4]}',
        '{"gradient": [1, 2, 9]}',
        '{"step": 1.5}',
        '{"detached": "yes"}',
        '{"eps": 0}',
    ],
)
def test_a_setting_that_does_not_exist_is_left_aside(served_book, open_page, wrong):
    page, troubles = open_page(f"{served_book}/{PAGES['en']}?projection={quote(wrong)}")
    assert gradient(page) == pytest.approx(BackwardProjection().grad_input, rel=1e-9)
    assert troubles == []
