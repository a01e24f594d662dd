"""The built book is light, quick, closed to what it did not bring, and open to everybody: weight, policy, axe, HTML."""

import gzip
from functools import partial
from http.server import ThreadingHTTPServer
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from threading import Thread
from urllib.request import Request, urlopen

import html5lib
import pytest
from browser_fixtures import LANGUAGES, ROOT, chapters, draw_widgets, every_page
from bs4 import BeautifulSoup

CHAPTERS = [f"chapters/{language}/{name}.html" for language in LANGUAGES for name in chapters()]
SEARCHES = [f"chapters/{language}/search.html" for language in LANGUAGES]
EVERY = every_page()
WITH_WIDGETS = [name for name in CHAPTERS if "data-widget" in (ROOT / name).with_suffix(".ipynb").read_text("utf-8")]
POLICY = {"default-src 'self'", "img-src 'self' data:", "style-src 'self' 'unsafe-inline'"}
WEIGHT, COMPRESSED, SITE = 1_200_000, 350_000, 25_000_000  # bytes of a chapter page from a cold cache, of the whole
SMALL = ("theme-mode.js", "course-math-font.js")  # what the first paint needs: the colours, the font of the formulas
AXE = Path(find_spec("axe_playwright_python").submodule_search_locations[0]) / "axe.min.js"
# what unfolds, and the data of a figure once: they are tables of the same make, thousands of cells in all
UNFOLD = """() => {
  for (const one of document.querySelectorAll("details")) one.open = !one.closest("figure");
  document.querySelector("figure details")?.setAttribute("open", "");
}"""
COLOURS = ["color-contrast", "link-in-text-block"]
QUICK = {"resultTypes": ["violations"], "iframes": False, "elementRef": False}

WRONG = """found => [...found.violations, ...found.incomplete.filter((rule) =>
  rule.nodes.some((node) => node.any.some((check) => check.data?.messageKey === "equalRatio")))]"""

# noted from the first moment of a page, before anything of it runs; the list of contents at the side follows the reader
NOTES = """
window.noted = {shift: 0, refused: []};
const moved = entry => entry.sources.some(({node}) => !node?.parentElement?.closest(".bd-sidebar-secondary"));
new PerformanceObserver(list => list.getEntries().filter(moved).forEach(entry => (noted.shift += entry.value)))
  .observe({type: "layout-shift", buffered: true});
document.addEventListener("securitypolicyviolation", e => noted.refused.push(`${e.violatedDirective} ${e.blockedURI}`));
"""

# where each part of the text begins
PLACES = """() => [...document.querySelectorAll("article section > *")]
  .map(part => Math.round(part.getBoundingClientRect().y + scrollY))"""


@pytest.fixture(scope="session")
def compressing_book(built_book):
    """The address of the book as `make serve` serves it."""
    spec = spec_from_file_location("serve", ROOT / "tools" / "serve.py")
    tool = module_from_spec(spec)
    spec.loader.exec_module(tool)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(tool.Book, directory=str(built_book))) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def visit(chromium, address: str, width: int = 1280, height: int = 900, **options):
    """A fresh page of a browser with nothing in its cache, at rest."""
    context = chromium.new_context(viewport={"width": width, "height": height}, locale="en-US", **options)
    page = context.new_page()
    page.add_init_script(NOTES)
    page.goto(address, wait_until="load")
    rest(page)
    return page


def rest(page) -> None:
    """Wait until the fonts are there and what follows from them is painted."""
    page.evaluate("document.fonts.ready.then(() => new Promise(done => setTimeout(done, 100)))")


def weigh(chromium, address: str) -> tuple[int, int]:
    """(as they travelled, unpacked): the bytes that a page needs from a cold cache."""
    context = chromium.new_context()
    page, loaded = context.new_page(), []
    page.on("requestfinished", lambda request: loaded.append(request))
    page.goto(address, wait_until="networkidle")
    travelled = sum(request.sizes()["responseBodySize"] for request in loaded)
    plain = sum(len(request.response().body()) for request in loaded if not request.url.startswith("data:"))
    context.close()
    return travelled, plain


@pytest.mark.parametrize("name", [*CHAPTERS, *SEARCHES, *(f"{name}?q=BatchNorm" for name in SEARCHES)])
def test_a_page_is_light(compressing_book, chromium, name):
    travelled, plain = weigh(chromium, f"{compressing_book}/{name}")
    assert plain <= WEIGHT
    assert travelled <= COMPRESSED
    assert travelled < plain / 2  # it was compressed


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_page_asks_for_the_index_when_there_is_something_to_look_for(compressing_book, chromium, name):
    assert weigh(chromium, f"{compressing_book}/{name}")[0] < 75_000
    page = visit(chromium, f"{compressing_book}/{name}")
    with page.expect_response("**/_static/search-*.js"):
        page.locator(".bd-search-container input").press_sequentially("v")
    page.context.close()


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", SEARCHES)
def test_nothing_jumps_when_what_was_found_arrives(served_book, chromium, name, width):
    page = visit(chromium, f"{served_book}/{name}?q=BatchNorm", width)
    page.locator("#search-results li").first.wait_for()
    rest(page)
    assert page.evaluate("noted.shift") < 0.01
    page.context.close()


@pytest.mark.parametrize("name", [*CHAPTERS, *SEARCHES])
def test_a_page_is_painted_before_its_scripts_come(built_book, name):
    soup = BeautifulSoup((built_book / name).read_text(encoding="utf-8"), "html.parser")
    blocking = [
        script["src"] for script in soup.head.find_all("script") if not {"defer", "async"} & script.attrs.keys()
    ]
    assert [src for src in blocking if not src.partition("?")[0].endswith(SMALL)] == []


def test_the_whole_site_is_small(built_book):
    assert sum(path.stat().st_size for path in built_book.rglob("*") if path.is_file()) <= SITE


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_is_ready_within_a_second(compressing_book, chromium, name):
    found = []
    for _ in range(3):  # the best counts: a busy machine is not the book's fault
        page = visit(chromium, f"{compressing_book}/{name}")
        found.append(page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"))
        page.context.close()
        if found[-1] <= 1000:
            break
    assert min(found) <= 1000


@pytest.mark.parametrize("name", [*CHAPTERS, *SEARCHES])
def test_a_page_needs_little_work_of_the_browser(compressing_book, chromium, name):
    """What Lighthouse's score of performance hangs on, counted in processor time: other work on the machine is no part.

    Lighthouse slows the processor down four times, and takes points off for tasks that block it for long.
    """
    context = chromium.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    devtools = context.new_cdp_session(page)
    devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto(f"{compressing_book}/{name}", wait_until="load")
    rest(page)
    found = {one["name"]: one["value"] for one in devtools.send("Performance.getMetrics")["metrics"]}
    assert 0 < found["TaskDuration"] < 0.6  # seconds; a chapter takes about 0.2
    context.close()


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", CHAPTERS)
def test_nothing_jumps_when_widgets_and_mathematics_arrive(served_book, chromium, name, width):
    page = visit(chromium, f"{served_book}/{name}", width)
    for widget in page.locator(".bnlib-widget[data-widget]").all():
        widget.evaluate("box => box.scrollIntoView({behavior: 'instant'})")
        widget.locator(".bnlib-frame").wait_for()
    page.evaluate("scrollTo({top: 0, behavior: 'instant'})")
    rest(page)
    assert page.evaluate("noted.shift") < 0.01
    at_rest = page.evaluate(PLACES)
    # how the page stands before any script has run, but that which brings the font of the formulas to the first line
    page.route(lambda url: ".js" in url and "course-math-font" not in url, lambda route: route.abort())
    page.reload()
    rest(page)
    assert page.evaluate(PLACES) == at_rest
    page.context.close()


@pytest.mark.parametrize("width", [1280, 600, 480, 390, 320])
@pytest.mark.parametrize("name", WITH_WIDGETS)
def test_a_widget_has_the_room_it_needs_before_it_is_drawn(served_book, chromium, name, width):
    page = visit(chromium, f"{served_book}/{name}", width)
    draw_widgets(page)
    widgets = page.locator(".bnlib-widget[data-widget]")
    assert widgets.count() > 0
    for widget in widgets.all():
        kept = float(widget.evaluate("box => getComputedStyle(box).minHeight").removesuffix("px"))
        assert widget.bounding_box()["height"] <= kept + 1, "run tools/widget_heights.py"
        needed = widget.evaluate("box => { box.style.minHeight = 0; return box.getBoundingClientRect().height }")
        assert width < 1280 or kept <= needed + 16, "run tools/widget_heights.py"  # no gap on a wide page
    page.context.close()


@pytest.mark.parametrize("name", EVERY)
def test_the_policy_stands_in_a_page_and_refuses_nothing_on_plain_files(file_book, chromium, name):
    page = visit(chromium, f"{file_book}/{name}")
    policy = page.locator("meta[http-equiv=Content-Security-Policy]").get_attribute("content")
    assert set(policy.split("; ")) >= POLICY and "unsafe-eval" not in policy
    assert policy.count("unsafe") == 1 and "http" not in policy
    page.locator(".theme-switch-button").first.click()
    page.keyboard.press("Control+k")
    assert page.evaluate("noted.refused") == []
    page.context.close()


def test_the_policy_refuses_a_script_in_a_page(served_book, chromium):
    page = visit(chromium, f"{served_book}/index.html?choose")
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = 1'}))")
    page.wait_for_function("() => noted.refused.length > 0")
    assert page.evaluate("window.ran") is None
    page.context.close()


@pytest.mark.parametrize("name", EVERY)
def test_a_page_is_valid_and_holds_no_script(built_book, name):
    text = (built_book / name.partition("?")[0]).read_text(encoding="utf-8")
    parser = html5lib.HTMLParser()
    parser.parse(text)
    assert [(where, what) for where, what, _ in parser.errors] == []
    soup = BeautifulSoup(text, "html.parser")
    assert [str(script) for script in soup.find_all("script") if not script.get("src")] == []
    handlers = [(tag.name, key) for tag in soup.find_all(True) for key in tag.attrs if key.startswith("on")]
    assert handlers == [] and not soup.select("[href^='javascript:']")
    ids = [tag["id"] for tag in soup.find_all(id=True)]
    assert sorted(ids) == sorted(set(ids))
    assert soup.find("meta", attrs={"name": "description"})["content"].strip()


def violations(page, options: dict) -> list[tuple]:
    """What axe finds wrong: its rule, where, and the element; text in its background's colour it calls incomplete."""
    found = page.evaluate(f"options => axe.run(options).then({WRONG})", {**options, **QUICK})
    return [(rule["id"], node["target"], node["html"][:120]) for rule in found for node in rule["nodes"]]


@pytest.mark.parametrize("name", EVERY)
def test_axe_finds_nothing_wrong_and_the_policy_refuses_nothing_on_a_server(served_book, chromium, name):
    page = visit(chromium, f"{served_book}/{name}", reduced_motion="reduce")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    page.evaluate(UNFOLD)
    for width in (1280, 390):
        for scheme, options in (("light", {}), ("dark", {"runOnly": COLOURS})):  # the dark differs in colours alone
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 900})
            page.locator(f"html[data-theme={scheme}]").wait_for(state="attached")
            page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done())))")
            assert violations(page, options) == [], f"{scheme}, {width} px wide"
    assert page.evaluate("noted.refused") == []
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_axe_finds_nothing_wrong_in_what_opens_over_a_page(served_book, chromium, language, scheme):
    """The search's dialog, and what a symbol of a formula says when it is asked."""
    page = visit(chromium, f"{served_book}/chapters/{language}/02_formulas.html", color_scheme=scheme)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    page.locator("#equation-2-1 [data-symbol=mu-B]").click()
    page.locator("#symbol-tip:visible").wait_for()
    assert violations(page, {}) == []
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.locator("dialog[open]").wait_for()
    assert violations(page, {}) == []
    page.context.close()


def test_the_reader_s_choice_of_dark_is_there_before_the_first_paint(served_book, chromium):
    page = visit(chromium, f"{served_book}/index.html?choose", color_scheme="light")
    page.evaluate("localStorage.setItem('mode', 'dark')")
    page.route("**/*.js", lambda route: route.continue_() if "theme-mode" in route.request.url else route.abort())
    page.reload()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.context.close()


def test_icons_are_drawn(served_book, chromium):
    page = visit(chromium, f"{served_book}/{CHAPTERS[0]}")
    for icon in page.locator(".article-header-buttons i:visible").all():
        mask = icon.evaluate("icon => getComputedStyle(icon, '::before').maskImage")
        assert mask.startswith('url("data:image/svg+xml,'), icon.evaluate("icon => icon.className")
    page.context.close()


@pytest.mark.parametrize(
    ("accepts", "encoded"),
    [("gzip, br", True), ("br;q=1, *;q=0.5", True), ("gzip;q=0", False), ("identity", False), ("", False)],
)
def test_the_server_compresses_for_those_who_can_read_it(built_book, compressing_book, accepts, encoded):
    reply = urlopen(Request(f"{compressing_book}/index.html", headers={"Accept-Encoding": accepts}))
    assert (reply.headers["Content-Encoding"] == "gzip") == encoded
    assert "Accept-Encoding" in reply.headers["Vary"]
    body = reply.read()
    assert len(body) == int(reply.headers["Content-Length"])
    assert (gzip.decompress(body) if encoded else body) == (built_book / "index.html").read_bytes()
