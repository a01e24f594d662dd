"""Widget 2 in the built page: mouse, keyboard and finger mark the companions; the formula holds the numbers."""

import json
import re
from urllib.parse import quote

import pytest
from browser_fixtures import tap

from bnlib.learn import SharedStatistics

PAGES = {language: f"chapters/{language}/02_formulas.html" for language in ("en", "zh")}
KINDS = ["batch_2d", "batch_1d", "layer", "instance", "group"]


@pytest.fixture(params=["served_book", "file_book"])
def book(request) -> str:
    return request.getfixturevalue(request.param)


def cell(page, *index: int):
    return page.locator(f".bnlib-axes [role=gridcell][aria-label^='x[{', '.join(map(str, index))}]']")


def marked(page) -> list[list[int]]:
    """The indices of the marked numbers, in the order of x.flatten()."""
    labels = [one.get_attribute("aria-label") for one in page.locator(".bnlib-axes .shares").all()]
    return sorted([int(i) for i in re.match(r"x\[([\d, ]+)\]", label)[1].split(", ")] for label in labels)


def numbers(page) -> str:
    return page.locator(".bnlib-axes .numbers").text_content().replace("\u00a0", " ").replace("\u2060", "")


def formula(widget) -> str:
    """What the page shows of a widget whose numbers are whole."""
    x = widget.values[((widget.sample * 4 + widget.channel) * 2 + widget.row) * 2 + widget.column]
    text = f"= ({x:.0f} − {widget.mean:.2f}) / √({widget.var:.2f} + 1e-5) = {widget.output:.2f}"
    return text.replace("-0", "−0").replace("-1.", "−1.").replace("-2.", "−2.")


@pytest.mark.parametrize("language", PAGES)
def test_mouse(book, open_page, language):
    page, troubles = open_page(f"{book}/{PAGES[language]}")
    assert marked(page) == []  # the reader predicts first
    cell(page, 2, 3, 1, 0).hover()
    widget = SharedStatistics(sample=2, channel=3, row=1, column=0)
    for kind in KINDS[:1] + KINDS[2:]:
        page.locator(f".bnlib-axes input[value={kind}]").check()
        widget.kind = kind
        assert marked(page) == widget.companions and formula(widget) in numbers(page)
        said = page.locator(".bnlib-axes .readout").text_content()
        assert said.startswith(str(widget.count))
    page.locator(".bnlib-axes .reset").click()
    assert marked(page) == [] and page.locator(".bnlib-axes .ring").is_hidden()
    assert troubles == []


def test_a_fully_connected_layer_has_one_number_per_sample_and_feature(served_book, open_page):
    page, troubles = open_page(f"{served_book}/{PAGES['en']}")
    page.locator(".bnlib-axes input[value=batch_1d]").check()
    assert page.locator(".bnlib-axes [role=gridcell]").count() == 12 and marked(page) == []
    cell(page, 0, 1).hover()
    widget = SharedStatistics(kind="batch_1d", sample=0, channel=1, row=0, column=0)
    assert marked(page) == widget.companions == [[0, 1], [1, 1], [2, 1]] and formula(widget) in numbers(page)
    assert troubles == []


def test_groups_and_other_numbers(served_book, open_page):
    page, troubles = open_page(f"{served_book}/{PAGES['en']}")
    root = page.locator(".bnlib-axes")
    groups = root.locator("select[data-trait=groups]")
    assert groups.is_disabled()
    cell(page, 1, 1, 0, 0).hover()
    root.locator("input[value=group]").check()
    for count, size in (("1", 16), ("2", 8), ("4", 4)):
        groups.select_option(label=count)
        assert len(marked(page)) == size and f"Over {size} of 48" in numbers(page)
    before = root.locator("[role=gridcell]").all_text_contents()
    root.get_by_role("button", name="New numbers").click()
    after = root.locator("[role=gridcell]").all_text_contents()
    assert before != after and all(0 <= int(value) <= 9 for value in after)
    assert troubles == []


def test_keyboard(served_book, open_page):
    page, troubles = open_page(f"{served_book}/{PAGES['en']}")
    stops = page.locator(".bnlib-axes [role=gridcell][tabindex='0']")
    assert stops.count() == 1
    page.locator(".bnlib-axes .reset").focus()
    page.keyboard.press("Tab")
    assert marked(page) == SharedStatistics().companions  # (1, 2, 0, 1)
    moves = [("ArrowRight", [1, 3, 0, 0]), ("ArrowDown", [1, 3, 1, 0]), ("ArrowDown", [2, 3, 0, 0])]
    moves += [("Home", [2, 0, 0, 0]), ("ArrowLeft", [2, 0, 0, 0]), ("ArrowUp", [1, 0, 1, 0]), ("End", [1, 3, 1, 1])]
    for key, (n, c, h, w) in moves:
        page.keyboard.press(key)
        focused = page.evaluate("document.activeElement.getAttribute('aria-label')")
        assert focused.startswith(f"x[{n}, {c}, {h}, {w}] = ") and stops.count() == 1
        widget = SharedStatistics(sample=n, channel=c, row=h, column=w)
        assert marked(page) == widget.companions and formula(widget) in numbers(page)
    assert troubles == []


def test_the_browsers_own_keys_are_left_to_it(served_book, open_page):
    page, troubles = open_page(f"{served_book}/{PAGES['en']}")
    stop = page.locator(".bnlib-axes [role=gridcell][tabindex='0']")
    pressed = """(node, options) => node.dispatchEvent(new KeyboardEvent("keydown", {...options, cancelable: true}))"""
    for modifier in ("altKey", "ctrlKey", "metaKey"):
        assert stop.evaluate(pressed, {"key": "ArrowLeft", modifier: True})
    assert not stop.evaluate(pressed, {"key": "ArrowLeft"})
    assert troubles == []


def test_finger_on_a_phone_in_the_dark(served_book, open_page):
    page, troubles = open_page(f"{served_book}/{PAGES['zh']}", width=390, dark=True, has_touch=True)
    for one in page.locator(".bnlib-axes [role=gridcell]").all()[:8]:
        box = one.bounding_box()
        assert box["width"] >= 24 and box["height"] >= 24
    tap(cell(page, 0, 3, 1, 1))
    assert marked(page) == SharedStatistics(sample=0, channel=3, row=1, column=1).companions
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert troubles == []


def test_nothing_moves_when_a_number_is_pointed_at(served_book, open_page):
    for language, address in PAGES.items():
        for width in (1280, 600, 390, 320):
            page, troubles = open_page(f"{served_book}/{address}", width=width)
            root = page.locator(".bnlib-axes")
            high = page.locator(".bnlib-widget[data-widget=axes]").bounding_box()["height"]
            for kind in reversed(KINDS):
                root.locator(f"input[value={kind}]").check()
                root.locator("[role=gridcell]").first.click()
                assert page.locator(".bnlib-widget[data-widget=axes]").bounding_box()["height"] <= high, (
                    language,
                    width,
                    kind,
                )
            assert troubles == []
            page.context.close()


def test_the_address_carries_a_setting(served_book, open_page):
    state = {"kind": "group", "groups": 4, "sample": 0, "values": [i % 7 for i in range(48)]}
    page, troubles = open_page(f"{served_book}/{PAGES['en']}?axes={quote(json.dumps(state))}")
    assert marked(page) == []  # a teacher's link can ask the question, too
    cell(page, 0, 1, 1, 0).hover()
    widget = SharedStatistics(**state, channel=1, row=1, column=0)
    assert marked(page) == widget.companions and formula(widget) in numbers(page)
    page.locator(".bnlib-widget[data-widget=axes] .bnlib-widget-link").click()
    answer, more = open_page(page.url)  # or show the answer
    assert marked(answer) == widget.companions and formula(widget) in numbers(answer)
    answer.locator(".bnlib-axes .reset").click()
    assert marked(answer) == widget.companions
    assert troubles == more == []
