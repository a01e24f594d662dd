"""The built book in Chromium, over http and from plain files: nothing foreign, nothing broken, both languages."""

import re
import zipfile
from urllib.parse import quote, urlsplit

import pytest
from browser_fixtures import LANGUAGES, ROOT, chapters, every_page

CHAPTERS = chapters()
PAGES = [f"chapters/{language}/{name}.html" for language in LANGUAGES for name in CHAPTERS]
EVERY = every_page()


# what reaches beyond a narrow window, and can't be scrolled to
CUT_OFF = """() => {
  const scrolls = (box) => ["auto", "scroll"].includes(getComputedStyle(box).overflowX);
  const reached = (element) => {
    for (let box = element; box && box.tagName !== "ARTICLE"; box = box.parentElement) if (scrolls(box)) return true;
    return false;
  };
  return [...document.querySelectorAll("article *")]
    .filter((element) => !element.closest("svg"))
    .filter((element) => element.getBoundingClientRect().right > innerWidth + 1 && !reached(element))
    .map((element) => element.outerHTML.slice(0, 100));
}"""


@pytest.fixture(params=["http", "file"])
def book(request):
    return request.getfixturevalue({"http": "served_book", "file": "file_book"}[request.param])


def language_of(address: str) -> str:
    return re.findall(r"/(?:chapters|api)/(\w+)/", urlsplit(address).path)[-1]


def settle(page) -> None:
    """Wait until nothing moves any more."""
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done())))")


@pytest.mark.parametrize("name", EVERY)
def test_a_page_opens_without_trouble_and_fits_a_phone(book, open_page, name):
    page, troubles = open_page(f"{book}/{name}")
    settle(page)
    assert (
        page.locator("article .math > math, article .math > .math-scroll > math").count()
        == page.locator("article .math").count()
    )
    for widget in page.locator(".bnlib-widget[data-widget]").all():
        assert widget.locator(".bnlib-frame").count() == 1  # drawn by its module, not the still picture
    for image in page.locator("article img").all():
        assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0

    page.set_viewport_size({"width": 390, "height": 800})
    page.evaluate("document.querySelectorAll('details').forEach(box => (box.open = true))")
    settle(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate(CUT_OFF) == []

    page.emulate_media(color_scheme="dark")
    page.locator("html[data-theme=dark]").wait_for(state="attached")
    for image in page.locator("article .cell_output img").all():  # drawn dark on light
        assert image.evaluate("image => getComputedStyle(image).backgroundColor") == "rgb(255, 255, 255)"
    assert troubles == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_long_names_in_the_glossary_fit_the_smallest_phone(served_book, open_page, language):
    page, _ = open_page(f"{served_book}/chapters/{language}/glossary.html", width=320)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def sections(page) -> list[str]:
    return page.eval_on_selector_all("article section[id]", "found => found.map(section => section.id)")


def current_section(page) -> int:
    """Where in the page's order of sections its address points; the top counts as the first."""
    anchor = page.evaluate("decodeURIComponent(location.hash.slice(1))")
    return sections(page).index(anchor) if anchor else 0


@pytest.mark.parametrize("name", PAGES)
def test_the_switch_leads_to_the_same_section_and_back(served_book, open_page, name):
    switch_there_and_back(*open_page(f"{served_book}/{name}"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_switch_works_on_pages_opened_from_files(file_book, open_page, language):
    switch_there_and_back(*open_page(f"{file_book}/chapters/{language}/{CHAPTERS[1]}.html"))


def switch_there_and_back(page, troubles) -> None:
    address = page.url
    settle(page)
    start, ids = language_of(page.url), sections(page)
    for number in sorted({1, len(ids) // 2, len(ids) - 1}):
        page.goto(f"{address}#{quote(ids[number])}")
        settle(page)
        for language in [code for code in LANGUAGES if code != start] + [start]:  # there, and back again
            page.locator("a.language-switch").click()
            page.wait_for_url(f"**/chapters/{language}/**")
            settle(page)
            assert page.locator("html").get_attribute("lang") == LANGUAGES[language]
            assert current_section(page) == number
            heading = page.locator("article section[id] > :is(h1, h2, h3, h4)").nth(number)
            assert 0 <= heading.bounding_box()["y"] < 900
    assert troubles == []


@pytest.mark.parametrize("name", PAGES)
def test_the_switch_follows_the_reader_who_scrolls(served_book, open_page, name):
    page, _ = open_page(f"{served_book}/{name}")
    settle(page)
    number = max(1, len(sections(page)) // 2)
    page.locator("article section[id] > :is(h1, h2, h3, h4)").nth(number).evaluate(
        "heading => scrollTo({top: heading.getBoundingClientRect().top + scrollY - 120, behavior: 'instant'})"
    )
    page.locator("a.language-switch").click()
    page.wait_for_url("**#*")
    assert current_section(page) == number


def test_the_switch_of_an_unscrolled_page_leads_to_the_top(served_book, open_page):
    page, _ = open_page(f"{served_book}/{PAGES[0]}")
    page.locator("a.language-switch").click()
    page.wait_for_url(f"**/chapters/zh/{CHAPTERS[0]}.html")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_notebook_is_saved_as_it_is(book, open_page, language):
    name = f"chapters/{language}/{CHAPTERS[1]}"
    page, troubles = open_page(f"{book}/{name}.html")
    with page.expect_download() as download:
        page.locator("a[download$='.ipynb']").click()
    assert download.value.suggested_filename == f"{CHAPTERS[1]}.ipynb"
    assert download.value.path().read_bytes() == (ROOT / f"{name}.ipynb").read_bytes()
    assert troubles == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_colab_button_leads_to_the_library(book, open_page, language):
    page, troubles = open_page(f"{book}/chapters/{language}/{CHAPTERS[1]}.html")
    button = page.locator("a.page-link-button", has_text="Colab")
    if "colab.research.google.com" in button.get_attribute("href"):  # the repository's address has been filled in
        page.goto(f"{book}/chapters/{language}/colab.html")
    else:
        button.click()
    with page.expect_download() as download:
        page.locator("article a[download]").click()
    assert zipfile.is_zipfile(download.value.path())
    assert troubles == []
