"""The room that a page keeps for its cards: nothing jumps when they are drawn, and little of it stays empty."""

from importlib.util import module_from_spec, spec_from_file_location

import pytest
from browser_fixtures import LANGUAGES, ROOT, draw_widgets
from card_book import PAGE, build
from test_book_lean import PLACES, rest, visit

MOST_EMPTY = {1280: 16, 390: 48}  # px below a card, by the width of the window

each_language = pytest.mark.parametrize("language", LANGUAGES)


@pytest.fixture(scope="module")
def room_is_kept(card_book, chromium) -> None:
    """The book with the room for its cards, as tools/widget_heights.py writes it."""
    spec = spec_from_file_location("widget_heights", ROOT / "tools" / "widget_heights.py")
    tool = module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "tools")  # where its own modules lie
        spec.loader.exec_module(tool)
    page = chromium.new_page()
    heights = tool.lines(tool.measured(page, card_book))
    page.close()
    root = card_book.parent.parent
    (root / "book" / "widget-heights.json").write_text(heights, encoding="utf-8")
    build(root)


@pytest.mark.parametrize("width", [1280, 390])
@each_language
def test_nothing_jumps_when_cards_are_drawn(room_is_kept, served_cards, chromium, language, width):
    page = visit(chromium, f"{served_cards}/{PAGE.format(language)}", width)
    for place in page.locator(".bnlib-widget").all():
        place.evaluate("box => box.scrollIntoView({behavior: 'instant'})")
        place.locator(".bnlib-frame").wait_for()
    page.evaluate("scrollTo({top: 0, behavior: 'instant'})")
    rest(page)
    assert page.evaluate("noted.shift") < 0.01
    at_rest = page.evaluate(PLACES)
    page.route(lambda url: ".js" in url, lambda route: route.abort())
    page.reload()
    rest(page)
    assert page.evaluate(PLACES) == at_rest
    page.context.close()


@pytest.mark.parametrize("width", [1280, 600, 480, 390, 320])
@each_language
def test_a_card_has_the_room_it_needs_and_not_much_more(room_is_kept, served_cards, chromium, language, width):
    page = visit(chromium, f"{served_cards}/{PAGE.format(language)}", width)
    draw_widgets(page)
    for place in page.locator(".bnlib-widget").all():
        kept_free = float(place.evaluate("box => getComputedStyle(box).minHeight").removesuffix("px"))
        assert place.bounding_box()["height"] <= kept_free + 1
        needed = place.evaluate("box => { box.style.minHeight = 0; return box.getBoundingClientRect().height }")
        assert kept_free <= needed + MOST_EMPTY.get(width, 1000)
    page.context.close()
