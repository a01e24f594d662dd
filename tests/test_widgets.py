"""What holds for every widget: one lean module that asks for nothing, its words in both languages, a still picture."""

import json
import re
from html import unescape

import pytest
from bs4 import BeautifulSoup

import bnlib.learn
from bnlib import language
from bnlib.learn import widget as base
from bnlib.learn.widget import CourseWidget

WIDGETS = [
    found
    for found in map(vars(bnlib.learn).get, bnlib.learn.__all__)
    if isinstance(found, type) and issubclass(found, CourseWidget)
]
each = pytest.mark.parametrize("widget", WIDGETS, ids=lambda widget: widget.name)
in_each_language = pytest.mark.parametrize("code", language.LANGUAGES)


@pytest.fixture(autouse=True)
def english():
    yield
    language.set_language("en")


def stored_state(widget) -> dict:
    return json.loads(unescape(re.search(r"data-state='([^']*)'", widget.stored_html())[1]))


def test_every_module_has_its_class():
    modules = {path.stem for path in base._HERE.glob("*.js")}
    assert modules == {widget.name for widget in WIDGETS} | {"card", "board"}  # these two: see test_card.py


@each
@in_each_language
def test_stored_output_is_the_same_each_time_and_lean(widget, code):
    language.set_language(code)
    first, second = widget().stored_html(), widget().stored_html()
    assert first == second
    assert len(first.encode()) + len(base.module(widget.name).encode()) <= 30_000


@each
@in_each_language
def test_speaks_the_language_it_was_made_in(widget, code):
    language.set_language(code)
    made = widget()
    language.set_language("en")
    state = stored_state(made)
    assert state["lang"] == code
    assert bool(re.search("[一-鿿]", state["strings"]["question"])) == (code == "zh")
    assert state["strings"]["question"].rstrip()[-1] in "?？。."  # a prediction is asked for first


@each
def test_module_is_one_export_and_asks_for_nothing(widget):
    text = base.module(widget.name)
    assert len(re.findall(r"(?m)^export ", text)) == 1 and "export default {" in text
    assert not re.search(
        r"(?m)^import |https?://(?!www\.w3\.org/2000/svg)|\beval\(|new Function|innerHTML|fetch\(", text
    )


@each
def test_each_word_of_the_module_is_there_and_each_that_is_there_is_used(widget):
    text = base.module(widget.name)
    used = set(re.findall(r"\bsay\.(\w+)", text)) | {"copy_link", "copied", "linked"}
    there = set(widget().strings)
    assert used <= there
    python = (base._HERE / f"{widget.name}.py").read_text(encoding="utf-8")
    indirect = {word for word in there - used if re.search(rf"""["'`.]{word}["'`]|\b{word}:""", text + python)}
    families = re.findall(r"say\[`(\w+)_\$\{", text)
    assert not {w for w in there - used - indirect if not any(w.startswith(f"{family}_") for family in families)}


@each
def test_state_lies_in_its_limits_and_nothing_else_is_carried(widget):
    state = stored_state(widget())
    assert set(state) - {"lang", "strings", "limits", "data"} == set(state["limits"]) != set()
    for name, limit in state["limits"].items():
        values = state[name] if isinstance(state[name], list) else [state[name]]
        assert all(v in limit if isinstance(limit, list) else limit["min"] <= v <= limit["max"] for v in values)


@each
def test_traits_can_be_read_set_and_observed(widget):
    made, seen = widget(), []
    for name, limit in made.limits.items():
        value = other(getattr(made, name), limit)
        made.observe(lambda change: seen.append(change.name), names=name)
        setattr(made, name, value)
        assert getattr(made, name) == value and seen[-1] == name


def other(value, limit):
    """Another value within the limits."""
    if isinstance(limit, list):
        return next(one for one in limit if one != value)
    if isinstance(value, list):
        return [other(value[0], limit), *value[1:]]
    return limit["max"] if value != limit["max"] else limit["min"]


@each
def test_an_unknown_trait_is_refused(widget):
    with pytest.raises(TypeError, match=f"{widget.__name__} got gama; expected "):
        widget(gama=1.0)


@each
@in_each_language
def test_output_holds_a_live_view_and_a_picture_in_its_language(widget, code):
    language.set_language(code)
    data, _ = widget()._repr_mimebundle_()
    assert {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"} <= set(data)
    place = BeautifulSoup(data["text/html"], "html.parser").select_one(f".bnlib-widget[data-widget={widget.name}]")
    still = place.select_one("svg[role=img]")
    assert bool(re.search("[一-鿿]", still["aria-label"])) == (code == "zh")
    assert len(place.get_text(" ", strip=True)) > 20
