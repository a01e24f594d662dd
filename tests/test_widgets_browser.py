"""Every widget of the built book, in both languages: it draws, resets, carries its state in the address, and stays
readable on a phone, in the dark and without scripts."""

import json
import re
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from browser_fixtures import LANGUAGES, ROOT, draw_widgets
from test_widgets import WIDGETS, other

PAGES = {
    (path.parent.name, name): f"chapters/{path.parent.name}/{path.stem}.html"
    for path in sorted((ROOT / "chapters").glob("*/*.ipynb"))
    for name in re.findall(r'data-widget=\\"(\w+)\\"', path.read_text("utf-8"))
    if name not in ("card", "board")  # see test_card_browser.py
}
each = pytest.mark.parametrize(("language", "name"), list(PAGES))
english = pytest.mark.parametrize("name", [name for language, name in PAGES if language == "en"])


@pytest.fixture(params=["served_book", "file_book"])
def book(request) -> str:
    return request.getfixturevalue(request.param)


def asking(book: str, language: str, name: str, wanted: str) -> str:
    return f"{book}/{PAGES[language, name]}?{name}={quote(wanted)}"


def linked(page, name: str) -> dict:
    """The setting in the address, once the button has put it there."""
    page.locator(f".bnlib-widget[data-widget={name}] .bnlib-widget-link").click()
    return json.loads(parse_qs(urlsplit(page.url).query)[name][0])


def test_every_widget_is_in_the_book_in_both_languages():
    assert set(PAGES) == {(language, widget.name) for language in LANGUAGES for widget in WIDGETS}


@each
def test_draws_itself_with_a_question_and_a_readout(book, open_page, language, name):
    page, troubles = open_page(f"{book}/{PAGES[language, name]}")
    root = page.locator(f".bnlib-{name}")
    assert root.count() == 1 and root.locator(".scene svg, .scene canvas").count() > 0
    for part in (".question", ".readout", ".spoken[role=status]", ".numbers", ".reset"):
        text = root.locator(part).first.text_content()
        assert bool(re.search("[一-鿿]", text)) == (language == "zh") and len(text) > 1
    assert troubles == []


@each
def test_fits_a_phone_in_the_dark_and_is_touched_easily(served_book, open_page, language, name):
    page, troubles = open_page(f"{served_book}/{PAGES[language, name]}", width=390, dark=True)
    root = page.locator(f".bnlib-{name}")
    root.scroll_into_view_if_needed()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert root.evaluate("node => getComputedStyle(node).backgroundColor") == "rgb(22, 25, 29)"
    root.locator("details").evaluate_all("found => found.forEach(one => { one.open = true; })")
    for control in root.locator("button, select, label:has(input)").all():
        assert control.bounding_box()["height"] >= 24
    assert troubles == []


@english
def test_the_address_carries_the_state_and_reset_goes_back_to_it(book, open_page, name):
    widget = next(widget for widget in WIDGETS if widget.name == name)()
    for trait, limit in widget.limits.items():
        wanted = {trait: other(getattr(widget, trait), limit)}
        page, troubles = open_page(asking(book, "en", name, json.dumps(wanted)))
        assert linked(page, name) == wanted
        controls = page.locator(f".bnlib-{name} [data-trait]:not([disabled])")
        others = page.locator(f".bnlib-{name} [data-trait]:not([data-trait={trait}], [disabled])")
        move(page, (others if others.count() else controls).last)
        assert linked(page, name) != wanted
        page.locator(f".bnlib-{name} .reset").click()
        assert linked(page, name) == wanted
        assert troubles == []
        page.context.close()


@english
@pytest.mark.parametrize("wanted", ["{", "null", "3", '{"strings": {}, "lang": "xx", "limits": {}, "data": {}}'])
def test_what_the_address_says_wrongly_is_left_aside(served_book, open_page, name, wanted):
    page, troubles = open_page(asking(served_book, "en", name, wanted))
    assert linked(page, name) == {}
    assert troubles == []


@english
def test_a_state_outside_of_the_limits_is_left_aside(served_book, open_page, name):
    widget = next(widget for widget in WIDGETS if widget.name == name)()
    for wrong in ("x", None, [], [None], {"a": 1}, 1e300, -1e300):
        wanted = json.dumps(dict.fromkeys(widget.limits, wrong))
        page, troubles = open_page(asking(served_book, "en", name, wanted))
        assert linked(page, name) == {}
        assert troubles == []
        page.context.close()


@each
def test_without_scripts_a_picture_stays(served_book, chromium, language, name):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{served_book}/{PAGES[language, name]}")
    assert page.locator(f".bnlib-widget[data-widget={name}] svg[role=img]").is_visible()
    context.close()


def move(page, control) -> None:
    """Another value of a control, by the keys that its kind answers to."""
    kind = control.evaluate("node => node.type")
    control.focus()
    if kind == "range":
        at_end = control.input_value() == control.get_attribute("max")
        page.keyboard.press("ArrowLeft" if at_end else "ArrowRight")
    elif kind == "checkbox":
        page.keyboard.press("Space")
    elif kind == "radio":
        page.locator(f"input[name='{control.get_attribute('name')}']:checked").focus()
        page.keyboard.press("ArrowRight")
    else:
        last = control.evaluate("node => node.selectedIndex === node.options.length - 1")
        page.keyboard.press("ArrowUp" if last else "ArrowDown")


@english
def test_every_control_answers_to_the_keyboard(served_book, open_page, name):
    page, troubles = open_page(f"{served_book}/{PAGES['en', name]}")
    controls = page.locator(f".bnlib-{name} [data-trait]:not([disabled])")
    traits = controls.evaluate_all("nodes => [...new Set(nodes.map(node => node.dataset.trait))]")
    assert traits
    for trait in traits:
        before = linked(page, name)
        move(page, page.locator(f".bnlib-{name} [data-trait={trait}]").first)
        assert linked(page, name) != before, trait
    assert troubles == []


@each
def test_the_link_is_in_the_clipboard_until_something_changes(served_book, open_page, language, name):
    permissions = ["clipboard-read", "clipboard-write"]
    page, troubles = open_page(f"{served_book}/{PAGES[language, name]}", permissions=permissions)
    button = page.locator(f".bnlib-widget[data-widget={name}] .bnlib-widget-link")
    label = button.inner_text()
    button.click()
    page.wait_for_function("([node, label]) => node.textContent !== label", arg=[button.element_handle(), label])
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    move(page, page.locator(f".bnlib-{name} [data-trait]:not([disabled])").last)
    assert button.inner_text() == label
    assert troubles == []


def test_a_damaged_state_leaves_the_picture_and_the_others(served_book, chromium):
    context = chromium.new_context()
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))

    def damage(route):
        text = route.fetch().text()
        route.fulfill(
            body=re.sub(r"(data-widget=\"normalize\"[^>]*data-state=')", r"\1{", text), content_type="text/html"
        )

    page.route("**/02_formulas.html", damage)
    page.goto(f"{served_book}/{PAGES['en', 'normalize']}")
    draw_widgets(page)
    assert page.locator(".bnlib-widget[data-widget=normalize] > svg[role=img]").is_visible()
    assert page.locator(".bnlib-axes").is_visible() and page.locator(".bnlib-projection").is_visible()
    assert len(errors) == 1 and "JSON" in errors[0]
    context.close()


def test_a_widget_that_fails_leaves_its_picture_and_the_others(served_book, chromium):
    context = chromium.new_context()
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    broken = "window.bnlibWidgets = {...window.bnlibWidgets, axes: {render() { throw new Error('broken') }}}"
    page.route("**/widgets/axes.js*", lambda route: route.fulfill(body=broken, content_type="text/javascript"))
    page.goto(f"{served_book}/{PAGES['en', 'axes']}")
    draw_widgets(page)
    assert page.locator(".bnlib-widget[data-widget=axes] > svg[role=img]").is_visible()
    assert page.locator(".bnlib-normalize").is_visible() and page.locator(".bnlib-projection").is_visible()
    assert len(errors) == 1 and "broken" in errors[0]
    context.close()
