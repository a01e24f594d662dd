"""Widget 3 in the built page: the reader answers two questions, then sees what the layers did when they were run."""

import pytest
from browser_fixtures import tap

from bnlib.learn import WhichMode
from bnlib.learn.modes import COMBINATIONS, key

PAGES = {language: f"chapters/{language}/03_implementation.html" for language in ("en", "zh")}
TABLE = WhichMode().data["table"]


@pytest.fixture(params=["served_book", "file_book"])
def book(request) -> str:
    return request.getfixturevalue(request.param)


def choose(page, layer: str, mode: str, grad: bool) -> None:
    root = page.locator(".bnlib-modes")
    root.locator(f"input[value={layer}]").check()
    root.locator(f"input[value={mode}]").check()
    root.locator("input[data-trait=grad]").set_checked(grad)


def answers(page):
    """The four buttons: batch, moving; change, stay."""
    return page.locator(".bnlib-modes .answers button")


def said(page) -> str:
    return page.locator(".bnlib-modes .readout").text_content()


def marks(page) -> list[str]:
    """✓ and ✗ on the four buttons, empty where there is none."""
    return [text[0] if text[0] in "✓✗" else "" for text in answers(page).all_text_contents()]


@pytest.mark.parametrize("language", PAGES)
def test_all_combinations_answered_rightly_by_mouse(book, open_page, language):
    page, troubles = open_page(f"{book}/{PAGES[language]}")
    root = page.locator(".bnlib-modes")
    for layer, mode, grad in COMBINATIONS:
        choose(page, layer, mode, grad)
        code = root.locator("pre").text_content()
        assert f"layer.{mode}()" in code and ("enable_grad" if grad else "no_grad") in code
        used, changes = TABLE[key(layer, mode, grad)]
        assert root.locator("svg .ask").count() == 3 and marks(page) == [""] * 4
        answers(page).nth(0 if used == "batch" else 1).click()
        assert root.locator("svg .ask").count() == 3 and marks(page) == [""] * 4  # one question is still open
        answers(page).nth(2 if changes else 3).click()
        right = ["✓", "", "✓", ""] if used == "batch" else ["", "✓", "", "✓"]
        assert marks(page) == right and root.locator("svg .yes").count() == 1 + changes
        assert ("Both right" if language == "en" else "两个都答对了") in said(page)
        told = (layer, mode, grad) == [one for one in COMBINATIONS if one[0] == layer][-1]  # after the fourth, the rule
        assert ("torch.is_grad_enabled()" in said(page)) == (told and layer == "lecture")
        assert ("layer.training" in said(page)) == (told and layer != "lecture")
    score = root.locator(".numbers").text_content()
    assert score == (
        "Answered 12 of 12 combinations, 12 of them right." if language == "en" else "12种组合答了12种，其中12种全对。"
    )
    assert troubles == []


def test_a_wrong_answer_is_told_and_stays(served_book, open_page):
    page, troubles = open_page(f"{served_book}/{PAGES['en']}")
    choose(page, "torch", "eval", True)
    answers(page).nth(0).click()
    answers(page).nth(3).click()
    assert marks(page) == ["✗", "✓", "", "✓"]
    assert said(page).startswith("One of the two is right. PyTorch's layer normalized by its moving averages")
    answers(page).nth(1).click(force=True)  # too late
    assert marks(page) == ["✗", "✓", "", "✓"]
    assert "Answered 1 of 12 combinations, 0 of them right." in page.locator(".bnlib-modes .numbers").text_content()
    choose(page, "lecture", "train", True)
    assert marks(page) == [""] * 4
    page.locator(".bnlib-modes .reset").click()
    choose(page, "torch", "eval", True)
    assert marks(page) == [""] * 4 and "Answered 0 of 12" in page.locator(".bnlib-modes .numbers").text_content()
    assert troubles == []


def test_the_table_fills_with_what_was_answered_and_wholly_on_request(served_book, open_page):
    page, troubles = open_page(f"{served_book}/{PAGES['en']}")
    root = page.locator(".bnlib-modes")
    root.locator("summary").click()
    boxes = root.locator("tbody td")
    assert boxes.all_text_contents() == ["?"] * 12
    choose(page, "lecture", "eval", True)
    answers(page).nth(0).click()
    answers(page).nth(2).click()
    assert boxes.nth(6).text_content() == "batchupdated" and boxes.all_text_contents().count("?") == 11
    root.get_by_role("button", name="Fill in the rest").click()
    words = {("batch", True): "batchupdated", ("moving", False): "movingnot updated"}
    truth = [
        words[tuple(TABLE[key(layer, mode, grad)])]
        for mode in ("train", "eval")
        for grad in (True, False)
        for layer in ("lecture", "torch", "bnlib")
    ]
    assert boxes.all_text_contents() == truth
    assert troubles == []


def test_keyboard(served_book, open_page):
    page, troubles = open_page(f"{served_book}/{PAGES['en']}")
    root = page.locator(".bnlib-modes")
    root.locator("input[value=lecture]").focus()
    for press in ("ArrowRight", "Tab", "ArrowRight", "Tab", "Space"):  # torch, eval(), gradients off
        page.keyboard.press(press)
    assert "torch.nn.BatchNorm2d(6)\nlayer.eval()\nwith torch.no_grad()" in root.locator("pre").text_content()
    for press in ("Tab", "Tab", "Tab", "Enter", "Tab", "Tab", "Space"):  # reset, batch, moving; change, stay
        page.keyboard.press(press)
    assert marks(page) == ["", "✓", "", "✓"] and said(page).startswith("Both right.")
    assert page.evaluate("document.activeElement.textContent") == "✓ stay"  # the focus stays on the answer
    assert troubles == []


def test_finger_on_a_phone_in_the_dark(served_book, open_page):
    page, troubles = open_page(f"{served_book}/{PAGES['zh']}", width=390, dark=True, has_touch=True)
    tap(page.locator(".bnlib-modes input[value=eval]"))
    tap(answers(page).nth(0))
    tap(answers(page).nth(2))
    assert marks(page) == ["✓", "", "✓", ""] and "它只看" not in said(page)
    tap(page.locator(".bnlib-modes summary"))
    tap(page.locator(".bnlib-modes details button"))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert troubles == []


def test_nothing_moves_when_the_answer_comes(served_book, open_page):
    for language, address in PAGES.items():
        for width in (1280, 600, 390, 320):
            page, troubles = open_page(f"{served_book}/{address}", width=width)
            place = page.locator(".bnlib-widget[data-widget=modes]")
            high = place.bounding_box()["height"]
            for layer in ("lecture", "bnlib"):
                choose(page, layer, "eval", False)
                answers(page).nth(0).click()
                answers(page).nth(3).click()
                assert place.bounding_box()["height"] <= high, (language, width, layer)
            assert troubles == []
            page.context.close()
