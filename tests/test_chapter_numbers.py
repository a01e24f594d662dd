"""Every decimal in the prose stands in an output of its page that nbval compares, or beside the source it is from.

Settings that the page's own code holds, such as a learning rate, numbers of equations and versions are no results.
"""

import json
import re
from pathlib import Path

import pytest

CHAPTERS = Path(__file__).resolve().parent.parent / "chapters"
PAGES = sorted(path.relative_to(CHAPTERS) for path in CHAPTERS.glob("*/*") if path.suffix in (".ipynb", ".md"))
GENERATED = {"glossary.md", "references.md"}  # made from tables when the book is built
LIVE = "nbval-ignore-output"
DECIMAL = r"(?<![A-Za-z_\d.])\d+(?:,\d{3})*\.\d+(?![\d.]*[A-Za-z])"
NO_RESULT = (  # equation (2.3), section 3.2, Python 3.11
    r"\(\d\.\d+\)|(?:sections?|definition|theorem|定义|定理) ?[\d.]+|[\d.]+节"
    r"|(?:Python|PyTorch|torch|d2l)[ \d.,、或和or]*"
)
SOURCE = r"\]\(https?://|\]\(\d\d_\w+\.ipynb"  # a work, or the chapter that prints the number


def shown(page: Path) -> str:
    """The code of the page, and all text that its compared cells put out: prints, results, figures with their data."""
    if page.suffix != ".ipynb":
        return ""
    found = []
    for cell in json.loads((CHAPTERS / page).read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            found.append("".join(cell["source"]))
        if cell["cell_type"] == "code" and LIVE not in cell["metadata"].get("tags", []):
            for output in cell["outputs"]:
                found.append("".join(output.get("text", [])))
                found += ["".join(text) for text in output.get("data", {}).values() if isinstance(text, list | str)]
    return "\n".join(found).replace("−", "-")


def prose(page: Path) -> list[str]:
    """The paragraphs, list items and table rows, without code, addresses and equation numbers."""
    text = (CHAPTERS / page).read_text(encoding="utf-8")
    if page.suffix == ".ipynb":
        cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells)
    text = re.sub(r"```.*?```", "", text, flags=re.S)
    text = re.sub(r"(`+)[^`].*?\1", "", text)
    text = re.sub(r"(?m)^#.*$", "", text)  # a heading may ask for a number
    return re.split(r"\n\s*\n|\n(?=\s*(?:[-*|#]|\d+\.) ?)", re.sub(r"\\tag\{[^}]*\}", "", text))


def is_shown(number: str, found: set[str]) -> bool:
    """Whether it is one of the numbers, or one of them rounded."""
    digits = len(number.partition(".")[2])
    return number in found or any(
        len(one.partition(".")[2]) > digits and f"{float(one):.{digits}f}" == number for one in found
    )


def unfounded(page: Path) -> list[tuple[str, str]]:
    """Decimals that stand in no output, in paragraphs without a source."""
    found = {number.replace(",", "") for number in re.findall(r"\d+(?:,\d{3})*\.\d+", shown(page))}
    missing = []
    for paragraph in prose(page):
        said = re.sub(NO_RESULT, "", re.sub(r"\]\([^)]*\)", "]", paragraph))
        for number in re.findall(DECIMAL, said.replace("{,}", ",")):
            if not is_shown(number.replace(",", ""), found) and not re.search(SOURCE, paragraph):
                missing.append((number, paragraph[:90]))
    return missing


@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in GENERATED], ids=str)
def test_every_decimal_is_printed_on_the_page_or_has_its_source(page):
    assert unfounded(page) == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_number_of_no_output_is_found(language, monkeypatch, tmp_path):
    page = Path(language) / "04_lenet.ipynb"
    changed = json.loads((CHAPTERS / page).read_text(encoding="utf-8"))
    changed["cells"][0]["source"] += ["\n\nIt reached 0.98765."]
    (tmp_path / language).mkdir()
    (tmp_path / page).write_text(json.dumps(changed), encoding="utf-8")
    monkeypatch.setattr("test_chapter_numbers.CHAPTERS", tmp_path)
    assert [number for number, _ in unfounded(page)] == ["0.98765"]
