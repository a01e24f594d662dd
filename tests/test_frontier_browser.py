"""Widget 5 in the built page, as a reader uses it: mouse, finger, keyboard; what it shows is the recorded table's."""

import pytest
from browser_fixtures import tap

from bnlib import lab

PAGES = {language: f"chapters/{language}/04_lenet.html" for language in ("en", "zh")}
TABLE = lab.load("learning_rate_frontier")
LAST = TABLE[TABLE["epoch"] == 10].groupby(["norm", "lr"])[["train_accuracy", "test_accuracy"]].mean()


@pytest.fixture(params=["served_book", "file_book"])
def book(request) -> str:
    return request.getfixturevalue(request.param)


def part(page, selector: str):
    return page.locator(f".bnlib-frontier {selector}")


def marks(page, arm: str) -> list[float]:
    """The accuracies marked in the chart over the rates, from the smallest rate on."""
    found = part(page, f".charts svg >> nth=0 >> .mark[data-arm={arm}]")
    return [float(mark.get_attribute("data-value")) for mark in found.all()]


def column(page, rate: str):
    return part(page, f".column[data-rate='{rate}']")


@pytest.mark.parametrize("language", PAGES)
def test_mouse_chooses_rates_and_those_tried_stay(book, open_page, language):
    page, troubles = open_page(f"{book}/{PAGES[language]}")
    assert len(marks(page, "batch")) == len(marks(page, "none")) == 1
    column(page, "10").click()
    for arm in ("batch", "none"):
        expected = [LAST.loc[(arm, rate), "train_accuracy"] for rate in (1.0, 10.0)]
        assert marks(page, arm) == pytest.approx(expected, abs=0.0006)
    said = part(page, ".readout").inner_text()
    assert ("without BN it goes on guessing" if language == "en" else "没有BN，还在瞎猜") in said
    numbers = part(page, ".numbers").inner_text()
    for arm in ("batch", "none"):
        assert f"{LAST.loc[(arm, 10.0), 'train_accuracy']:.3f}" in numbers
    part(page, ".reset").click()
    assert len(marks(page, "batch")) == 1
    assert troubles == []


def test_a_mark_in_the_chart_is_part_of_its_column(served_book, open_page):
    page, troubles = open_page(f"{served_book}/{PAGES['en']}")
    part(page, ".scene + .controls button").get_by_text("Show all rates").click()
    for rate, place in (("0.1", 1), ("30", 6)):
        box = part(page, ".charts svg >> nth=0 >> .mark[data-arm=batch]").nth(place).bounding_box()
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        assert f"Learning rate {rate}: " in part(page, ".numbers").inner_text()
    assert troubles == []


def test_where_training_diverges(served_book, open_page):
    page, troubles = open_page(f"{served_book}/{PAGES['en']}")
    by_epoch = TABLE.groupby(["norm", "lr", "epoch"])["loss"].mean()
    for rate, arms in (("10", []), ("30", ["none"]), ("100", ["batch", "none"])):
        column(page, rate).click()
        said, numbers = part(page, ".readout").inner_text(), part(page, ".numbers").inner_text()
        names = {"batch": "with BN", "none": "without BN"}
        assert [arm for arm in ("batch", "none") if f"{names[arm]} it diverges" in said] == arms
        assert numbers.count("from epoch 1 on, the loss is above twice that of guessing (2.30)") == len(arms)
        for arm in ("batch", "none"):
            assert (by_epoch[arm, float(rate)].min() > 2 * 2.3026) == (arm in arms)
    assert part(page, ".charts svg >> nth=0 >> path[d*=l16]").count() == 3  # a cross for each
    assert troubles == []


def test_arms_and_images(served_book, open_page):
    page, troubles = open_page(f"{served_book}/{PAGES['en']}")
    part(page, "input[value=test]").check()
    part(page, "input[value=batch]").check()
    assert marks(page, "none") == []
    assert marks(page, "batch") == pytest.approx([LAST.loc[("batch", 1.0), "test_accuracy"]], abs=0.0006)
    assert "test images" in part(page, ".numbers").inner_text()
    assert "without BN" not in part(page, ".numbers").inner_text()
    assert troubles == []


def test_keyboard_goes_through_all_rates(served_book, open_page):
    page, troubles = open_page(f"{served_book}/{PAGES['en']}")
    part(page, "input[type=range]").focus()
    page.keyboard.press("Home")
    for _ in range(7):
        page.keyboard.press("ArrowRight")
    for arm in ("batch", "none"):
        assert marks(page, arm) == pytest.approx(LAST.loc[arm]["train_accuracy"].sort_index().to_list(), abs=0.0006)
    assert part(page, "input[type=range]").get_attribute("aria-valuetext") == "100"
    assert "with BN it diverges" in part(page, ".readout").inner_text()
    assert troubles == []


def test_all_rates_at_once(served_book, open_page):
    page, troubles = open_page(f"{served_book}/{PAGES['en']}")
    part(page, "button").first.click()
    assert len(marks(page, "batch")) == len(marks(page, "none")) == 8
    said = part(page, ".readout").inner_text()
    assert "In all: with BN it learns from 0.03 to 30, best at 3 (0.905)" in said
    assert "without BN it learns from 0.1 to 3, best at 1 (0.808)" in said
    assert troubles == []


def test_finger_on_a_phone_in_the_dark(served_book, open_page):
    page, troubles = open_page(f"{served_book}/{PAGES['zh']}", width=390, dark=True, has_touch=True)
    assert column(page, "30").bounding_box()["width"] >= 24
    tap(column(page, "30"))
    assert len(marks(page, "batch")) == 2
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert troubles == []
