"""The formulas of the built book: all there, in their font at once, scrolled, explained, legible, readable aloud."""

import csv
import json
import re
import sys
from io import BytesIO

import pytest
from browser_fixtures import LANGUAGES, ROOT, chapters, parsed
from bs4 import BeautifulSoup
from fontTools.ttLib import TTFont
from markdown_it import MarkdownIt
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin

sys.path.insert(0, str(ROOT / "tools"))
from make_math_font import TARGET as FONT  # noqa: E402
from make_math_font import characters  # noqa: E402

PAGES = [f"chapters/{language}/{name}" for language in LANGUAGES for name in chapters()]
DERIVED = "chapters/{}/02_formulas"  # the chapter with the displayed equations
HAN = re.compile("[\u4e00-\u9fff]")


def written(page: str) -> list[str]:
    """The formulas of a notebook's text, as TeX."""
    reader = MarkdownIt().use(dollarmath_plugin).use(amsmath_plugin)
    cells = json.loads((ROOT / f"{page}.ipynb").read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    blocks = [token for text in texts for token in reader.parse(text)]
    tokens = [token for block in blocks for token in [block, *(block.children or [])]]
    return [token.content for token in tokens if token.type.startswith("math_") or token.type == "amsmath"]


# files


@pytest.mark.parametrize("page", PAGES)
def test_every_formula_is_on_its_page_as_mathml(read, page):
    shown = read(page).select("article .math")
    assert len(shown) == len(written(page))
    for formula in shown:
        (math,) = formula.find_all("math")
        assert math.find(True) and not re.search(r"[\\$]", formula.get_text()), formula


def test_no_page_asks_for_mathjax(built_book):
    for path in built_book.rglob("*.html"):
        loaded = [tag.get("src") or tag.get("href") or tag.string or "" for tag in parsed(path).select("script, link")]
        assert not [text for text in loaded if "mathjax" in text.lower()], path
    assert not list(built_book.rglob("*[Mm]ath[Jj]ax*"))


def test_the_font_holds_every_character_and_is_small(read, built_book):
    font = TTFont(BytesIO(FONT.read_bytes()))
    has = set(font.getBestCmap())
    invisible = {0x2009, 0x2061, 0x03A2, 0x1D455}  # two spaces, two places that Unicode leaves empty
    assert characters() - invisible | {ord("√")} <= has and "MATH" in font  # msqrt draws a √ of its own
    for page in PAGES:
        for part in read(page).select("article math :is(mi, mn, mo)"):
            assert {ord(character) for character in part.get_text()} <= has | invisible, part
    script = built_book / "_static" / "course-math-font.js"
    assert FONT.stat().st_size < 70_000 and script.stat().st_size < 95_000
    assert "SIL OPEN FONT LICENSE" in (built_book / "_static" / "course-math-OFL.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_numbers_in_the_text_lead_to_their_equations(read, built_book, page):
    soup = read(page)
    text = BeautifulSoup(str(soup.article), "html.parser")
    for tag in text.select("details.symbols-of-page, a.equation-link, .eqno, pre, summary"):
        tag.decompose()
    chapter = read(DERIVED.format(page.split("/")[1]))
    numbers = {number.get_text() for number in chapter.select(".eqno")}
    assert len(numbers) >= 10 and not [number for number in numbers if number in text.get_text()]
    for link in soup.select("a.equation-link"):
        path, _, anchor = link["href"].partition("#")
        there = read(f"{page.rsplit('/', 1)[0]}/{path.removesuffix('.html')}") if path else soup
        assert there.find(id=anchor).select_one(".eqno").get_text() == link.get_text()


def test_the_table_of_symbols_has_nothing_dead_and_nothing_half(read):
    with (ROOT / "book" / "symbols.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    used = {language: set() for language in LANGUAGES}
    for page in PAGES:
        language, soup = page.split("/")[1], read(page)
        said = {entry["id"]: entry.find_next_sibling("dd") for entry in soup.select("dl.symbols > dt")}
        marked = {part["data-symbol"] for part in soup.select("article [data-symbol]")}
        assert {f"symbol-{name}" for name in marked} == set(said)
        used[language] |= {entry.select_one(".symbol-said").get_text() for entry in said.values()}
    for row in rows:
        assert HAN.search(row["zh"]) and not HAN.search(row["en"])
        assert row["en"] in used["en"] or row["zh"] in used["zh"], f"{row['symbol']}: no formula has it"
    for language in LANGUAGES:
        listed = read(f"chapters/{language}/glossary").select("dl.symbols .symbol-said")
        assert [entry.get_text() for entry in listed] == [row[language] for row in rows]


# in the browser


@pytest.fixture(params=["http", "file"])
def book(request):
    return request.getfixturevalue({"http": "served_book", "file": "file_book"}[request.param])


WATCH = """
window.sizes = () => [...document.querySelectorAll("article .math math")]
  .map((math) => math.getBoundingClientRect()).map((box) => [box.width, box.height]);
window.moved = 0;
new PerformanceObserver((list) => list.getEntries().forEach((entry) => (window.moved += entry.value)))
  .observe({ type: "layout-shift", buffered: true });
document.addEventListener("DOMContentLoaded", () => (window.first = window.sizes()));
"""


@pytest.mark.parametrize("language", LANGUAGES)
def test_formulas_stand_in_their_font_from_the_first_line_on(book, open_page, language):
    page, troubles = open_page(f"{book}/{DERIVED.format(language)}.html#equation-2-3")
    page.add_init_script(WATCH)
    page.reload()
    page.wait_for_timeout(800)  # whatever came late would be here now
    assert page.evaluate("first.length > 50 && JSON.stringify(first) === JSON.stringify(sizes())")
    assert page.evaluate("moved") < 0.01
    session = page.context.new_cdp_session(page)
    session.send("DOM.enable")
    session.send("CSS.enable")
    root = session.send("DOM.getDocument")["root"]["nodeId"]
    found = session.send("DOM.querySelectorAll", {"nodeId": root, "selector": "article .math math"})["nodeIds"]
    for node in found[::12]:
        fonts = session.send("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]
        assert [font["isCustomFont"] for font in fonts] in ([True], []), fonts
    assert troubles == []


@pytest.mark.parametrize(("language", "called"), [("en", "Equation (2.10)"), ("zh", "公式(2.10)")])
def test_a_wide_equation_scrolls_inside_itself_by_keyboard(served_book, open_page, language, called):
    page, _ = open_page(f"{served_book}/{DERIVED.format(language)}.html", width=390)
    box = page.locator("#equation-2-10 > .math-scroll")
    page.wait_for_function("() => document.querySelector('#equation-2-10 > .math-scroll').tabIndex === 0")
    assert box.get_attribute("role") == "group" and box.get_attribute("aria-label").startswith(called)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    box.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => document.querySelector('#equation-2-10 > .math-scroll').scrollLeft > 0")
    assert page.locator("#equation-2-10 .eqno").bounding_box()["x"] < 390 - 30  # the number stays in sight
    assert page.evaluate(
        "[...document.querySelectorAll('article .math-scroll')]"
        ".every((box) => (box.scrollWidth > box.clientWidth + 1) === (box.tabIndex === 0))"
    )
    page.set_viewport_size({"width": 1280, "height": 900})
    page.wait_for_function("() => !document.querySelector('article .math-scroll[tabindex]')")


@pytest.mark.parametrize(("language", "meaning"), [("en", "mean over the batch"), ("zh", "小批量的均值")])
def test_a_symbol_says_what_it_is_by_mouse(book, open_page, language, meaning):
    page, troubles = open_page(f"{book}/{DERIVED.format(language)}.html")
    tip = page.locator("#symbol-tip")
    assert tip.is_hidden()
    page.locator("#equation-2-1 [data-symbol=mu-B]").hover()
    assert meaning in tip.inner_text() and "(2.1)" in tip.inner_text()
    tip.hover()  # one can move onto it
    page.wait_for_timeout(300)
    assert tip.is_visible()
    page.keyboard.press("Escape")
    assert tip.is_hidden()
    page.locator("#equation-2-1 [data-symbol=mu-B]").click()  # or tap
    assert meaning in tip.inner_text()
    page.locator("article h1").click()
    assert tip.is_hidden()
    page.locator("a.equation-link[href='#equation-2-3']").first.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")  # a reference shows its equation
    assert tip.locator("math mfrac").count() == 1
    assert troubles == []


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", ["mean over the batch", "number of values"]), ("zh", ["小批量的均值", "共用一个均值"])],
)
def test_symbols_can_be_walked_through_by_keyboard_if_asked_for(served_book, open_page, language, said):
    page, troubles = open_page(f"{served_book}/{DERIVED.format(language)}.html")
    assert page.locator("article .math[tabindex], article .math [tabindex]").count() == 0  # no stop until asked for
    page.locator("#symbols > summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.locator(".symbols-keys button").get_attribute("aria-pressed") == "true"
    page.reload()  # remembered
    box, tip = page.locator("#equation-2-1 > .math-scroll"), page.locator("#symbol-tip")
    page.locator("#equation-2-1 .eqno a").focus()
    page.keyboard.press("Shift+Tab")
    assert box.evaluate("box => box === document.activeElement")
    assert said[0] in tip.inner_text()
    page.keyboard.press("ArrowRight")
    assert said[1] in tip.inner_text()
    page.keyboard.press("Escape")
    assert tip.is_hidden() and bool(HAN.search(box.get_attribute("aria-label"))) == (language == "zh")
    assert troubles == []


def test_a_screen_reader_gets_the_structure_of_a_formula(served_book, open_page):
    page, _ = open_page(f"{served_book}/{DERIVED.format('en')}.html")
    session = page.context.new_cdp_session(page)
    root = session.send("DOM.getDocument")["root"]["nodeId"]
    math = session.send("DOM.querySelector", {"nodeId": root, "selector": "#equation-2-3 math"})["nodeId"]
    nodes = session.send("Accessibility.queryAXTree", {"nodeId": math})["nodes"]
    roles = {node["role"]["value"] for node in nodes if not node["ignored"]}
    assert {"MathMLMath", "MathMLFraction", "MathMLSquareRoot", "MathMLOver"} <= roles
    assert page.locator("article math :is([tabindex], [role], [aria-label], [title])").count() == 0


CONTRAST = """([selector, ground]) => {
  const parts = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => parts(color).slice(0, 3)
    .map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
  let box = document.querySelector(ground);
  while (parts(getComputedStyle(box).backgroundColor)[3] === 0) box = box.parentElement;
  const [a, b] = [getComputedStyle(document.querySelector(selector)).color, getComputedStyle(box).backgroundColor]
    .map(light).sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
}"""


@pytest.mark.parametrize("dark", [False, True])
def test_formulas_and_explanations_are_legible_by_day_and_night(served_book, open_page, dark):
    page, _ = open_page(f"{served_book}/{DERIVED.format('en')}.html", dark=dark)
    page.locator(f"html[data-theme={'dark' if dark else 'light'}]").wait_for(state="attached")
    page.locator("#equation-2-1 [data-symbol=mu-B]").hover()
    for selector, ground in (
        ("#equation-2-3 math", "#equation-2-3"),
        ("#equation-2-3 .eqno a", "#equation-2-3"),
        ("#symbol-tip", "#symbol-tip"),
        ("[data-symbol].symbol-shown", "[data-symbol].symbol-shown"),
    ):
        assert page.evaluate(CONTRAST, [selector, ground]) >= 4.5, selector


def test_a_printed_equation_is_whole(served_book, open_page):
    page, _ = open_page(f"{served_book}/{DERIVED.format('en')}.html")
    page.emulate_media(media="print")
    assert page.locator("#equation-2-10 > .math-scroll").evaluate("box => getComputedStyle(box).overflowX") == "visible"
    page.set_viewport_size({"width": 680, "height": 900})  # A4 without margins, at 96 pixels an inch
    assert page.locator("#equation-2-10 math").evaluate("math => math.getBoundingClientRect().right") <= 680
