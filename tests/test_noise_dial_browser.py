"""Widget 4 in the built page: the slider and the images change all ten logits, the marks and what is said."""

import json
from urllib.parse import quote

import pytest
from browser_fixtures import tap

from bnlib.learn import NoiseDial
from bnlib.learn.noise_dial import IMAGES, SIZES

PAGES = {language: f"chapters/{language}/05_regularization.html" for language in ("en", "zh")}
ROOT = ".bnlib-noise_dial"


def logits(page) -> list[list[float]]:
    """Mean, standard deviation and share of wins of each class."""
    return [[float(x) for x in row.get_attribute("data-logit").split()] for row in page.locator(f"{ROOT} .class").all()]


def expected(image: str, size: int) -> list[list[float]]:
    widget = NoiseDial(image=image, batch_size=size)
    return [list(row) for row in zip(widget.logit_mean, widget.logit_std, widget.wins, strict=True)]


@pytest.fixture(params=["served_book", "file_book"])
def book(request) -> str:
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("language", PAGES)
def test_keys_turn_the_dial_through_all_sizes(book, open_page, language):
    page, troubles = open_page(f"{book}/{PAGES[language]}")
    dial = page.locator(f"{ROOT} input[type=range]")
    dial.focus()
    page.keyboard.press("Home")
    for size in SIZES:
        assert dial.get_attribute("aria-valuetext") == str(size)
        assert logits(page) == expected("doubtful", size)
        widget = NoiseDial(batch_size=size)
        numbers = page.locator(f"{ROOT} .numbers").inner_text()
        for value in (widget.mean_spread, widget.mean_theory, widget.scale_spread, widget.scale_theory):
            assert f"{value:.3f}" in numbers
        here = {mark.get_attribute("data-spread") for mark in page.locator(f"{ROOT} .here").all()}
        assert here == {f"mean {size} {widget.mean_spread}", f"scale {size} {widget.scale_spread}"}
        page.keyboard.press("ArrowRight")
    said = page.locator(f"{ROOT} .readout").inner_text()
    assert ("minibatch of 256" if language == "en" else "256张图像") in said and "491" in said
    assert troubles == []


def test_another_image_and_reset(served_book, open_page):
    page, troubles = open_page(f"{served_book}/{PAGES['en']}")
    start = page.locator(f"{ROOT} .readout").inner_text()
    for image in reversed(IMAGES):
        page.locator(f"{ROOT} input[value={image}]").check()
        assert logits(page) == expected(image, 8)
    page.locator(f"{ROOT} input[value=sure]").check()
    said = page.locator(f"{ROOT} .readout").inner_text()
    assert "true class: bag" in said and "bag in 100%" in said
    assert page.locator(f"{ROOT} text.most").all_text_contents() == ["bag", "100%"]
    page.locator(f"{ROOT} .reset").click()
    assert logits(page) == expected("doubtful", 8)
    assert page.locator(f"{ROOT} .readout").inner_text() == start
    assert troubles == []


def test_marks_stand_where_the_numbers_say(served_book, open_page):
    """Bars within the picture, in the order of the means; the spread falls from mark to mark."""
    page, troubles = open_page(f"{served_book}/{PAGES['en']}")
    for image in IMAGES:
        page.locator(f"{ROOT} input[value={image}]").check()
        for place in (0, len(SIZES) - 1):
            page.locator(f"{ROOT} input[type=range]").fill(str(place))
            rows = page.locator(f"{ROOT} .class").all()
            at = [float(row.locator("circle").get_attribute("cx")) for row in rows]
            order = sorted(range(10), key=lambda i: at[i])
            assert order == sorted(range(10), key=lambda i: logits(page)[i][0])
            ends = [row.locator(".two") for row in rows]
            assert all(float(end.get_attribute("x2")) > float(end.get_attribute("x1")) for end in ends)
            assert min(float(end.get_attribute("x1")) for end in ends) > 112
    heights = [float(mark.get_attribute("cy")) for mark in page.locator(f"{ROOT} circle[data-spread]").all()]
    assert heights == sorted(heights) and len(set(heights)) == len(SIZES)
    assert troubles == []


@pytest.mark.parametrize("language", PAGES)
def test_finger_on_a_phone_in_the_dark(served_book, open_page, language):
    page, troubles = open_page(f"{served_book}/{PAGES[language]}", width=390, dark=True, has_touch=True)
    dial = page.locator(f"{ROOT} input[type=range]")
    page.evaluate("document.fonts.ready.then(() => new Promise(done => setTimeout(done, 300)))")  # all stands
    dial.evaluate("node => node.scrollIntoView({block: 'center', behavior: 'instant'})")
    box = dial.bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] - 6, box["y"] + box["height"] / 2)
    assert logits(page) == expected("doubtful", 256)
    tap(page.locator(f"{ROOT} input[value=middling]"))
    assert logits(page) == expected("middling", 256)
    for text in page.locator(f"{ROOT} svg text").all():
        box = text.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390
    assert troubles == []


@pytest.mark.parametrize("wrong", ['{"batch_size": 3}', '{"batch_size": "8"}', '{"image": "coat"}', '{"image": 0}'])
def test_a_setting_that_does_not_exist_is_left_aside(served_book, open_page, wrong):
    page, troubles = open_page(f"{served_book}/{PAGES['en']}?noise_dial={quote(wrong)}")
    assert logits(page) == expected("doubtful", 8)
    assert troubles == []


def test_the_address_carries_a_setting(book, open_page):
    wanted = {"batch_size": 64, "image": "sure"}
    page, troubles = open_page(f"{book}/{PAGES['zh']}?noise_dial={quote(json.dumps(wanted))}")
    assert logits(page) == expected("sure", 64)
    assert troubles == []
