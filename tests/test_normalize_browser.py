"""Widget 1 in the built page, moved as a reader moves it: mouse, finger, keyboard; both modes; both languages."""

import json
from urllib.parse import quote

import pytest
import torch
from torch.nn import functional as F

PAGES = {language: f"chapters/{language}/02_formulas.html" for language in ("en", "zh")}


def outputs(page) -> list[float]:
    return [float(out.get_attribute("data-output")) for out in page.locator(".bnlib-normalize .out").all()]


def moved(before: list[float], after: list[float]) -> list[bool]:
    return [abs(a - b) > 1e-5 for a, b in zip(before, after, strict=True)]


def centre(knob) -> tuple[float, float]:
    box = knob.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page, number: int, by: float) -> None:
    knob = page.locator(".bnlib-normalize .knob").nth(number - 1)
    knob.scroll_into_view_if_needed()
    x, y = centre(knob)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + by, y, steps=4)
    page.mouse.up()


def predict(page) -> None:
    page.locator(".bnlib-normalize input[value=prediction]").check()


@pytest.fixture(params=["served_book", "file_book"])
def book(request) -> str:
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("language", PAGES)
def test_mouse_moves_all_outputs_in_training_and_one_in_prediction(book, open_page, language):
    page, troubles = open_page(f"{book}/{PAGES[language]}")
    before = outputs(page)
    drag(page, 5, -60)
    assert moved(before, outputs(page)) == [True] * 5
    page.locator(".bnlib-normalize .reset").click()
    assert outputs(page) == before
    predict(page)
    before = outputs(page)
    drag(page, 5, -60)
    assert moved(before, outputs(page)) == [False] * 4 + [True]
    said = page.locator(".bnlib-normalize .readout").text_content()
    assert ("sample 5" if language == "en" else "样本5") in said
    assert troubles == []


@pytest.mark.parametrize("mode", ["training", "prediction"])
def test_numbers_are_torchs(served_book, open_page, mode):
    setting = {"mode": mode, "gamma": 1.5, "beta": -0.5, "eps": 0.1, "samples": [-4.0, 0.25, 3.0]}
    page, troubles = open_page(f"{served_book}/{PAGES['en']}?normalize={quote(json.dumps(setting))}")
    x = torch.tensor(setting["samples"]).double().view(-1, 1)
    moving = torch.tensor([0.0]).double(), torch.tensor([4.0]).double()
    parameters = torch.tensor([1.5]).double(), torch.tensor([-0.5]).double()
    truth = F.batch_norm(x, *moving, *parameters, training=mode == "training", eps=0.1)
    torch.testing.assert_close(torch.tensor(outputs(page)).double(), truth.view(-1), rtol=0, atol=1e-6)
    assert troubles == []


def test_keyboard(served_book, open_page):
    page, troubles = open_page(f"{served_book}/{PAGES['en']}")
    knob = page.locator(".bnlib-normalize .knob").nth(1)
    knob.focus()
    before = outputs(page)
    page.keyboard.press("ArrowRight")
    assert all(moved(before, outputs(page)))
    assert page.locator(".bnlib-normalize .knob").nth(1).get_attribute("aria-valuenow") == "-0.9"
    page.keyboard.press("End")  # the focus stays on the moved point
    assert page.locator(".bnlib-normalize .knob").nth(1).get_attribute("aria-valuenow") == "10.0"
    assert troubles == []


def test_another_button_of_the_mouse_drags_nothing(served_book, open_page):
    page, troubles = open_page(f"{served_book}/{PAGES['en']}")
    knob = page.locator(".bnlib-normalize .knob").nth(4)
    knob.scroll_into_view_if_needed()
    x, y = centre(knob)
    before = outputs(page)
    page.mouse.move(x, y)
    page.mouse.down(button="right")
    page.mouse.move(x - 60, y, steps=4)
    page.mouse.up(button="right")
    assert outputs(page) == before
    drag(page, 5, -60)
    assert outputs(page) != before
    assert troubles == []


def test_a_finger_that_moves_down_first_keeps_its_point(served_book, open_page):
    page, troubles = open_page(f"{served_book}/{PAGES['en']}", width=390, has_touch=True)
    knob = page.locator(".bnlib-normalize .knob").nth(4)
    knob.scroll_into_view_if_needed()
    before, scrolled = float(knob.get_attribute("aria-valuenow")), page.evaluate("scrollY")
    x, y = centre(knob)
    touch = page.context.new_cdp_session(page)
    for kind, points in (
        ("touchStart", [(x, y)]),
        *(("touchMove", [(x - by, y + 3 * by)]) for by in (2, 8, 20, 40)),
        ("touchEnd", []),
    ):
        places = [{"x": a, "y": b} for a, b in points]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})
    assert float(knob.get_attribute("aria-valuenow")) < before - 1.5
    assert page.evaluate("scrollY") == scrolled
    assert troubles == []


def test_of_two_points_that_overlap_the_nearer_one_is_dragged(served_book, open_page):
    page, troubles = open_page(f"{served_book}/{PAGES['en']}", width=390)
    knobs = page.locator(".bnlib-normalize .knob")
    knobs.nth(1).scroll_into_view_if_needed()
    second, third = (float(knobs.nth(i).get_attribute("aria-valuenow")) for i in (1, 2))
    x, y = centre(knobs.nth(1))
    page.mouse.move(x + 4, y)  # within the reach of the third point as well, which lies above
    page.mouse.down()
    page.mouse.move(x - 40, y, steps=4)
    page.mouse.up()
    assert float(knobs.nth(1).get_attribute("aria-valuenow")) < second - 1
    assert float(knobs.nth(2).get_attribute("aria-valuenow")) == third
    assert troubles == []


def test_another_setting_is_told_in_place_of_the_last_drag(served_book, open_page):
    page, troubles = open_page(f"{served_book}/{PAGES['en']}")
    readout = page.locator(".bnlib-normalize .readout")
    drag(page, 5, -60)
    assert "You moved sample 5" in readout.text_content()
    for change in (predict, lambda page: page.locator(".bnlib-normalize input[data-trait=gamma]").press("ArrowRight")):
        drag(page, 5, -10)
        change(page)
        assert "You moved" not in readout.text_content() and "μ = " in readout.text_content()
    assert troubles == []


def test_a_second_finger_takes_nothing_along(served_book, open_page):
    page, troubles = open_page(f"{served_book}/{PAGES['en']}", width=390, has_touch=True)
    knobs = page.locator(".bnlib-normalize .knob")
    knobs.nth(4).scroll_into_view_if_needed()
    (x, y), (other, _) = centre(knobs.nth(4)), centre(knobs.nth(0))
    first, fifth = (float(knobs.nth(i).get_attribute("aria-valuenow")) for i in (0, 4))
    touch = page.context.new_cdp_session(page)
    steps = [("touchStart", [x]), ("touchStart", [x, other]), ("touchMove", [x - 40, other + 30]), ("touchEnd", [])]
    for kind, places in steps:
        points = [{"x": at, "y": y, "id": finger} for finger, at in enumerate(places)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert float(knobs.nth(0).get_attribute("aria-valuenow")) == first
    assert float(knobs.nth(4).get_attribute("aria-valuenow")) < fifth - 1
    assert troubles == []


def test_finger_on_a_phone_in_the_dark(served_book, open_page):
    page, troubles = open_page(f"{served_book}/{PAGES['zh']}", width=390, dark=True, has_touch=True)
    knob = page.locator(".bnlib-normalize .knob").nth(4)
    knob.scroll_into_view_if_needed()
    x, y = centre(knob)
    before = outputs(page)
    touch = page.context.new_cdp_session(page)
    for kind, at in (("touchStart", x), ("touchMove", x - 30), ("touchMove", x - 60), ("touchEnd", None)):
        points = [] if at is None else [{"x": at, "y": y}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert all(moved(before, outputs(page)))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    ground = page.locator(".bnlib-normalize").evaluate("node => getComputedStyle(node).backgroundColor")
    assert ground == "rgb(22, 25, 29)"
    assert troubles == []


def test_the_address_carries_a_setting(served_book, open_page):
    page, troubles = open_page(f"{served_book}/{PAGES['en']}")
    predict(page)
    drag(page, 1, 40)
    there = outputs(page)
    page.locator(".bnlib-widget[data-widget=normalize] .bnlib-widget-link").click()
    again, more = open_page(page.url)
    assert outputs(again) == there and "normalize=" in page.url
    assert troubles == [] and more == []
