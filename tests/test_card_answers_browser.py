"""Questions answered on their cards in a built page, by mouse and keys, and what is said to each answer."""

import pytest
from browser_fixtures import LANGUAGES, draw_widgets
from card_book import NUMBER, ORDER, PAGE, SEVERAL, SINGLE, card, data, kept, option, plain, said, words

each_language = pytest.mark.parametrize("language", LANGUAGES)


@pytest.fixture(params=["served_cards", "file_cards"])
def book(request) -> str:
    return request.getfixturevalue(request.param)


@each_language
def test_each_option_is_explained_at_once(book, open_page, language):
    page, troubles = open_page(f"{book}/{PAGE.format(language)}")
    say = words(language)
    for tries, one in enumerate(data(SINGLE, language)["options"], 1):
        card(page, SINGLE).locator(f"input[value={one['name']}]").click()
        mark = f"✓ {say['right']}" if one["right"] else f"✗ {say['wrong']}"
        assert said(page, SINGLE).replace(" ", "") == f"{mark}{plain(one['why'])}".replace(" ", "")
        entry = kept(page)[SINGLE]
        assert entry["tries"] == tries and entry["answer"] == [one["name"]]
    assert entry["passed"] and say["passed"] in card(page, SINGLE).inner_text()
    assert troubles == []


def test_arrow_keys_look_around_and_enter_or_space_answers(served_cards, open_page):
    page, troubles = open_page(f"{served_cards}/{PAGE.format('en')}")
    options = data(SINGLE)["options"]
    radios = card(page, SINGLE).locator("input")
    radios.first.focus()
    page.keyboard.press("ArrowDown")
    assert said(page, SINGLE) == words("en")["press_enter"]
    assert page.evaluate("localStorage.getItem('bnlib.progress')") is None
    page.keyboard.press("Enter")
    assert plain(options[1]["why"]) in said(page, SINGLE)
    page.keyboard.press("ArrowUp")
    assert plain(options[1]["why"]) not in said(page, SINGLE)
    page.keyboard.press("Space")
    assert plain(options[0]["why"]) in said(page, SINGLE) and kept(page)[SINGLE]["tries"] == 2
    assert troubles == []


def test_several_options_are_ticked_then_checked(served_cards, open_page):
    page, troubles = open_page(f"{served_cards}/{PAGE.format('en')}")
    shown, say = card(page, SEVERAL), words("en")
    press = shown.get_by_role("button", name=say["answer"])
    press.click()
    assert said(page, SEVERAL) == say["no_option"] and page.evaluate("localStorage.getItem('bnlib.progress')") is None
    right = [one for one in data(SEVERAL)["options"] if one["right"]]
    shown.locator(f"input[value={right[0]['name']}]").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    assert said(page, SEVERAL).startswith(f"✗ {say['wrong'].strip()}") and str(len(right) - 1) in said(page, SEVERAL)
    for one in right[1:]:
        shown.locator(f"input[value={one['name']}]").check()
    assert said(page, SEVERAL) == ""  # what was said is of another answer
    press.click()
    assert all(plain(one["why"]) in said(page, SEVERAL) for one in right) and kept(page)[SEVERAL]["passed"]
    wrong = option(SEVERAL, right=False)
    shown.locator(f"input[value={wrong['name']}]").check()
    press.click()
    assert plain(wrong["why"]) in said(page, SEVERAL)
    assert kept(page)[SEVERAL]["passed"] and kept(page)[SEVERAL]["tries"] == 3
    assert troubles == []


@each_language
def test_a_number_is_set_by_slider_or_field(book, open_page, language):
    page, troubles = open_page(f"{book}/{PAGE.format(language)}")
    shown, say, question = card(page, NUMBER), words(language), data(NUMBER, language)
    field, slider = shown.locator("input[type=number]"), shown.locator("input[type=range]")
    assert field.get_attribute("aria-label") == say["number"] and slider.get_attribute("aria-label") == say["slider"]
    before = float(field.input_value())
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert before < float(field.input_value()) <= question["high"]
    assert slider.get_attribute("aria-valuetext") == f"{field.input_value()} {question['unit']}"
    for wrong in ("", str(question["high"] + 1), str(question["low"] - 1)):
        field.fill(wrong)
        field.press("Enter")
        limits = {end: f"{question[end]:g}" for end in ("low", "high")}
        assert said(page, NUMBER) == say["out_of_range"].format(**limits)
    assert page.evaluate("localStorage.getItem('bnlib.progress')") is None
    field.fill(str(question["value"]))
    assert abs(position(slider) - question["value"]) <= position_step(question)
    shown.get_by_role("button", name=say["answer"]).click()
    assert plain(question["solution"]) in said(page, NUMBER) and kept(page)[NUMBER]["passed"]
    page.reload()
    draw_widgets(page)
    assert float(field.input_value()) == question["value"] and plain(question["solution"]) in said(page, NUMBER)
    assert say["passed"] in shown.inner_text()
    assert troubles == []


def position(slider) -> float:
    return float(slider.get_attribute("aria-valuetext").split()[0])


def position_step(question: dict) -> float:
    return question["value"] * (question["step"] - 1) if question["log"] else question["step"]


def listed(page) -> list[str]:
    return page.locator(f"#exercise-{ORDER} .order li").evaluate_all("all => all.map((one) => one.dataset.item)")


def bring_into_order(page, wanted: list[str], move) -> None:
    for place, name in enumerate(wanted):
        while (at := listed(page).index(name)) > place:
            move(name)
            assert listed(page).index(name) == at - 1


@pytest.mark.parametrize("by", ["buttons", "keys"])
def test_items_are_ordered_by_buttons_and_keys(served_cards, open_page, by):
    page, troubles = open_page(f"{served_cards}/{PAGE.format('en')}")
    items, say = [one["name"] for one in data(ORDER)["items"]], words("en")
    assert listed(page) != items

    def move(name):
        up = page.locator(f"#exercise-{ORDER} li[data-item={name}] button").first
        if by == "buttons":
            up.click()
        else:
            up.focus()
            page.keyboard.press("ArrowUp")
        assert up.evaluate("node => node === document.activeElement")
        text = next(one["text"] for one in data(ORDER)["items"] if one["name"] == name)
        assert said(page, ORDER).startswith(plain(text))

    bring_into_order(page, items, move)
    card(page, ORDER).get_by_role("button", name=say["answer"]).click()
    assert plain(data(ORDER)["solution"]) in said(page, ORDER) and kept(page)[ORDER]["answer"] == items
    page.locator(f"#exercise-{ORDER} li button").last.press("ArrowUp")
    assert said(page, ORDER) != ""
    card(page, ORDER).get_by_role("button", name=say["answer"]).click()
    wrong, passed = said(page, ORDER), kept(page)[ORDER]["passed"]
    assert wrong.startswith(f"✗ {say['wrong'].strip()}") and passed
    page.reload()
    draw_widgets(page)
    assert listed(page) == kept(page)[ORDER]["answer"] != items and said(page, ORDER) == wrong
    assert troubles == []


def test_items_are_dragged(served_cards, open_page):
    page, troubles = open_page(f"{served_cards}/{PAGE.format('en')}")
    before = listed(page)
    rows = page.locator(f"#exercise-{ORDER} li")
    rows.first.scroll_into_view_if_needed()
    start, end = rows.first.locator(".grip").bounding_box(), rows.last.bounding_box()
    page.mouse.move(start["x"] + 5, start["y"] + 5)
    page.mouse.down()
    page.mouse.move(start["x"] + 5, end["y"] + end["height"] - 2, steps=12)
    page.mouse.up()
    assert listed(page) == [*before[1:], before[0]]
    page.mouse.move(start["x"] + 5, start["y"] - 40)  # let go: it stays where it is
    assert listed(page) == [*before[1:], before[0]]
    assert troubles == []
