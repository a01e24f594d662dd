"""Figures in the built book: inked for light and dark, named and described, their data on request, fit for a phone."""

import csv
import io
import json
import re
import subprocess
import sys
from itertools import combinations
from urllib.parse import unquote

import pytest
from browser_fixtures import LANGUAGES, ROOT, chapters
from bs4 import BeautifulSoup

from bnlib.drawing import LOOKS

PAGES = [f"chapters/{language}/{name}" for language in LANGUAGES for name in chapters()]
LENET = {language: f"chapters/{language}/04_lenet" for language in LANGUAGES}
ROWS = (17, 11, 5, 4, 5)  # of the data of each figure of bnlib in chapter 04, with the head
FIGURES = len(ROWS)
HAN = re.compile("[\u4e00-\u9fff]")

# What a colour looks like to who lacks one of the three cones, in linear RGB: Machado, Oliveira & Fernandes (2009),
# doi:10.1109/TVCG.2009.113, table for severity 1.0.
VISION = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.3039)),
}
# the colours of all words and lines but the grid's as they are computed, and the ground they stand on
INKS = """() => {
  const ground = (element) => {
    for (let box = element; box; box = box.parentElement) {
      const colour = getComputedStyle(box).backgroundColor;
      if (!/^(transparent|rgba\\(.*, 0\\))$/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const found = { words: {}, lines: {} };
  const words = document.querySelectorAll("svg.panel text");
  for (const text of words) found.words[getComputedStyle(text).fill] = ground(text);
  for (const line of document.querySelectorAll("svg.panel path:not(defs path, [style*=d5dae0])")) {
    const style = getComputedStyle(line);
    if (style.opacity !== "1" || style.strokeOpacity !== "1") throw new Error("a line that lets its ground through");
    if (style.stroke === "none") throw new Error("a shape that this test does not see");
    found.lines[style.stroke] = ground(line);
  }
  return found;
}"""
# the words of a figure that reach out of their panel or into one another
COLLISIONS = """() => [...document.querySelectorAll("svg.panel")].flatMap((panel) => {
  const out = panel.getBoundingClientRect(), boxes = [...panel.querySelectorAll("text")];
  const box = (text) => text.getBoundingClientRect();
  const meet = (low, high, other_low, other_high, slack) => low < other_high - slack && other_low < high - slack;
  const overlap = (a, b) => meet(a.left, a.right, b.left, b.right, 1) && meet(a.top, a.bottom, b.top, b.bottom, 4);
  return boxes.flatMap((text, i) => [
    ...(box(text).left < out.left - 1 || box(text).right > out.right + 1 ? [text.textContent] : []),
    ...boxes
      .slice(0, i)
      .filter((other) => overlap(box(text), box(other)))
      .map((other) => `${text.textContent} / ${other.textContent}`),
  ]);
})"""


def rgb(colour: str) -> str:
    """#rrggbb as browsers say it."""
    return f"rgb({', '.join(str(int(colour[at : at + 2], 16)) for at in (1, 3, 5))})"


def replaced(colour: str) -> str:
    """What the style sheet puts in the place of a figure's colour on a dark ground."""
    css = (ROOT / "book" / "static" / "figures.css").read_text(encoding="utf-8")
    dark = css.partition('html[data-theme="dark"] .bnlib-figure {')[2].partition("}")[0]
    return re.search(f"--figure-{colour[1:]}: (#[0-9a-f]{{6}});", dark)[1]


def linear(colour: str) -> list[float]:
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def luminance(rgb) -> float:
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), rgb, strict=True))


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(linear(one)), luminance(linear(other))))
    return (light + 0.05) / (dark + 0.05)


def lab(rgb) -> tuple[float, float, float]:
    """CIE L*a*b* of linear RGB, white D65."""
    weights = ((0.4124 / 0.9505, 0.3576 / 0.9505, 0.1805 / 0.9505), (0.2126, 0.7152, 0.0722))
    weights += ((0.0193 / 1.089, 0.1192 / 1.089, 0.9505 / 1.089),)
    x, y, z = (sum(w * min(max(part, 0), 1) for w, part in zip(row, rgb, strict=True)) for row in weights)
    x, y, z = (value ** (1 / 3) if value > 0.008856 else 7.787 * value + 16 / 116 for value in (x, y, z))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def distance(one: str, other: str, vision: str) -> float:
    """How different two colours look to such eyes: CIE 1976; one can just tell 2 or 3 apart side by side."""
    seen = [
        lab([sum(w * part for w, part in zip(row, linear(colour), strict=True)) for row in VISION[vision]])
        for colour in (one, other)
    ]
    return sum((a - b) ** 2 for a, b in zip(*seen, strict=True)) ** 0.5


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_words_and_lines_stand_out_and_lines_differ_for_every_eye(served_book, open_page, language, dark):
    page, troubles = open_page(f"{served_book}/{LENET[language]}.html", dark=dark)
    page.locator(f"html[data-theme={'dark' if dark else 'light'}]").wait_for(state="attached")
    inks = page.evaluate(INKS)
    assert len(inks["words"]) == 1 and len(inks["lines"]) == 5  # ink and four series
    assert min(contrast(*pair) for pair in inks["words"].items()) >= 7
    assert min(contrast(*pair) for pair in inks["lines"].items()) >= 3
    ground = luminance(linear(next(iter(inks["words"].values()))))
    assert ground < 0.05 if dark else ground > 0.9  # drawn on the page's own ground
    for one, other in combinations(inks["lines"], 2):
        assert min(distance(one, other, vision) for vision in VISION) >= 15, (one, other)
    looks = {look.name: replaced(look.colour) if dark else look.colour for look in LOOKS}  # those not drawn here too
    assert set(inks["lines"]) == {rgb(looks[name]) for name in ("ink", "blue", "orange", "green", "purple")}
    for one, other in combinations(map(rgb, looks.values()), 2):
        assert min(distance(one, other, vision) for vision in VISION) >= 15, (one, other)
    assert min(contrast(rgb(colour), next(iter(inks["words"].values()))) for colour in looks.values()) >= 3
    assert troubles == []


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("language", LANGUAGES)
def test_words_are_large_enough_and_keep_apart(served_book, open_page, language, width):
    page, _ = open_page(f"{served_book}/{LENET[language]}.html", width=width)
    sizes = page.eval_on_selector_all(
        "svg.panel text", "all => all.map(text => text.getScreenCTM().a * parseFloat(getComputedStyle(text).fontSize))"
    )
    assert len(sizes) > 40 and min(sizes) >= 11
    assert page.evaluate(COLLISIONS) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    own = page.evaluate("getComputedStyle(document.querySelector('article p')).fontFamily")
    assert page.locator("svg.panel text").first.evaluate("text => getComputedStyle(text).fontFamily") == own


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_figure_has_a_name_and_says_what_one_sees(served_book, open_page, language):
    page, _ = open_page(f"{served_book}/{LENET[language]}.html")
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    said = [
        (node["name"]["value"], node["description"]["value"])
        for node in tree
        if node["role"]["value"] == "image"
        and "description" in node
        and not node["ignored"]
        and len(node["description"]["value"]) > 40
    ]
    assert len(said) == FIGURES and len(set(said)) == FIGURES
    for name, description in said:
        assert 8 < len(name) < 90 and len(re.findall(r"\d\.\d{3}", description)) >= 4
        assert bool(HAN.search(name)) == bool(HAN.search(description)) == (language == "zh")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_data_unfold_by_keyboard_and_can_be_saved(served_book, open_page, language):
    page, troubles = open_page(f"{served_book}/{LENET[language]}.html")
    for number in range(FIGURES):
        figure = page.locator("figure.bnlib-figure").nth(number)
        table = figure.locator("table")
        assert not table.is_visible()
        figure.locator("summary").focus()
        page.keyboard.press("Enter")
        table.wait_for(state="visible")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.matches('.bnlib-table')")  # scrolls by arrow keys
        page.keyboard.press("Tab")
        with page.expect_download() as download:
            page.keyboard.press("Enter")
        assert download.value.suggested_filename == f"04_lenet-figure-{number + 1}.csv"
        text = download.value.path().read_text(encoding="utf-8-sig")
        shown = table.locator("tr").evaluate_all(
            "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
        )
        assert list(csv.reader(io.StringIO(text))) == shown and len(shown) == ROWS[number]
        assert bool(HAN.search(text)) == (language == "zh")
    assert troubles == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_print_shows_figures_dark_on_light(served_book, open_page, language):
    page, _ = open_page(f"{served_book}/{LENET[language]}.html", dark=True)
    page.emulate_media(media="print")
    for figure in page.locator("figure.bnlib-figure").all():
        assert figure.locator("svg.panel").first.is_visible() and not figure.locator("details").is_visible()
    inks = page.evaluate(INKS)
    assert min(contrast(colour, "rgb(255, 255, 255)") for colour in [*inks["words"], *inks["lines"]]) >= 3


def drawn(page: str) -> int:
    """How many of bnlib's figures the notebook of a page has; none, if it is no notebook."""
    path = ROOT / f"{page}.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"] if path.exists() else []
    pictures = [o.get("data", {}).get("image/svg+xml", "") for cell in cells for o in cell.get("outputs", [])]
    return sum('class="bnlib-figure"' in "".join(picture) for picture in pictures)


@pytest.mark.parametrize("page", PAGES)
def test_ids_are_unique_and_nothing_active_comes_with_a_figure(built_book, page):
    soup = BeautifulSoup((built_book / f"{page}.html").read_text(encoding="utf-8"), "html.parser")
    figures = soup.select("figure.bnlib-figure")
    assert len(figures) == drawn(page)
    ids = [tag["id"] for figure in figures for tag in figure.find_all(id=True)]
    assert len(ids) == len(set(ids)) and all(len(soup.find_all(id=name)) == 1 for name in ids)
    for tag in (tag for figure in figures for tag in [figure, *figure.find_all(True)]):
        assert tag.name not in ("script", "style", "image", "foreignobject")
        assert not [name for name in tag.attrs if name.startswith("on")]
        assert tag.get("href", "#").startswith("#" if tag.name == "use" else ("#", "data:text/csv"))


@pytest.mark.parametrize("page", PAGES)
def test_every_picture_of_a_cell_has_words_of_its_own(built_book, page):
    soup = BeautifulSoup((built_book / f"{page}.html").read_text(encoding="utf-8"), "html.parser")
    alternatives = [image["alt"] for image in soup.select("article .cell_output img")]
    assert all(len(alternative) > 30 for alternative in alternatives), alternatives
    if page in LENET.values():
        assert "d2l" in alternatives[0]
    figures = soup.select("figure.bnlib-figure a[download]")
    rows = [len(figure.select("tbody tr")) for figure in soup.select("figure.bnlib-figure")]
    assert [unquote(link["href"]).count("\r\n") - 1 for link in figures] == rows and min(rows, default=2) >= 2


SVG = """<svg xmlns="http://www.w3.org/2000/svg" class="bnlib-figure"><title>T &lt;</title><desc>D</desc>
<path style="fill: #ffffff" d="M0 0"/><svg class="panel" x="9" width="5" height="5" viewBox="9 0 5 5">
<path style="fill: none; stroke: #d55e00" clip-path="url(#d55e00)" d="M9 0"/><text x="9">#d55e00</text></svg></svg>"""


def test_what_the_extension_makes_of_a_figure():
    """A panel stands for itself, each colour can be replaced, and a table is written anew from its text."""
    table = '<details class="bnlib-data"><p>d</p><table><tr><th><img src=x onerror=e()>n</th></tr></table></details>'
    code = f"from bilingual import figures; print(figures.figure({SVG!r}, {table!r}, 'en', 'f'))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT / "book", capture_output=True, text=True, check=True)
    soup = BeautifulSoup(done.stdout, "html.parser")
    (panel,) = soup.find_all("svg")
    assert panel.attrs == {"class": ["panel"], "width": "5", "height": "5", "viewbox": "9 0 5 5", "focusable": "false"}
    assert panel.path["style"] == "fill: none; stroke: var(--figure-d55e00, #d55e00)"
    assert panel.path["clip-path"] == "url(#d55e00)" and panel.text.strip() == "#d55e00"
    assert soup.find(id="f-title").text == "T <" and soup.find(id="f-description").text == "D"
    assert soup.th.text == "n" and "onerror" not in done.stdout
