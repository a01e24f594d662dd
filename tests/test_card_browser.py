"""Cards and board in a built page: help that opens, what the browser keeps, without scripts, on a phone."""

import json
import re

import pytest
from browser_fixtures import LANGUAGES, draw_widgets
from card_book import (
    CARDS,
    CODE,
    GRADED,
    NUMBER,
    ORDER,
    PAGE,
    REPAIR,
    SINGLE,
    card,
    data,
    kept,
    option,
    plain,
    said,
    words,
)
from test_book_lean import AXE, COLOURS, UNFOLD, rest, violations, visit

from bnlib.learn.board import titles
from bnlib.learn.exercises import load, names

each_language = pytest.mark.parametrize("language", LANGUAGES)
FORBIDDEN = 'Object.defineProperty(window, "localStorage", {get() { throw new DOMException("no", "SecurityError"); }})'
FULL = 'Storage.prototype.setItem = () => { throw new DOMException("full", "QuotaExceededError"); }'


@pytest.fixture(params=["served_cards", "file_cards"])
def book(request) -> str:
    return request.getfixturevalue(request.param)


@each_language
def test_every_card_is_drawn_with_its_task_and_its_own_address(book, open_page, language):
    page, troubles = open_page(f"{book}/{PAGE.format(language)}")
    for name in CARDS:
        shown = card(page, name)
        assert shown.count() == 1 and plain(data(name, language)["task"]) in shown.inner_text()
        assert shown.get_attribute("lang") == LANGUAGES[language] and shown.get_attribute("role") == "group"
        assert shown.locator(".steps button").all_inner_texts() == [
            *(words(language)["hint"].format(number=i) for i in (1, 2, 3)),
            words(language)["solution"],
        ]
    assert "check(" in card(page, CODE).inner_text() and card(page, CODE).locator("[role=status]").count() == 0
    assert card(page, REPAIR).locator(".program").first.inner_text() == data(REPAIR)["start"]
    assert page.locator(".bnlib-widget-link").count() == 0
    page.goto(f"{book}/{PAGE.format(language)}#exercise-{ORDER}")
    assert card(page, ORDER).bounding_box()["y"] < 900
    assert troubles == []


def test_help_opens_step_by_step_and_is_remembered(book, open_page):
    page, troubles = open_page(f"{book}/{PAGE.format('en')}")
    buttons = card(page, CODE).locator(".steps button")
    assert [one.is_enabled() for one in buttons.all()] == [True, False, False, False]
    for step in range(4):
        buttons.nth(step).focus()
        page.keyboard.press("Enter")
        assert buttons.nth(step).get_attribute("aria-expanded") == "true"
        assert [one.is_enabled() for one in buttons.all()] == [i <= step + 1 for i in range(4)]
    exercise = data(CODE)
    for said_ in [*exercise["hints"], exercise["solution"]]:
        assert card(page, CODE).get_by_text(plain(said_)).is_visible()
    assert card(page, CODE).locator(".program").inner_text() == exercise["code"]
    buttons.first.click()
    assert card(page, CODE).get_by_text(plain(exercise["hints"][0])).is_hidden()
    assert kept(page) == {CODE: {"passed": False, "tries": 0, "hints": 3, "solution": True, "answer": None}}
    page.reload()
    draw_widgets(page)
    assert all(one.inner_text().endswith("✓") and one.is_enabled() for one in buttons.all())
    assert card(page, CODE).locator(".step:visible").count() == 0  # at hand, and closed again
    assert card(page, SINGLE).locator(".steps button:enabled").count() == 1
    assert troubles == []


@each_language
def test_a_graded_task_shows_names_and_hints_and_no_solution(book, open_page, language):
    page, troubles = open_page(f"{book}/{PAGE.format(language)}")
    shown, say = card(page, GRADED), words(language)
    assert shown.locator("li code").all_inner_texts() == list(load(GRADED).options)
    assert shown.locator("input").count() == 0 and f'check("{GRADED}", ...)' in shown.inner_text()
    assert shown.locator(".steps button").all_inner_texts() == [say["hint"].format(number=i) for i in (1, 2, 3)]
    shown.locator(".steps button").first.click()
    assert shown.get_by_text(plain(data(GRADED, language)["hints"][0])).is_visible()
    assert kept(page)[GRADED]["hints"] == 1
    assert troubles == []


@pytest.mark.parametrize("hindrance", [FORBIDDEN, FULL], ids=["forbidden", "full"])
def test_where_nothing_can_be_kept_all_works_as_long_as_the_page(file_cards, chromium, hindrance):
    page, errors = chromium.new_page(), []
    page.on("pageerror", lambda error: errors.append(f"{error.message} {error.stack}"))
    page.add_init_script(hindrance)
    page.goto(f"{file_cards}/chapters/en/index.html")  # a page without cards: what the theme has to complain about
    of_the_theme = list(errors)
    errors.clear()
    page.goto(f"{file_cards}/{PAGE.format('en')}")
    draw_widgets(page)
    right = option(SINGLE, right=True)
    card(page, SINGLE).locator(f"input[value={right['name']}]").click()
    card(page, CODE).locator(".steps button").first.click()
    assert plain(right["why"]) in said(page, SINGLE)
    assert page.locator(".bnlib-board caption").inner_text().startswith("1 ")
    assert cells(page, CODE) == ["–", "0", "1"]
    assert errors == of_the_theme
    page.reload()
    draw_widgets(page)
    assert said(page, SINGLE) == "" and cells(page, CODE) == ["–", "0", "0"]
    page.close()


@pytest.mark.parametrize(
    "stored",
    ["{", "null", "[]", '{"NAME": 3}', '{"NAME": {"answer": "x", "hints": "3", "passed": 1, "tries": null}}']
    + ['{"NAME": {"answer": [["x"]], "hints": -7}}', '{"NAME": {"answer": {"length": 2}, "solution": "yes"}}'],
)
def test_what_is_kept_wrongly_is_left_aside(served_cards, open_page, stored):
    page, troubles = open_page(f"{served_cards}/{PAGE.format('en')}")
    for name in (SINGLE, NUMBER, ORDER):
        page.evaluate("text => localStorage.setItem('bnlib.progress', text)", stored.replace("NAME", name))
        page.reload()
        draw_widgets(page)
        assert said(page, name) == "" and cells(page, name) == ["–", "0", "0"]
        assert card(page, name).locator(".steps button:enabled").count() == 1
    assert troubles == []


def cells(page, name: str) -> list[str]:
    return page.locator(".bnlib-board tbody tr").nth([*titles()].index(name)).locator("td").all_inner_texts()


@each_language
def test_the_board_follows_saves_and_forgets(book, open_page, language, tmp_path):
    page, troubles = open_page(f"{book}/{PAGE.format(language)}")
    board, say = page.locator(".bnlib-board"), words(language)["board"]
    assert board.locator("caption").inner_text() == say["sum"].format(passed=0, all=len(names()))
    card(page, SINGLE).locator(f"input[value={option(SINGLE, right=True)['name']}]").click()
    for _ in range(2):
        card(page, NUMBER).get_by_role("button", name=words(language)["answer"]).click()
    for step in range(4):
        card(page, CODE).locator(".steps button").nth(step).click()
    assert board.locator("caption").inner_text() == say["sum"].format(passed=1, all=len(names()))
    assert cells(page, SINGLE) == [f"✓ {say['yes_passed']}", "1", "0"]
    assert cells(page, NUMBER)[1:] == ["2", "0"] and cells(page, CODE) == ["–", "0", say["with_solution"]]
    other = page.context.new_page()  # in another tab
    other.goto(page.url)
    draw_widgets(other)
    card(other, ORDER).locator(".steps button").first.click()
    page.wait_for_function("text => document.querySelector('.bnlib-board tbody').innerText !== text", arg="")
    page.wait_for_timeout(200)
    assert cells(page, ORDER) == ["–", "0", "1"]
    other.close()
    with page.expect_download() as download:
        board.get_by_role("button", name=say["export"]).click()
    path = tmp_path / "saved.json"
    download.value.save_as(path)
    assert download.value.suggested_filename == "bnlib-progress.json"
    assert json.loads(path.read_text(encoding="utf-8")) == kept(page)
    assert board.locator("[role=status]").inner_text() == say["saved"]
    board.get_by_role("button", name=say["forget"]).press("Enter")
    assert page.evaluate("document.activeElement.textContent") == say["no"]
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.textContent") == say["forget"] and len(kept(page)) == 4
    board.get_by_role("button", name=say["forget"]).click()
    board.get_by_role("button", name=say["yes"], exact=True).click()
    assert kept(page) == {} and board.locator("[role=status]").inner_text() == say["forgotten"]
    assert said(page, SINGLE) == "" and card(page, CODE).locator(".steps button:enabled").count() == 1
    assert troubles == []


def test_both_languages_share_what_is_kept(served_cards, open_page):
    page, troubles = open_page(f"{served_cards}/{PAGE.format('en')}")
    right = option(SINGLE, right=True)["name"]
    card(page, SINGLE).locator(f"input[value={right}]").click()
    page.goto(f"{served_cards}/{PAGE.format('zh')}")
    draw_widgets(page)
    assert card(page, SINGLE).locator(f"input[value={right}]").is_checked()
    assert words("zh")["right"] in said(page, SINGLE)
    assert troubles == []


@each_language
def test_without_scripts_a_card_is_text_that_unfolds(served_cards, chromium, language):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{served_cards}/{PAGE.format(language)}")
    place = page.locator(f"#exercise-{SINGLE}")
    exercise = data(SINGLE, language)
    for one in (exercise["task"], *(one["text"] for one in exercise["options"])):
        assert place.get_by_text(plain(one), exact=True).first.is_visible()
    for text in (*exercise["hints"], exercise["solution"]):
        assert place.get_by_text(plain(text), exact=True).first.is_hidden()
        place.locator("summary:visible").last.click()
        assert place.get_by_text(plain(text), exact=True).first.is_visible()
    assert page.locator("#widget-board table").is_visible()
    context.close()


@each_language
def test_a_phone_in_the_dark_has_room_and_touches_easily(served_cards, open_page, language):
    page, troubles = open_page(f"{served_cards}/{PAGE.format(language)}", width=390, dark=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for root in page.locator(".bnlib-card, .bnlib-board").all():
        assert root.evaluate("node => getComputedStyle(node).backgroundColor") == "rgb(22, 25, 29)"
        assert root.evaluate("node => node.scrollWidth <= node.clientWidth")
    for control in page.locator(":is(.bnlib-card, .bnlib-board) :is(button:visible, label:has(input))").all():
        assert control.bounding_box()["height"] >= 24
    assert troubles == []


@each_language
def test_axe_finds_nothing_wrong(served_cards, chromium, language):
    page = visit(chromium, f"{served_cards}/{PAGE.format(language)}", reduced_motion="reduce")
    draw_widgets(page)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    card(page, SINGLE).locator(f"input[value={option(SINGLE, right=False)['name']}]").click()
    card(page, NUMBER).get_by_role("button", name=words(language)["answer"]).click()
    for name in CARDS:
        for press in card(page, name).locator(".steps button").all():
            press.click()
    page.locator(".bnlib-board").get_by_role("button", name=words(language)["board"]["forget"]).click()
    page.evaluate(UNFOLD)
    for width in (1280, 390):
        for scheme, options in (("light", {}), ("dark", {"runOnly": COLOURS})):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 900})
            page.locator(f"html[data-theme={scheme}]").wait_for(state="attached")
            rest(page)
            found = [one for one in violations(page, options) if "bnlib" in str(one)]
            assert found == [], f"{scheme}, {width} px wide"
    assert page.evaluate("noted.refused") == []
    page.context.close()


def test_the_file_of_a_page_loads_one_module_for_all_its_cards(card_book):
    text = (card_book / PAGE.format("en")).read_text(encoding="utf-8")
    assert len(re.findall(r"widgets/card\.js", text)) == 1 and len(re.findall(r"widgets/board\.js", text)) == 1
    links = [*(f"exercise-{name}" for name in (*CARDS, GRADED)), "widget-board"]
    assert re.findall(r'id="(exercise-\w+|widget-\w+)"', text) == links
