"""Measure how high the widgets of the built book are, and write book/static/widget-heights.css: run `make book` before.

A widget takes the place of its still picture once its script has run. The room it needs is kept free from the start, so
that nothing below it jumps; at which width it needs how much only a browser can tell.
"""

import math
from collections import defaultdict
from pathlib import Path

import chromium

ROOT = Path(__file__).resolve().parent.parent
BOOK = ROOT / "_build" / "html"
STYLE = ROOT / "book" / "static" / "widget-heights.css"
RANGES = {  # greatest width of the window -> widths at which it is measured, all of them down to the next range
    None: (1600, 1280, 1000, 800, 700, 680),  # from here on a widget is as wide as it gets
    679: (679, 650, 620),
    619: (619, 600, 570, 540),
    539: (539, 520, 500, 480),
    479: (479, 440, 400),
    399: (399, 390, 360),
    359: (359, 340, 320),
}
HEAD = """/* The room that each widget needs at most, by language and width of the window, so nothing below it jumps
   when it takes the place of its still picture. Written by tools/widget_heights.py. */
"""
MEASURE = """() => [...document.querySelectorAll(".bnlib-widget")].map((place) => {
  place.style.minHeight = "0";
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const selector = place.dataset.key ? `[data-key="${place.dataset.key}"]` : `[data-widget="${place.dataset.widget}"]`;
  return [selector, place.getBoundingClientRect().height / rem];
})"""


def measured(page, book: Path = BOOK) -> dict[tuple[str, str], dict[int | None, float]]:
    """(selector of a widget, language of its page) -> greatest width of the window -> its greatest height in rem.

    A card is text in the one form as in the other, so the higher of the two counts.
    """
    heights = defaultdict(lambda: defaultdict(float))
    for path in sorted(book.glob("chapters/*/*.html")):
        if 'class="bnlib-widget"' not in path.read_text(encoding="utf-8"):
            continue
        for limit, widths in RANGES.items():
            for width in widths:
                page.set_viewport_size({"width": width, "height": 900})
                page.goto(path.as_uri())
                language = page.locator("html").get_attribute("lang")
                still = [(selector, height) for selector, height in page.evaluate(MEASURE) if "key" in selector]
                page.keyboard.press("Shift")  # or a widget would wait until it comes near the window
                for selector, height in [*still, *page.evaluate(MEASURE)]:
                    known = heights[selector, language]
                    known[limit] = max(known[limit], math.ceil(4 * height) / 4)
    return heights


def style(heights: dict[tuple[str, str], dict[int | None, float]]) -> str:
    """The rules, the widest windows first."""
    lines = [HEAD, "@media (scripting: enabled) {\n"]
    for limit in RANGES:
        rules = [
            f"html:lang({language}) .bnlib-widget{selector} {{ min-height: {by_width[limit]:g}rem; }}\n"
            for (selector, language), by_width in sorted(heights.items())
        ]
        if limit is None:
            lines += [f"  {rule}" for rule in rules]
        else:
            lines += [f"  @media (max-width: {limit}px) {{\n", *(f"    {rule}" for rule in rules), "  }\n"]
    return "".join([*lines, "}\n"])


if __name__ == "__main__":
    with chromium.page() as page:
        STYLE.write_text(style(measured(page)), encoding="utf-8")
    print(f"{STYLE.relative_to(ROOT)} is written; look at it, and build the book again")
