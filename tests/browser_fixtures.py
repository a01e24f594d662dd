"""What tests of the built book share: the book itself, a server for it, and Chromium with its pages under watch."""

import os
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parent.parent
LANGUAGES = {"en": "en", "zh": "zh-CN"}  # folder below chapters/ -> html lang
_FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
_MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"


def contents(language: str) -> list[str]:
    """All pages of a language in the order of the table of contents, from the repository's root without an ending."""

    def listed(chapters):
        return [page for one in chapters for page in [one["file"], *listed(one.get("sections", []))]]

    table = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    pages = [page for part in table["parts"] for page in listed(part["chapters"])]
    return [page for page in pages if page.split("/")[1] == language]


def chapters() -> list[str]:
    """The names of the notebooks, the same in both languages."""
    names = [page.removeprefix("chapters/en/") for page in contents("en") if (ROOT / f"{page}.ipynb").is_file()]
    assert [page.replace("/en/", "/zh/", 1) for page in contents("en")] == contents("zh")
    return names


def made_pages() -> list[str]:
    """The pages without a notebook, in both languages: glossary, references, the library."""
    return [page for language in LANGUAGES for page in contents(language) if not (ROOT / f"{page}.ipynb").is_file()]


def every_page() -> list[str]:
    """All pages of the built book, as addresses below it; the landing page as it is for one who wants to choose."""
    own = [page for language in LANGUAGES for page in contents(language)]
    own += [f"chapters/{language}/{page}" for language in LANGUAGES for page in ("search", "colab", "local")]
    return ["index.html?choose", *(f"{page}.html" for page in own)]


@pytest.fixture(scope="session")
def built_book() -> Path:
    """The folder of the built HTML, brought up to date with warnings as errors."""
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", ".", "-W", "-n", "--keep-going"]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if built.returncode:
        shutil.rmtree(ROOT / "_build" / ".doctrees", ignore_errors=True)  # or the next build would not warn again
        pytest.fail(f"{' '.join(command)} failed:\n{built.stdout[-3000:]}\n{built.stderr[-3000:]}", pytrace=False)
    return ROOT / "_build" / "html"


@cache
def parsed(path: Path) -> BeautifulSoup:
    """A built page."""
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


@pytest.fixture
def read(built_book):
    """read(page): a built page by its name below the book, without an ending."""
    return lambda page: parsed(built_book / f"{page}.html")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format, *args):
        pass


@contextmanager
def serve(folder: Path):
    """A server on a free port of this machine; gives its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="session")
def served_book(built_book):
    """The address of the built book on a local server."""
    with serve(built_book) as address:
        yield address


@pytest.fixture(scope="session")
def file_book(built_book) -> str:
    """The address of the built book as plain files."""
    return built_book.as_uri()


@pytest.fixture(scope="session")
def chromium():
    """A running Chromium: $CHROMIUM, the machine's own, or playwright's."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        named = [os.environ.get("CHROMIUM"), _MAC, playwright.chromium.executable_path]
        found = [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")]
        candidates = [path for path in (named[0], *found, *named[1:]) if path and Path(path).is_file()]
        if named[0] and not Path(named[0]).is_file():
            pytest.fail(f"$CHROMIUM is {named[0]!r}, which is no file; unset it or name a browser", pytrace=False)
        if not candidates:
            pytest.skip("no Chromium on this machine: install it (apt install chromium) or set $CHROMIUM to its path")
        browser = playwright.chromium.launch(executable_path=candidates[0], args=_FLAGS)
        yield browser
        browser.close()


CLICKED = """() => { window.clicked = new Promise((done, late) => {
  addEventListener("click", () => done(), {once: true});
  setTimeout(() => late(new Error("no click came of a tap within 30 s")), 30_000);
}) }"""


def draw_widgets(page) -> None:
    """Have all widgets drawn: each waits until it comes near the window, or somebody presses a key."""
    page.keyboard.press("Shift")


def tap(node) -> None:
    """Tap on a node, and wait for the click that the browser makes of it: a while after the finger has left."""
    page = node.page
    page.evaluate(CLICKED)
    node.tap()
    page.evaluate("clicked")


@pytest.fixture
def open_page(chromium):
    """open_page(address, width=1280, dark=False, locale="en-US", ...) -> (page, troubles): a page, what went wrong.

    The page is fresh, with its widgets drawn; further options are those of a browser's context in Playwright. Troubles
    are console errors, errors of scripts, failed requests and requests to other hosts than the page's own; more are
    added as they happen.
    """
    contexts = []

    def open_(address: str, width: int = 1280, dark: bool = False, locale: str = "en-US", **options):
        context = chromium.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",  # no smooth scrolling to wait for
            locale=locale,
            **options,
        )
        contexts.append(context)
        page, troubles = context.new_page(), []
        own = urlsplit(address).netloc

        def on_request(request):
            parts = urlsplit(request.url)
            if parts.scheme not in ("data", "blob") and (parts.scheme, parts.netloc) != (urlsplit(address).scheme, own):
                troubles.append(f"request to another host: {request.url}")

        def on_failure(request):
            if request.failure != "net::ERR_ABORTED":  # so ends what becomes a download, or a page left early
                troubles.append(f"failed: {request.url}: {request.failure}")

        page.on("request", on_request)
        page.on("requestfailed", on_failure)
        page.on("console", lambda m: troubles.append(f"console: {m.text}") if m.type == "error" else None)
        page.on("pageerror", lambda error: troubles.append(f"script: {error}"))
        page.goto(address, wait_until="load")
        draw_widgets(page)
        return page, troubles

    yield open_
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def module_page(chromium):
    """module_page(name) -> a page in which the functions of the widget's module bnlib/learn/NAME.js can be called."""
    from bnlib.learn.widget import module

    pages = {}

    def page_of(name: str):
        if name not in pages:
            page = pages[name] = chromium.new_page()
            page.add_script_tag(content=module(name).replace("export default ", "window.widget = "))
            assert page.evaluate("typeof widget.render") == "function"
        return pages[name]

    yield page_of
    for page in pages.values():
        page.close()
