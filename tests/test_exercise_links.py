"""Each chapter leads to its exercises in chapter 07: every exercise is linked, under its title, in both languages."""

import re

import nbformat
import pytest
from browser_fixtures import LANGUAGES, ROOT

from bnlib import language
from bnlib.learn.exercises import load, names

REPAIR = {"en": "Repair: ", "zh": "改错："}  # how titles begin in the list of what is to be repaired
LINK = re.compile(r"\[([^\]]+)\]\(07_exercises\.ipynb#exercise-(\w+)\)")


def links(code: str) -> list[tuple[str, str, str]]:
    """Chapter, title and name of each link."""
    found = []
    for path in sorted((ROOT / "chapters" / code).glob("0[1-6]*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                found += [(path.stem, *match.groups()) for match in LINK.finditer(cell.source)]
    return found


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_exercise_is_linked_once_by_its_title(code):
    with language.speaking(code):
        titles = {name: language.message(f"exercise_{name}.title").removeprefix(REPAIR[code]) for name in names()}
    assert sorted(name for _, _, name in links(code)) == sorted(titles)
    assert {name: title for _, title, name in links(code)} == titles
    assert {name: int(chapter[:2]) for chapter, _, name in links(code)} == {n: load(n).chapter for n in names()}


def test_both_languages_have_the_same_links():
    first, *others = ([(chapter, name) for chapter, _, name in links(code)] for code in LANGUAGES)
    assert all(other == first for other in others)
    assert {chapter for chapter, _ in first} == {path.stem for path in (ROOT / "chapters/en").glob("0[1-6]*.ipynb")}
