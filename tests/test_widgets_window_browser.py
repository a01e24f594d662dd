"""When a widget of the built book is drawn, where a link to it leads, and how it fits a window that turns narrow."""

from urllib.parse import urlsplit

import pytest
from test_widgets_browser import PAGES, each, english, linked, move

ON_SCREEN = """node => {
  const box = node.getBoundingClientRect();
  return box.top >= 0 && box.top < innerHeight / 2;
}"""
PICTURES = """node => [...node.querySelectorAll(".scene svg[viewBox]")].map(svg => svg.getAttribute("viewBox"))"""


@pytest.fixture
def quiet_page(chromium):
    """quiet_page(address) -> a page in which nobody has pressed a key, on a phone."""
    contexts = []

    def open_(address: str):
        contexts.append(chromium.new_context(viewport={"width": 390, "height": 800}, reduced_motion="reduce"))
        page = contexts[-1].new_page()
        page.goto(address, wait_until="load")
        return page

    yield open_
    for context in contexts:
        context.close()


def drawn(page, name: str):
    return page.locator(f".bnlib-widget[data-widget={name}] .bnlib-frame")


@each
def test_is_drawn_when_it_comes_near_the_window(served_book, quiet_page, language, name):
    page = quiet_page(f"{served_book}/{PAGES[language, name]}")
    page.wait_for_timeout(200)  # what is near would be drawn by now
    place = page.locator(f".bnlib-widget[data-widget={name}]")
    assert drawn(page, name).count() == 0
    assert place.locator("> svg[role=img]").is_visible()
    place.evaluate("node => scrollTo({top: node.getBoundingClientRect().top + scrollY - innerHeight - 300})")
    drawn(page, name).wait_for()  # before it is on the screen


def test_are_all_drawn_for_one_who_uses_the_keyboard(served_book, quiet_page):
    page = quiet_page(f"{served_book}/{PAGES['en', 'axes']}")
    page.keyboard.press("Tab")
    for name in ("normalize", "axes", "projection"):
        assert drawn(page, name).count() == 1


@each
def test_a_link_leads_to_the_widget(served_book, open_page, quiet_page, language, name):
    page, troubles = open_page(f"{served_book}/{PAGES[language, name]}")
    move(page, page.locator(f".bnlib-{name} [data-trait]:not([disabled])").last)
    state = linked(page, name)
    assert state and urlsplit(page.url).fragment == f"widget-{name}"
    led = quiet_page(page.url)
    drawn(led, name).wait_for()
    led.wait_for_timeout(300)  # fonts and formulas arrive
    assert led.locator(f".bnlib-widget[data-widget={name}]").evaluate(ON_SCREEN)
    assert linked(led, name) == state
    assert troubles == []


@english
def test_a_window_that_turns_narrow_gets_the_picture_of_a_phone(served_book, open_page, name):
    page, troubles = open_page(f"{served_book}/{PAGES['en', name]}")
    root = page.locator(f".bnlib-{name}")
    wide = root.evaluate(PICTURES)
    move(page, root.locator("[data-trait]:not([disabled])").last)
    state = linked(page, name)
    phone, more = open_page(page.url, width=390)
    narrow = phone.locator(f".bnlib-{name}").evaluate(PICTURES)
    page.set_viewport_size({"width": 390, "height": 900})
    page.wait_for_function(
        f"narrow => JSON.stringify(({PICTURES})(document.querySelector('.bnlib-{name}'))) === narrow",
        arg=phone.evaluate("JSON.stringify", narrow),
    )
    assert linked(page, name) == state and narrow != wide
    page.set_viewport_size({"width": 1280, "height": 900})
    page.wait_for_function(
        f"wide => JSON.stringify(({PICTURES})(document.querySelector('.bnlib-{name}'))) === wide",
        arg=page.evaluate("JSON.stringify", wide),
    )
    assert troubles == more == []
