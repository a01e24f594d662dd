"""Measure how high the widgets of the built book are, and write book/widget-heights.json: run `make book` before.

A widget takes the place of its still picture once its script has run. The room it needs is kept free from the start, so
that nothing below it jumps; at which width it needs how much only a browser can tell.
"""

import json
import math
from collections import defaultdict
from pathlib import Path

import chromium

ROOT = Path(__file__).resolve().parent.parent
BOOK = ROOT / "_build" / "html"
HEIGHTS = ROOT / "book" / "widget-heights.json"
RANGES = {  # greatest width of the window -> widths at which it is measured, all of them down to the next range
    None: (1600, 1280, 1000, 800, 700, 680),  # from here on a widget is as wide as it gets
    679: (679, 650, 620),
    619: (619, 600, 570, 540),
    539: (539, 520, 500, 480),
    479: (479, 460, 440),
    439: (439, 428, 420),
    419: (419, 412, 400),
    399: (399, 390, 385),  # most telephones, where a line more or less shows
    384: (384, 375, 370),
    369: (369, 360),
    359: (359, 340, 320),
}
MEASURE = """() => [...document.querySelectorAll(".bnlib-widget")].map((place) => {
  place.style.minHeight = "0";
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  return [place.id, place.getBoundingClientRect().height / rem];
})"""


def measured(page, book: Path = BOOK) -> dict[str, dict[str, list[float]]]:
    """Id of a widget -> language of its page -> its greatest height in rem, for each of the ranges.

    A card is text in the one form as in the other, so the higher of the two counts.
    """
    heights = defaultdict(lambda: defaultdict(lambda: [0.0] * len(RANGES)))
    for path in sorted(book.glob("chapters/*/*.html")):
        if 'class="bnlib-widget"' not in path.read_text(encoding="utf-8"):
            continue
        for place, widths in enumerate(RANGES.values()):
            for width in widths:
                page.set_viewport_size({"width": width, "height": 900})
                page.goto(path.as_uri())
                language = page.locator("html").get_attribute("lang")
                still = [(name, height) for name, height in page.evaluate(MEASURE) if not name.startswith("widget-")]
                page.keyboard.press("Shift")  # or a widget would wait until it comes near the window
                for name, height in [*still, *page.evaluate(MEASURE)]:
                    known = heights[name][language]
                    known[place] = max(known[place], math.ceil(4 * height) / 4)
    return heights


def lines(heights: dict[str, dict[str, list[float]]]) -> str:
    """The file: a widget in a line, so that a change of one is a change of one line."""
    rows = [f"  {json.dumps(name)}: {json.dumps(heights[name], sort_keys=True)}" for name in sorted(heights)]
    limits = f'{{\n"limits": {json.dumps(list(RANGES))},\n"heights": {{\n'
    return limits + ",\n".join(rows) + "\n}\n}\n"


if __name__ == "__main__":
    with chromium.page() as page:
        HEIGHTS.write_text(lines(measured(page)), encoding="utf-8")
    print(f"{HEIGHTS.relative_to(ROOT)} is written; build the book again")
