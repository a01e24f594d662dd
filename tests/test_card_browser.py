"""Cards and board in a built page: answered by mouse and keys, told to a screen reader, kept in the browser."""

import json
import re

import pytest
from browser_fixtures import LANGUAGES, draw_widgets
from card_book import CARDS, CODE, NUMBER, ORDER, PAGE, REPAIR, SEVERAL, SINGLE
from test_book_lean import AXE, COLOURS, UNFOLD, rest, violations, visit

from bnlib import language as languages
from bnlib.learn import Exercise
from bnlib.learn.board import titles
from bnlib.learn.exercises import names

each_language = pytest.mark.parametrize("language", LANGUAGES)
FORBIDDEN = 'Object.defineProperty(window, "localStorage", {get() { throw new DOMException("no", "SecurityError"); }})'
FULL = 'Storage.prototype.setItem = () => { throw new DOMException("full", "QuotaExceededError"); }'


@pytest.fixture(params=["served_cards", "file_cards"])
def book(request) -> str:
    return request.getfixturevalue(request.param)


def words(code: str) -> dict[str, str]:
    languages.set_language(code)
    own = languages.messages("card") | {"board": languages.messages("board")}
    languages.set_language("en")
    return own


def data(name: str, code: str = "en") -> dict:
    languages.set_language(code)
    made = Exercise(name).exercise
    languages.set_language("en")
    return made


def card(page, name: str):
    return page.locator(f"#exercise-{name} .bnlib-card")


def said(page, name: str) -> str:
    return card(page, name).locator("[role=status]").inner_text()


def plain(sentence: str) -> str:
    return sentence.replace("`", "")


def kept(page) -> dict:
    return json.loads(page.evaluate("localStorage.getItem('bnlib.progress')"))


def option(name: str, right: bool) -> dict:
    return next(one for one in data(name)["options"] if one["right"] == right)


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
    for one in (exercise["task"], *(option["text"] for option in exercise["options"])):
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
    links = [*(f"exercise-{name}" for name in CARDS), "widget-board"]
    assert re.findall(r'id="(exercise-\w+|widget-\w+)"', text) == links
