"""The built book speaks its reader's language: where it leads, what it remembers, what it says, how Chinese is set."""

import re

import pytest
from browser_fixtures import LANGUAGES, contents, every_page
from bs4 import BeautifulSoup

HAN = re.compile("[\u3400-\u9fff]")
# what a Chinese page says in Latin letters outside of its text: names, keys, and the language of the other page
SAME = re.compile(
    r"bnlib[\w.]*|JupyterLab|Jupyter|Colab|Binder|Ctrl|English|PDF|LeNet|BN|K|\.?ipynb|\.?zip|CC BY 4\.0|MIT|"
    r"Fashion-MNIST|Zalando SE|GitHub"
)
# what is seen or heard around the text
AROUND = """() => {
  const found = new Set([document.title]);
  const outside = (element) => !element.closest("article, script, style, code, .language-switch, ul.search");
  for (const element of document.querySelectorAll("body *")) {
    if (!outside(element)) continue;
    for (const name of ["aria-label", "title", "placeholder", "alt", "value", "data-bs-title", "data-tooltip"]) {
      if (element.getAttribute(name)) found.add(element.getAttribute(name));
    }
    for (const part of element.childNodes) if (part.nodeType === 3 && part.data.trim()) found.add(part.data.trim());
  }
  for (const name of ["aria-label", "title", "data-tooltip"]) {
    for (const element of document.querySelectorAll(`article [${name}]`)) found.add(element.getAttribute(name));
  }
  return [...found];
}"""


@pytest.fixture(params=["http", "file"])
def book(request):
    return request.getfixturevalue({"http": "served_book", "file": "file_book"}[request.param])


# the landing page


@pytest.mark.parametrize(
    ("locale", "language"),
    [("en-GB", "en"), ("zh-CN", "zh"), ("zh-TW", "zh"), ("fr-FR", None)],
    ids=lambda value: str(value),
)
def test_the_landing_page_chooses_by_the_browsers_language(book, open_page, locale, language):
    page, troubles = open_page(f"{book}/index.html", locale=locale)
    if language is None:
        assert page.locator(".landing > div").count() == 2 and page.url.endswith("/index.html")
    else:
        page.wait_for_url(f"**/chapters/{language}/index.html")
        assert page.locator("html").get_attribute("lang") == LANGUAGES[language]
        assert page.evaluate("history.length") <= 2  # one step back leaves the book
    assert troubles == []


def test_what_the_reader_chose_is_remembered(served_book, open_page):
    page, troubles = open_page(f"{served_book}/index.html")
    page.wait_for_url("**/chapters/en/index.html")
    page.locator("a.language-switch").click()
    page.wait_for_url("**/chapters/zh/index.html")
    page.goto(f"{served_book}/index.html")
    page.wait_for_url("**/chapters/zh/index.html")
    page.goto(f"{served_book}/index.html?choose")  # and can be chosen anew
    page.locator(".landing a[href='chapters/en/index.html']").click()
    page.goto(f"{served_book}/")
    page.wait_for_url("**/chapters/en/index.html")
    page.goto(f"{served_book}/search.html?q=variance")
    page.wait_for_url("**/chapters/en/search.html?q=variance")
    assert troubles == []


def test_a_browser_that_keeps_nothing_is_served_as_well(served_book, chromium):
    context = chromium.new_context(locale="zh-CN")
    context.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('denied'); }})"
    )
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{served_book}/index.html?choose")
    page.locator(".landing a[href='chapters/en/index.html']").click()
    page.wait_for_url("**/chapters/en/index.html")
    page.locator("a.language-switch").click()
    page.wait_for_url("**/chapters/zh/index.html")
    assert [error for error in errors if "denied" not in error] == []
    context.close()


def test_without_scripts_the_landing_page_offers_both(served_book, chromium):
    context = chromium.new_context(java_script_enabled=False, locale="zh-CN")
    page = context.new_page()
    page.goto(f"{served_book}/index.html")
    assert [box.get_attribute("lang") for box in page.locator(".landing > div").all()] == list(LANGUAGES.values())
    context.close()


# one page in two languages


@pytest.mark.parametrize("page", [page for language in LANGUAGES for page in contents(language)])
def test_a_page_tells_search_engines_where_its_counterpart_is(served_book, open_page, built_book, page):
    opened, _ = open_page(f"{served_book}/{page}.html")
    alternates = opened.evaluate(
        "() => Object.fromEntries([...document.querySelectorAll('link[rel=alternate][hreflang]')]"
        ".map((link) => [link.hreflang, link.href]))"
    )
    folder, _, name = page.split("/")
    expected = {tag: f"{served_book}/{folder}/{code}/{name}.html" for code, tag in LANGUAGES.items()}
    if page == f"chapters/{page.split('/')[1]}/index":
        expected["x-default"] = f"{served_book}/index.html"
    assert alternates == expected


def numbers(built_book, page: str) -> list[str]:
    soup = BeautifulSoup((built_book / f"{page}.html").read_text("utf-8"), "html.parser").article
    return [tag.get_text() for tag in soup.select(".eqno")] + [
        tag.name for tag in soup.select("h1, h2, h3, h4, img, svg, table, .bnlib-widget, details")
    ]


@pytest.mark.parametrize("page", [page for page in contents("en") if page.startswith("chapters/en/0")])
def test_numbers_headings_and_figures_are_the_same_on_both_sides(built_book, page):
    assert numbers(built_book, page) == numbers(built_book, page.replace("/en/", "/zh/")) != []


@pytest.mark.parametrize("name", [name for name in every_page() if "/zh/" in name])
def test_what_surrounds_a_chinese_page_is_chinese(served_book, open_page, name):
    page, _ = open_page(f"{served_book}/{name}{'?q=xylophone' if 'search' in name else ''}", locale="zh-CN")
    page.keyboard.press("Control+k")
    said = page.evaluate(AROUND)
    strange = [text for text in said if re.search("[A-Za-z]{2}", SAME.sub("", text)) and not HAN.search(text)]
    assert strange == []


@pytest.mark.parametrize("name", [name for name in every_page() if "/en/" in name])
def test_what_surrounds_an_english_page_is_english(served_book, open_page, name):
    page, _ = open_page(f"{served_book}/{name}")
    own = [text for text in page.evaluate(AROUND) if HAN.search(text)]
    assert [text for text in own if text != "本页的中文版"] == []


# Chinese type


def style(page, selector: str, *names: str) -> list[str]:
    return page.locator(selector).first.evaluate(
        "(element, names) => names.map((name) => getComputedStyle(element).getPropertyValue(name))", list(names)
    )


def test_chinese_is_set_as_chinese(served_book, open_page):
    page, _ = open_page(f"{served_book}/chapters/zh/02_formulas.html")
    height, size, align, breaking = style(page, "article p", "line-height", "font-size", "text-align", "line-break")
    assert float(height[:-2]) / float(size[:-2]) >= 1.75 and align == "start" and breaking == "strict"
    assert style(page, "article em", "font-style", "font-weight") == ["normal", "600"]
    for selector in ("article em", "article cite", ".prev-next-footer p"):
        if page.locator(selector).count():
            assert style(page, selector, "font-style") == ["normal"]
    assert "monospace" in style(page, "article code", "font-family")[0]
    english, _ = open_page(f"{served_book}/chapters/en/02_formulas.html")
    assert style(english, "article em", "font-style") == ["italic"]
    assert "Noto Sans CJK" not in style(english, "article p", "font-family")[0]


def test_chinese_quotation_marks_are_as_wide_as_a_character(served_book, open_page):
    page, _ = open_page(f"{served_book}/chapters/zh/02_formulas.html")
    widths = page.evaluate("""() => ["“", "”", "…", "归"].map((sign) => {
      const line = document.createElement("span");
      line.style.textSpacingTrim = "space-all";
      line.textContent = sign.repeat(20);
      document.querySelector("article p").append(line);
      const width = line.getBoundingClientRect().width / 20;
      line.remove();
      return width;
    })""")
    assert max(widths) - min(widths) < 1
