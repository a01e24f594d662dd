"""A small book of the tests: a page with the cards of some exercises and the board, in both languages."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from browser_fixtures import LANGUAGES, ROOT, serve

from bnlib import language
from bnlib.learn import Board, Exercise
from bnlib.learn.exercises import load, names
from bnlib.learn.question import Choice

COURSE = ("glossary.tsv", "references.toml", "reference_zh.tsv", "symbols.tsv", "widget-heights.json", "__pycache__")
PAGE = "chapters/{}/01_circle.html"


def one_of(kind: str, fits=lambda exercise: True) -> str:
    """The first exercise of a kind, by name, that fits."""
    return next(name for name in names(kind) if fits(load(name)))


def several(question: Choice) -> bool:
    return len(question.right) > 1


CODE = "normalize"
REPAIR = one_of("code", lambda exercise: exercise.start is not None)
SINGLE = one_of("choice", lambda question: not several(question))
SEVERAL = one_of("choice", several)
NUMBER, ORDER = one_of("number"), one_of("order")
CARDS = (SINGLE, CODE, NUMBER, ORDER, SEVERAL, REPAIR)  # in the order of the page; below them a graded task
GRADED = one_of("choice", lambda question: question.name not in CARDS)


def page_of(code: str) -> nbformat.NotebookNode:
    language.set_language(code)
    title = {"en": "# The circle\n\nIts area.", "zh": "# 圆\n\n它的面积。"}[code]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(title)])
    for widget in [*map(Exercise, CARDS), Exercise(GRADED, graded=True), Board()]:
        data = {"text/html": widget.stored_html(), "text/plain": ""}
        output = nbformat.v4.new_output("execute_result", data, execution_count=1)
        notebook.cells.append(nbformat.v4.new_code_cell("show()", outputs=[output], execution_count=1))
        notebook.cells.append(nbformat.v4.new_markdown_cell("..."))
    notebook.metadata["language_info"] = {"name": "python"}
    language.set_language("en")
    return notebook


def build(root: Path) -> None:
    """Build the book in that folder, or what changed in it."""
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", ".", "-W", "-n", "--keep-going"]
    built = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr[-3000:]


@pytest.fixture(scope="session")
def card_book(tmp_path_factory) -> Path:
    """The folder of the book's HTML."""
    root = tmp_path_factory.mktemp("cards")
    shutil.copytree(ROOT / "book", root / "book", ignore=shutil.ignore_patterns(*COURSE))
    (root / "book" / "book.toml").write_text('name = "cards"\nwidgets = "learn"\n[footer]\nen = ""\nzh = ""\n', "utf-8")
    shutil.copytree(ROOT / "bnlib" / "learn", root / "learn", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    readme = (ROOT / "book" / "README.md").read_text(encoding="utf-8")
    for name, block in zip(
        ("_config.yml", "_toc.yml"), re.findall(r" {3}```yaml\n(.*?) {3}```", readme, re.S), strict=True
    ):
        (root / name).write_text(re.sub(r"^ {3}", "", block, flags=re.M), encoding="utf-8")
    (root / "index.md").write_text("# Cards\n\n[English](chapters/en/index) [中文](chapters/zh/index)\n", "utf-8")
    for code in LANGUAGES:
        folder = root / "chapters" / code
        folder.mkdir(parents=True)
        (folder / "index.md").write_text({"en": "# Areas\n\nRound.", "zh": "# 面积\n\n圆。"}[code], encoding="utf-8")
        nbformat.write(page_of(code), folder / "01_circle.ipynb")
    build(root)
    (root / "_build" / "html" / "favicon.ico").touch()  # which a browser asks for
    return root / "_build" / "html"


@pytest.fixture(scope="session")
def served_cards(card_book):
    """The address of the book on a local server."""
    with serve(card_book) as address:
        yield address


@pytest.fixture(scope="session")
def file_cards(card_book) -> str:
    """The address of the book as plain files."""
    return card_book.as_uri()


def words(code: str) -> dict[str, str]:
    language.set_language(code)
    own = language.messages("card") | {"board": language.messages("board")}
    language.set_language("en")
    return own


def data(name: str, code: str = "en") -> dict:
    language.set_language(code)
    made = Exercise(name).exercise
    language.set_language("en")
    return made


def card(page, name: str):
    return page.locator(f"#exercise-{name} .bnlib-card")


def said(page, name: str) -> str:
    return card(page, name).locator("[role=status]").inner_text()


def plain(sentence: str) -> str:
    return sentence.replace("`", "")


def kept(page) -> dict:
    return json.loads(page.evaluate("localStorage.getItem('bnlib.progress')"))


def option(name: str, right: bool) -> dict:
    return next(one for one in data(name)["options"] if one["right"] == right)
