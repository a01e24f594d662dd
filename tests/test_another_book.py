"""The extension serves another book as it is: one from the lines of book/README.md, with nothing of this course."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from browser_fixtures import LANGUAGES, ROOT
from bs4 import BeautifulSoup

COURSE = ("glossary.tsv", "references.toml", "reference_zh.tsv", "symbols.tsv", "book.toml", "__pycache__")
PAGES = {
    "en": (
        "# Areas\n\nWhat is inside of a curve.",
        "# The circle\n\nIts area is\n\n$$A = \\pi r^2$$ (area)\n\nby {eq}`area`.",
    ),
    "zh": ("# 面积\n\n曲线里面有多大。", "# 圆\n\n它的面积是\n\n$$A = \\pi r^2$$ (mianji)\n\n见{eq}`mianji`。"),
}


@pytest.fixture(scope="module")
def another(tmp_path_factory) -> Path:
    """The folder of the other book's HTML."""
    root = tmp_path_factory.mktemp("another")
    shutil.copytree(ROOT / "book", root / "book", ignore=shutil.ignore_patterns(*COURSE))
    readme = (ROOT / "book" / "README.md").read_text(encoding="utf-8")
    for name, block in zip(
        ("_config.yml", "_toc.yml"), re.findall(r" {3}```yaml\n(.*?) {3}```", readme, re.S), strict=True
    ):
        (root / name).write_text(re.sub(r"^ {3}", "", block, flags=re.M), encoding="utf-8")
    (root / "index.md").write_text(
        "# Areas · 面积\n\n[English](chapters/en/index) [中文](chapters/zh/index)\n", "utf-8"
    )
    for language, (index, circle) in PAGES.items():
        folder = root / "chapters" / language
        folder.mkdir(parents=True)
        (folder / "index.md").write_text(index + "\n", encoding="utf-8")
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(circle)])
        notebook.cells.append(nbformat.v4.new_code_cell("3.14159 * 2**2"))
        notebook.metadata["language_info"] = {"name": "python"}
        nbformat.write(notebook, folder / "01_circle.ipynb")
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", ".", "-W", "-n", "--keep-going"]
    built = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr[-3000:]
    return root / "_build" / "html"


def read(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def test_nothing_of_this_course_is_in_it(another):
    for path in another.rglob("*.html"):
        said = re.findall("bnlib-|bn-course|[Bb]atch.[Nn]orm|归一化|Zalando", path.read_text(encoding="utf-8"))
        assert said == [], path
    assert (another / "bilingual-book.zip").is_file() and not (another / "bn-course.zip").exists()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_speaks_its_language_and_leads_to_the_other(another, language):
    (other,) = set(LANGUAGES) - {language}
    page = read(another / "chapters" / language / "01_circle.html")
    assert page.html["lang"] == LANGUAGES[language]
    switch = page.select_one("a.language-switch")
    assert switch["href"] == f"../{other}/01_circle.html" and switch["hreflang"] == LANGUAGES[other]
    assert {link["hreflang"] for link in page.select("link[rel=alternate]")} >= set(LANGUAGES.values())
    assert page.select_one(".navbar-brand").get_text(strip=True) == {"en": "Areas", "zh": "面积"}[language]
    assert {"en": "On this page", "zh": "Back to top"}[language] not in page.get_text()
    buttons = [link.get_text(strip=True) for link in page.select(".article-header-buttons a")]
    assert ".ipynb" in buttons and "Colab" not in buttons
    assert page.select_one("meta[http-equiv=Content-Security-Policy]")


@pytest.mark.parametrize(("language", "asked"), [("en", "curve"), ("zh", "曲线")])
def test_its_pages_are_found(another, open_page, language, asked):
    page, troubles = open_page(f"{(another / 'search.html').as_uri()}?q={asked}&lang={language}")
    found = page.locator("#search-results a[href*='chapters/']").first
    found.wait_for()
    assert f"chapters/{language}/index.html" in found.get_attribute("href")
    assert troubles == []
