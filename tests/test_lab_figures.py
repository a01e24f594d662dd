"""Figures of experiments: each says what one sees, in the page's language, with numbers that are the table's own."""

import inspect
import re
from xml.etree import ElementTree

import pandas as pd
import pytest

import bnlib
from bnlib import lab
from bnlib.lab import figures

SVG = "{http://www.w3.org/2000/svg}"
OTHER = {"moving_against_recalibrated": "moving_statistics"}  # figures that are not named like their experiment
RECORDED = [name for name in figures.__all__ if OTHER.get(name, name) in lab.EXPERIMENTS]
NAMES = r"LeNet|sigmoid|tanh|ReLU|PyTorch|BN|bnlib\.lab\.load\([^)]*\)"  # the same in Chinese


@pytest.fixture(params=["en", "zh"])
def language(request):
    bnlib.set_language(request.param)
    yield request.param
    bnlib.set_language("en")


def drawn(name):
    return getattr(figures, name)(lab.load(OTHER.get(name, name)))


@pytest.mark.parametrize("name", RECORDED)
def test_it_has_its_words_and_numbers_in_the_language(name, language):
    figure = drawn(name)
    root = ElementTree.fromstring(figure.svg)
    assert root.findtext(f"{SVG}title") == figure.title and root.findtext(f"{SVG}desc") == figure.description
    words = " ".join(ElementTree.fromstring(figure.svg).itertext()) + figure.title + " ".join(figure.data.columns)
    assert bool(re.search("[\u4e00-\u9fff]", words)) == (language == "zh")
    if language == "zh":
        assert re.findall("[A-Za-z]{2,}", re.sub(NAMES, "", words + figure.data.more)) == []
    assert len(re.findall(r"\d", figure.description)) >= 4 and "nan" not in figure.description
    assert len(figure.svg) < 40_000 and figure.svg == drawn(name).svg


@pytest.mark.parametrize("name", RECORDED)
def test_its_data_are_whole(name):
    figure = drawn(name)
    assert figure.data.rows and all(len(row) == len(figure.data.columns) for row in figure.data.rows)
    assert len(figure.table().columns) == len(set(figure.data.columns)), "two columns of one name"


def test_every_curve_is_labelled_within_its_panel():
    """On logarithmic axes too, where limits settle late: no label far above or below the picture."""
    for name in ("gradients_by_depth", "statistics_noise"):
        root = ElementTree.fromstring(drawn(name).svg)
        height = float(root.get("viewBox").split()[3])
        places = [float(y) for y in re.findall(r'translate\([-\d.]+ ([-\d.]+)\)"', drawn(name).svg)]
        assert places and -5 < min(places) and max(places) < height + 5, name


def test_a_selection_without_rows_is_refused():
    from bnlib.lab.figures.curves import runs

    with pytest.raises(ValueError, match=r"expected rows with \{'norm': 'warp'\}; found none"):
        runs(lab.load("shallow_network"), "lr", "loss", norm="warp")


def test_a_place_for_zero_on_a_logarithmic_axis():
    """A decay of 0 stands as far below 0.001 as that below 0.01."""
    from bnlib.drawing import BLUE
    from bnlib.lab.figures.curves import Curve, Panel, curves

    decays = [0.0, 0.001, 0.01]
    curve = Curve(BLUE, "LeNet", pd.DataFrame({0: [1.0, 2.0, 3.0], 1: [1.0, 2.0, 4.0]}, index=decays))
    svg = curves("t", "d", [Panel("x", "y", (curve,), "x", decays)], "none").svg
    line = re.search(r'series-blue[^>]*>\s*<path d="([^"]*)"', svg)[1]
    x = [float(number) for number in re.findall(r"[ML] ?([-\d.]+)", line)]
    assert len(x) == 3 and x[1] - x[0] == pytest.approx(x[2] - x[1], rel=0.01)


def test_every_public_figure_takes_a_table_first():
    for name in figures.__all__:
        assert next(iter(inspect.signature(getattr(figures, name)).parameters)) == "table"
