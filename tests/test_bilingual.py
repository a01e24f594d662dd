"""The extension on a small book of its own: the repository's address, a heading that is added, what it refuses."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from browser_fixtures import LANGUAGES, ROOT
from bs4 import BeautifulSoup

NAMES = {"en": "English", "zh": "中文"}
TEXT = {"en": "# First page\n\n## One\n\n## Two", "zh": "# 第一页\n\n## 一\n\n## 二"}


def write_notebook(book: Path, language: str, text: str) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text, id="text")])
    (book / "chapters" / language / "index.ipynb").write_text(nbformat.writes(notebook), encoding="utf-8")


def configure(book: Path, url: str) -> None:
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    config["repository"]["url"] = url
    (book / "_config.yml").write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")


def build(book: Path) -> subprocess.CompletedProcess:
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", ".", "-W", "-n", "--keep-going"]
    return subprocess.run(command, cwd=book, capture_output=True, text=True, check=False)


def read(book: Path, page: str) -> BeautifulSoup:
    return BeautifulSoup((book / "_build" / "html" / f"{page}.html").read_text(encoding="utf-8"), "html.parser")


@pytest.fixture(scope="module")
def small_book(tmp_path_factory):
    """One page in each language, with the course's own extension and configuration; the address is known."""
    book = tmp_path_factory.mktemp("book")
    shutil.copytree(ROOT / "book", book / "book", ignore=shutil.ignore_patterns("__pycache__"))
    library = '[library]\npackage = "bnlib"\ndistribution = "bn-course"\n[library.pages]\n'
    (book / "book" / "book.toml").write_text(library, encoding="utf-8")
    for language in LANGUAGES:
        (book / "chapters" / language).mkdir(parents=True)
        for page in ("colab.md", "local.md"):
            shutil.copy(ROOT / "chapters" / language / page, book / "chapters" / language)
        write_notebook(book, language, TEXT[language])
    (book / "bnlib" / "__pycache__").mkdir(parents=True)
    for name in ("bnlib/__init__.py", "bnlib/__pycache__/old.pyc", "bnlib/.hidden"):
        (book / name).write_text("", encoding="utf-8")
    for name in ("index.md", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, book)
    parts = [{"caption": name, "chapters": [{"file": f"chapters/{code}/index"}]} for code, name in NAMES.items()]
    (book / "_toc.yml").write_text(yaml.safe_dump({"format": "jb-book", "root": "index", "parts": parts}), "utf-8")
    configure(book, "https://github.com/some-owner/some-name")
    built = build(book)
    assert built.returncode == 0, built.stderr
    return book


@pytest.mark.parametrize("language", LANGUAGES)
def test_buttons_lead_to_the_repository_once_its_address_is_known(small_book, language):
    links = [link["href"] for link in read(small_book, f"chapters/{language}/index").select("a.page-link-button")]
    path = f"chapters/{language}/index.ipynb"
    assert links == [
        f"../../_sources/{path}",
        f"https://colab.research.google.com/github/some-owner/some-name/blob/main/{path}",
        f"https://mybinder.org/v2/gh/some-owner/some-name/main?urlpath=lab/tree/{path}",
        "local.html",
    ]


def test_the_library_is_packed_the_same_way_each_time_without_leftovers(small_book):
    packed = small_book / "_build" / "html" / "bn-course.zip"
    first = packed.read_bytes()
    assert build(small_book).returncode == 0
    assert packed.read_bytes() == first
    names = subprocess.run(
        [sys.executable, "-m", "zipfile", "-l", str(packed)], capture_output=True, text=True, check=True
    )
    assert "bnlib/__init__.py" in names.stdout and ".pyc" not in names.stdout and ".hidden" not in names.stdout


def test_a_page_is_written_again_when_its_counterpart_gets_a_section(small_book):
    write_notebook(small_book, "zh", TEXT["zh"] + "\n\n## 三")
    built = build(small_book)
    assert built.returncode != 0
    assert "chapters/en/index has 3 sections and chapters/zh/index has 4" in built.stdout + built.stderr
    write_notebook(small_book, "zh", TEXT["zh"].replace("## 一", "## One in Chinese"))
    assert build(small_book).returncode == 0
    anchors = json.loads(read(small_book, "chapters/en/index").find("a", class_="language-switch")["data-anchors"])
    assert anchors["one"] == "one-in-chinese"


def test_a_change_of_the_look_is_noticed(small_book):
    style = small_book / "book" / "static" / "course.css"
    style.write_text(style.read_text(encoding="utf-8") + "body { order: 7; }\n", encoding="utf-8")
    assert build(small_book).returncode == 0
    assert "body{order:7}" in (small_book / "_build/html/_static/book.css").read_text(encoding="utf-8")


def test_an_address_that_is_no_repository_stops_the_build(small_book):
    configure(small_book, "https://example.org/some/book")
    built = build(small_book)
    assert built.returncode != 0
    assert "'https://example.org/some/book'; expected https://github.com/owner/name" in built.stdout + built.stderr
