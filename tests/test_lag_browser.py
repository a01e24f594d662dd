"""Widget 6 in the built page, as a reader uses it: two sliders that are one, mouse, finger, keyboard."""

import re

import pytest

from bnlib.learn import MovingAverageLag

PAGES = {language: f"chapters/{language}/04_lenet.html" for language in ("en", "zh")}


@pytest.fixture(params=["served_book", "file_book"])
def book(request) -> str:
    return request.getfixturevalue(request.param)


def part(page, selector: str):
    return page.locator(f".bnlib-lag {selector}")


def momenta(page) -> list[float]:
    """What the two sliders say: PyTorch's momentum, and the one of Keras and the lecture."""
    return [float(output.inner_text()) for output in part(page, "output").all()]


def line(page) -> str:
    return part(page, ".scene svg >> nth=0 >> path.warm").get_attribute("d")


@pytest.mark.parametrize("language", PAGES)
def test_mouse_on_either_slider_moves_both(book, open_page, language):
    page, troubles = open_page(f"{book}/{PAGES[language]}")
    assert momenta(page) == [0.1, 0.9]
    before = line(page)
    for number, expected in ((0, [1.0, 0.0]), (1, [0.01, 0.99])):
        slider = part(page, "input[type=range]").nth(number)
        slider.scroll_into_view_if_needed()
        box = slider.bounding_box()
        slider.click(position={"x": box["width"] - 2, "y": box["height"] / 2})
        assert momenta(page) == expected
        assert line(page) != before
    part(page, ".reset").click()
    assert momenta(page) == [0.1, 0.9] and line(page) == before
    assert troubles == []


@pytest.mark.parametrize("rate", ["1", "0.1"])
def test_keyboard_goes_through_the_momenta_and_the_numbers_are_pythons(served_book, open_page, rate):
    page, troubles = open_page(f"{served_book}/{PAGES['en']}")
    part(page, f"input[type=radio][value='{rate}']").check()
    slider = part(page, "input[type=range]").first
    slider.focus()
    page.keyboard.press("Home")
    seen = []
    for _ in MovingAverageLag().data["momenta"]:
        momentum = momenta(page)[0]
        seen.append(momentum)
        widget = MovingAverageLag(lr=float(rate), momentum=momentum)
        numbers = part(page, ".numbers").inner_text()
        assert f"{widget.lag:.2f} standard deviations" in numbers
        accuracies = widget.accuracies
        assert f"the moving averages of momentum {momentum:g} cost {accuracies['lost']:.3f}" in numbers
        assert f"{accuracies['moving']:.3f} with them and {accuracies['recalibrated']:.3f} recalibrated" in numbers
        page.keyboard.press("ArrowRight")
    assert part(page, ".readout").inner_text().startswith("Momentum 1: ")
    assert seen == MovingAverageLag().data["momenta"]
    assert troubles == []


@pytest.mark.parametrize("statistic", ["mean", "variance"])
def test_the_line_in_the_picture_is_the_moving_average(served_book, open_page, statistic):
    page, troubles = open_page(f"{served_book}/{PAGES['en']}")
    part(page, f"input[value={statistic}]").check()
    heights = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", line(page))]
    ticks = part(page, ".scene svg >> nth=0 >> .tick[text-anchor=end]")
    (low, at_low), (high, at_high) = [
        (float(tick.text_content().replace("−", "-")), float(tick.get_attribute("y")) - 4)
        for tick in (ticks.first, ticks.last)
    ]
    values = [low + (y - at_low) / (at_high - at_low) * (high - low) for y in heights]
    assert values == pytest.approx(
        [float(statistic == "variance"), *MovingAverageLag(statistic=statistic).moving], abs=0.01
    )
    assert troubles == []


def test_finger_on_a_phone_in_the_dark(served_book, open_page):
    page, troubles = open_page(f"{served_book}/{PAGES['zh']}", width=390, dark=True, has_touch=True)
    slider = part(page, "input[type=range]").first
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    slider.tap(position={"x": 3, "y": box["height"] / 2})
    assert momenta(page) == [0.01, 0.99]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert troubles == []
