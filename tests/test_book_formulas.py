"""Formulas in their text: no line begins with the comma behind one, they are copied as TeX, explained, legible."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from browser_fixtures import LANGUAGES

DERIVED = "chapters/{}/02_formulas"  # the chapter with the displayed equations
AXE = Path(find_spec("axe_playwright_python").submodule_search_locations[0]) / "axe.min.js"


# closing punctuation behind a formula, but a line lower
ALONE = """() => [...document.querySelectorAll("article span.math")].filter((math) => {
  const text = math.nextSibling;
  if (text?.nodeType !== Node.TEXT_NODE || !/^[，。；：、）？！,.;:)?!]/.test(text.data)) return false;
  const mark = document.createRange();
  mark.setStart(text, 0);
  mark.setEnd(text, 1);
  return mark.getBoundingClientRect().top > math.getBoundingClientRect().bottom - 2;
}).map((math) => math.parentElement.textContent.slice(0, 80))"""


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_line_begins_with_the_punctuation_behind_a_formula(served_book, open_page, language):
    page, _ = open_page(f"{served_book}/{DERIVED.format(language)}.html")
    for width in (360, 390, 420):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate(ALONE) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


# what stands under each root, the room behind that, the depth of the sign below it
ROOTS = """() => [...document.querySelectorAll("article msqrt")].map((root) => {
  const [whole, ...inside] = [root, ...root.children].map((part) => part.getBoundingClientRect());
  const size = parseFloat(getComputedStyle(root).fontSize);
  const edge = (side) => Math.max(...inside.map((part) => part[side]));
  return [root.textContent, (whole.right - edge("right")) / size, (whole.bottom - edge("bottom")) / size];
})"""


def test_the_sign_of_a_root_fits_what_stands_under_it(served_book, open_page):
    page, _ = open_page(f"{served_book}/{DERIVED.format('zh')}.html")
    roots = page.evaluate(ROOTS)
    assert len(roots) > 5 and max(room for _, room, _ in roots) < 0.1  # Chromium keeps room for the font's widest sign
    letters = [depth for inside, _, depth in roots if len(inside) == 1]
    assert letters and max(letters) < 0.15


@pytest.mark.parametrize("language", LANGUAGES)
def test_formulas_are_copied_as_tex(served_book, open_page, language):
    page, _ = open_page(f"{served_book}/{DERIVED.format(language)}.html")
    copied = page.evaluate("""() => {
      const [from, to] = [document.querySelector("#equation-2-1 mi"), document.querySelector("#equation-2-3 mfrac mi")];
      getSelection().setBaseAndExtent(from, 0, to, 0);
      const event = new ClipboardEvent("copy", {clipboardData: new DataTransfer(), bubbles: true, cancelable: true});
      document.dispatchEvent(event);
      const [text, html] = ["plain", "html"].map((kind) => event.clipboardData.getData(`text/${kind}`));
      return [text, html, event.defaultPrevented];
    }""")
    lines = [line for line in copied[0].splitlines() if line]
    assert lines[0] == r"$$\mu_B = \frac{1}{m}\sum_{i=1}^{m} x_i$$" and copied[2]
    assert r"$$\hat x_i = \frac{x_i-\mu_B}{\sqrt{\sigma_B^2+\epsilon}}$$" in lines and "$m$" in copied[0]
    assert "<math" in copied[1]
    assert page.evaluate("document.body.lastElementChild.dataset.tex === undefined")


def test_an_explaining_equation_wider_than_a_phone_is_shown_smaller(served_book, open_page):
    page, troubles = open_page(f"{served_book}/{DERIVED.format('en')}.html", width=390)
    page.locator("article details").evaluate_all("all => all.forEach(folded => (folded.open = true))")
    page.locator("a.equation-link[href='#equation-2-10']").first.hover()
    tip = page.locator("#symbol-tip")
    assert tip.locator("math mfrac").count() == 5
    assert tip.bounding_box()["width"] <= 390 and tip.evaluate("tip => tip.scrollWidth <= tip.clientWidth + 1")
    assert tip.evaluate("tip => parseFloat(getComputedStyle(tip).fontSize)") >= 8
    assert troubles == []


@pytest.mark.parametrize(("language", "dark"), [("en", False), ("zh", True)])
def test_axe_finds_nothing_wrong_with_explanations_and_stops(served_book, open_page, language, dark):
    page, troubles = open_page(f"{served_book}/{DERIVED.format(language)}.html", width=390, dark=dark)
    page.locator("#symbols > summary").click()
    page.locator(".symbols-keys button").click()
    page.locator("#equation-2-3 [data-symbol]").first.hover()
    assert page.locator("#symbol-tip").is_visible()
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run({include: ['#symbols', '#equation-2-3', '#symbol-tip']}).then(r => r.violations)")
    assert [(rule["id"], [node["html"][:120] for node in rule["nodes"]]) for rule in found] == []
    assert troubles == []
