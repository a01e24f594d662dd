"""Figures as SVG: the same bytes, text as text, nothing told by colour alone, words and data beside the picture."""

import math
import os
import re
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import bnlib
from bnlib import lab
from bnlib.drawing import BLUE, GREEN, LOOKS, ORANGE, Data, draw, label_ends, panels, styled
from bnlib.lab import figures
from bnlib.training import EpochRow
from bnlib.training.curve import learning_curve

SVG = "{http://www.w3.org/2000/svg}"
ROWS = tuple(EpochRow(i, 2.0 / i, 0.9 - 0.4 / i, 0.85 - 0.4 / i, 1.0) for i in range(1, 6))
DRAWN = {
    "moving": lambda: figures.moving_against_recalibrated(lab.load("moving_statistics")),
    "frontier": lambda: figures.learning_rate_frontier(lab.load("learning_rate_frontier")),
    "curve": lambda: learning_curve(ROWS, 5),
}
SERIES = {"moving": [{"blue", "orange", "green"}], "frontier": [{"blue", "orange", "ink"}] * 2}
SERIES["curve"] = [{"blue"}, {"blue", "orange"}]
NO_DATA = Data(("x",), (("1",),))


@pytest.fixture(params=["en", "zh"])
def language(request):
    bnlib.set_language(request.param)
    yield request.param
    bnlib.set_language("en")


@pytest.fixture(params=DRAWN)
def name(request):
    return request.param


@pytest.fixture
def drawing(name, language):
    return DRAWN[name]()


def many_kinds() -> str:
    """What later experiments draw: a histogram, a band, a heat map with its scale, error bars, a cut line."""
    with styled():
        figure, (first, second, third) = panels([("x", "count"), ("x", "y"), ("row", "column")])
        first.hist([1, 2, 2, 3], bins=3, color=BLUE.colour, hatch="//", edgecolor=BLUE.colour)
        second.fill_between([0, 1], [0, 0], [1, 2], color=ORANGE.colour, alpha=0.3, linewidth=0)
        second.errorbar([0, 1], [0.5, 0.6], [0.1, 0.2], color=GREEN.colour, capsize=3)
        second.plot([-5, 5], [-5, 5], **BLUE.line())
        second.set_xlim(0, 1)
        cells = third.pcolormesh(np.arange(6.0).reshape(2, 3))
        third.figure.colorbar(cells, ax=third)
        third.imshow(np.arange(4.0).reshape(2, 2), extent=(0, 1, 0, 1))
        third.text(0.2, 0.1, "a < b & c", rotation=90, fontsize=20)
        return draw(figure, title="t", description="d", data=NO_DATA).svg


def test_a_figure_is_small_plain_svg_with_its_words(drawing, language):
    root = ElementTree.fromstring(drawing.svg)
    assert root.findtext(f"{SVG}title") == drawing.title and root.findtext(f"{SVG}desc") == drawing.description
    named = [root.find(f"{SVG}{tag}").get("id") for tag in ("title", "desc")]
    assert root.get("role") == "img" and root.get("aria-labelledby").split() == named
    assert root.get("lang") == {"en": "en", "zh": "zh-CN"}[language]
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert tags <= {"svg", "title", "desc", "g", "path", "text", "use", "defs", "clipPath", "rect"}
    assert len(drawing.svg) < 16_000 and not re.search(r"\d\.\d{3}", re.sub(r"(?s)<desc.*?</desc>", "", drawing.svg))
    assert "DejaVu" not in drawing.svg and float(root.get("width")) <= 720  # JupyterLab shows it as wide as it says


@pytest.mark.parametrize("make", [*DRAWN.values(), None], ids=[*DRAWN, "many_kinds"])
def test_what_it_refers_to_is_in_it_once_and_nowhere_else(make):
    """Two figures of a page share no id, and no style of one reaches the page."""
    svg = make().svg if make else many_kinds()
    root = ElementTree.fromstring(svg)
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    digest = root.get("aria-labelledby")[-8:]
    assert len(set(ids)) == len(ids) and all(name.endswith(digest) for name in ids)
    referred = set(re.findall(r'(?:url\(#|href="#)([^")]+)', svg))
    assert referred == set(ids) - {f"t-{digest}", f"d-{digest}"}
    assert not re.search(r"<style|<script|<metadata|http(?!://www.w3.org/2000/svg)", svg)


def test_every_panel_holds_what_is_drawn_in_it():
    found = [ElementTree.tostring(panel, encoding="unicode") for panel in ElementTree.fromstring(many_kinds())[3:]]
    assert len(found) == 3
    assert "pattern" in found[0] and "count" in found[0] and "fill-opacity: 0.3" in found[1]
    assert "column" in found[2] and "data:image/png;base64," in found[2] and "rotate(-90)" in found[2]
    assert "a &lt; b &amp; c" in found[2] and "font-size: 20px" in found[2]


def test_it_is_the_same_in_every_session_and_process(language):
    here = "".join(make().svg for make in DRAWN.values())
    assert here == "".join(make().svg for make in DRAWN.values())
    code = f"""import bnlib, test_drawing; bnlib.set_language({language!r})
print("".join(make().svg for make in test_drawing.DRAWN.values()))"""
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(bnlib.__file__).parent.parent)])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "7", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == here + "\n"


def test_words_are_in_the_language_and_have_numbers(drawing, language):
    words = " ".join(ElementTree.fromstring(drawing.svg).itertext()) + drawing.title + drawing.description
    words += " ".join(drawing.data.columns) + drawing.summary + drawing.data.more
    assert bool(re.search("[\u4e00-\u9fff]", words)) == (language == "zh")
    if language == "zh":
        assert re.findall("[A-Za-z]{2,}", re.sub(r"bnlib\.lab\.load\([^)]*\)|BN", "", words)) == []
    assert len(re.findall(r"\d\.\d{3}", drawing.description)) >= 4


def test_the_description_is_true():
    table = lab.load("moving_statistics")
    below = int((table["moving"] < table["recalibrated"]).sum())
    highest = table.groupby("epoch")["recalibrated"].median()[10]
    said = DRAWN["moving"]().description
    assert f"{below} of {len(table)} points" in said and f"{highest:.3f} after the last" in said
    said = DRAWN["frontier"]().description
    last = lab.load("learning_rate_frontier").query("epoch == 10")
    best = last[last["norm"] == "none"].groupby("lr")["test_accuracy"].mean()
    assert f"{best.max():.3f} without, at {best.idxmax():g}" in said


def lines_of(root, panel) -> dict[str, tuple[str, str]]:
    """Of each series in a panel how it is drawn: its dash and the shape of its marker, as they stand in the SVG."""
    shapes = {path.get("id"): path.get("d") for path in root.iter(f"{SVG}path") if path.get("id")}
    found = {}
    for group in panel.iter(f"{SVG}g"):
        if group.get("class", "").startswith("series-"):
            dash = re.search("stroke-dasharray: ([^;]*)", group.find(f"{SVG}path").get("style"))
            marker = next((shapes[use.get("href")[1:]] for use in group.iter(f"{SVG}use")), "")
            found[group.get("class").removeprefix("series-")] = (dash[1] if dash else "", marker)
    return found


def test_lines_of_a_panel_differ_in_dash_and_marker_not_in_colour_alone(name, drawing):
    root = ElementTree.fromstring(drawing.svg)
    found = [lines_of(root, panel) for panel in root.findall(f"{SVG}svg")]
    assert [set(lines) for lines in found] == SERIES[name]
    for lines in found:
        for one, other in combinations(lines.values(), 2):
            assert one[0] != other[0] and one[1] != other[1]


def test_all_looks_differ_in_dash_and_marker_as_drawn():
    with styled():
        figure, (axes,) = panels([("x", "y")])
        for number, look in enumerate(LOOKS):
            axes.plot([0, 1, 2], [number] * 3, **look.line())
        root = ElementTree.fromstring(draw(figure, title="t", description="d", data=NO_DATA).svg)
    drawn = lines_of(root, root)
    assert len(drawn) == len(LOOKS) == len({dash for dash, _ in drawn.values()}) == len({m for _, m in drawn.values()})


def test_each_line_is_named_at_its_end_beside_its_marker(language):
    texts = ElementTree.fromstring(DRAWN["moving"]().svg).iter(f"{SVG}text")
    text = {element.text: (float(element.get("x")), float(element.get("y"))) for element in texts}
    names = {"en": ("recalibrated", "batch", "moving"), "zh": ("重估", "小批量", "移动平均")}[language]
    places = [text[name] for name in names]
    assert all(lower[1] - upper[1] >= 16.9 for upper, lower in zip(places, places[1:], strict=False))
    assert all(x > max(text["10"][0], 200) for x, _ in places)


@pytest.mark.parametrize("heights", [[0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 0.99], [0.2, 0.8], [0.5, math.nan, math.inf]])
def test_names_at_the_ends_of_lines_keep_apart(heights):
    with styled():
        figure, (axes,) = panels([("x", "y")])
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        label_ends(axes, [(BLUE, f"line {number}", 1, height) for number, height in enumerate(heights)])
        svg = draw(figure, title="t", description="d", data=NO_DATA).svg
    found = [float(y) for y in re.findall(r'y="([\d.]+)">line \d', svg)]
    assert len(found) == sum(map(math.isfinite, heights)) and min(found) > 30
    assert all(abs(one - other) >= 16.9 for one, other in combinations(found, 2))
    assert "nan" not in svg and "inf" not in svg


def test_the_table_is_what_is_drawn():
    drawing = DRAWN["frontier"]()
    table = drawing.table()
    assert table.shape == (16, 9) and table.iloc[:, 2].between(0, 1).all()
    expected = table[table.iloc[:, 1] == "with BN"].iloc[:, 2]
    panel = ElementTree.fromstring(drawing.svg).find(f"{SVG}svg")
    line = panel.find(f".//{SVG}g[@class='series-blue']/{SVG}path").get("d")
    places = [float(place.split()[1]) for place in re.split("[ML]", line)[1:]]
    names = {text.text: float(text.get("y")) for text in panel.iter(f"{SVG}text")}
    zero, one = names["0.0"] - 4.94, names["1.0"] - 4.94  # numbers are written a little below their heights
    assert [(zero - place) / (zero - one) for place in places] == pytest.approx(list(expected), abs=0.001)


def test_a_notebook_gets_a_picture_and_what_unfolds(drawing):
    """In two outputs; tests/test_live.py sees a kernel send them."""
    picture, details = drawing.picture(), drawing.details()
    assert list(picture) == ["image/svg+xml", "text/plain"] and picture["text/plain"] == drawing.description
    assert list(details) == ["text/html"] and drawing.summary in details["text/html"]
    assert details["text/html"].count("<tr>") == 1 + len(drawing.data.rows) and "style" not in details["text/html"]


def test_a_table_says_what_it_holds_even_with_commas_and_brackets():
    data = Data(("a, b", "<c>"), (("1", 'say "x"'),))
    assert data.csv() == '"a, b",<c>\n1,"say ""x"""\n'
    assert '<th scope="col">&lt;c&gt;</th>' in data.html()


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_a_run_that_diverged_can_be_drawn(broken):
    svg = learning_curve([ROWS[0], EpochRow(2, broken, broken, broken, 1.0)], 3).svg.partition("</desc>")[2]
    assert "nan" not in svg.lower() and not re.search(r"\binf\b", svg)


def test_outside_of_the_style_nothing_is_drawn():
    with styled():
        figure, _ = panels([("x", "y")])
    with pytest.raises(RuntimeError, match=r"draw was called outside of styled\(\); expected: with styled\(\):"):
        draw(figure, title="t", description="d", data=NO_DATA)
