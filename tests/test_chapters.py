"""The chapters hold together: both languages the same cells, equations and code; short cells; outputs stored."""

import ast
import csv
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = ROOT / "chapters"
NAMES = sorted(path.name for path in (CHAPTERS / "en").iterdir() if path.suffix in (".ipynb", ".md"))
NOTEBOOKS = [(language, name) for language in ("en", "zh") for name in NAMES if name.endswith(".ipynb")]
LIVE = "nbval-ignore-output"
with (ROOT / "book" / "glossary.tsv").open(encoding="utf-8", newline="") as file:
    TERMS = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
HOMONYMS = {"activation", "kernel"}  # also the function; of a convolution, and the program on a GPU
REASON = {"en": "# not compared: ", "zh": "# 不比较输出："}


def cells(language: str, name: str) -> list[dict]:
    return json.loads((CHAPTERS / language / name).read_text(encoding="utf-8"))["cells"]


def source(cell: dict) -> str:
    return "".join(cell["source"])


def markdown(language: str, name: str) -> list[str]:
    """The Markdown of a page, code blocks left out."""
    found = [source(cell) for cell in cells(language, name) if cell["cell_type"] == "markdown"]
    return [re.sub(r"```.*?```", "", text, flags=re.S) for text in found]


class Wordless(ast.NodeTransformer):
    """Code without its words: every string empty, of f-strings only the expressions."""

    def visit_Constant(self, node):
        return ast.Constant("") if isinstance(node.value, str) else node

    def visit_JoinedStr(self, node):
        return ast.Tuple([self.visit(v.value) for v in node.values if isinstance(v, ast.FormattedValue)], ast.Load())


def without_words(code: str) -> str:
    magic_free = re.sub(r"(?m)^(\s*)%.*$", r"\1pass", code)
    return ast.dump(Wordless().visit(ast.parse(magic_free)))


def test_both_languages_have_the_same_files():
    assert {path.name for path in (CHAPTERS / "zh").iterdir()} == set(NAMES)
    assert "index.ipynb" in NAMES and len(NOTEBOOKS) >= 8


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".ipynb")])
class TestBothLanguages:
    def test_same_cells(self, name):
        en, zh = (
            [(c["id"], c["cell_type"], c["metadata"].get("tags", [])) for c in cells(language, name)]
            for language in ("en", "zh")
        )
        assert en == zh

    def test_same_code_but_comments_and_strings(self, name):
        for en, zh in zip(cells("en", name), cells("zh", name), strict=True):
            if en["cell_type"] == "code":
                assert without_words(source(en)) == without_words(source(zh)), en["id"]

    @pytest.mark.parametrize(
        "pattern",
        [
            r"(?m)^(#+) ",
            r"<(details)>",
            r'class="(misconception)"',
            r"(?m)^(\|)",
            r"(?m)^\*\*(?:Exercise |练习)(\d+)[.。]\*\*",
            r"(!)\[",
        ],
        ids=["headings", "details", "misconceptions", "table rows", "exercises", "images"],
    )
    def test_same_structure(self, name, pattern):
        en, zh = ([re.findall(pattern, text) for text in markdown(language, name)] for language in ("en", "zh"))
        assert en == zh

    def test_the_terms_of_the_glossary_are_used(self, name):
        """What the English page speaks of more than once or twice has its Chinese term on the Chinese page."""
        english = re.sub(r"`[^`]*`", "", "\n".join(markdown("en", name))).lower()
        chinese = "\n".join(markdown("zh", name))
        missing = []
        for row in TERMS:
            term = row["en"].split(" (")[0].split(" / ")[0].lower()
            said = re.findall(rf"\b{re.escape(term)}(?:e?s)?\b", english)
            words = re.split(r" / |[、，]", f"{row['zh']}、{row['also_zh']}")
            if len(said) > 2 and term not in HOMONYMS and not any(word and word in chinese for word in words):
                missing.append(row["zh"])
        assert missing == []

    def test_same_equations(self, name):
        def equations(language):
            found = re.findall(r"\$\$(.*?)\$\$", "\n".join(markdown(language, name)), flags=re.S)
            return [re.sub(r"\\text\{[^}]*\}|\s", "", equation) for equation in found]

        assert equations("en") == equations("zh")


@pytest.mark.parametrize(("language", "name"), NOTEBOOKS)
class TestEachNotebook:
    def test_first_code_cell_installs_on_colab_and_says_the_language_once(self, language, name):
        code = [source(cell) for cell in cells(language, name) if cell["cell_type"] == "code"]
        assert 'if "google.colab" in sys.modules:' in code[0] and "--no-deps" in code[0]
        assert re.search(r'(?m)^REPOSITORY = "[^"]*"', code[0])
        assert code[0].endswith(f'bnlib.set_language("{language}")')
        assert "set_language" not in "".join(code[1:])

    def test_cells_are_short(self, language, name):
        for cell in cells(language, name):
            if cell["cell_type"] == "code" and "long-cell" not in cell["metadata"].get("tags", []):
                assert len(source(cell).splitlines()) <= 15, cell["id"]

    def test_outputs_are_stored_in_order_and_free_of_this_machine(self, language, name):
        code = [cell for cell in cells(language, name) if cell["cell_type"] == "code"]
        assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
        text = json.dumps([cell["outputs"] for cell in code])
        assert "widget-view" not in text and "stderr" not in text
        assert not re.search(r"(?<![\w.])/(?:home|root|tmp|work|Users)/", text)

    def test_live_cells_give_a_reason_and_are_followed_by_a_compared_assertion(self, language, name):
        code = [cell for cell in cells(language, name) if cell["cell_type"] == "code"]
        for cell, following in zip(code, [*code[1:], None], strict=True):
            if LIVE in cell["metadata"].get("tags", []):
                assert source(cell).startswith(REASON[language]), cell["id"]
                assert following and LIVE not in following["metadata"].get("tags", []), cell["id"]
                assert "assert " in source(following) and following["outputs"], cell["id"]

    def test_no_cell_escapes_the_comparison_by_another_tag(self, language, name):
        tags = {tag for cell in cells(language, name) for tag in cell["metadata"].get("tags", [])}
        assert tags <= {LIVE, "long-cell", "remove-input"}

    def test_no_directive_shows_and_links_lead_somewhere(self, language, name):
        text = "\n".join(markdown(language, name))
        assert not re.search(r"(?m)^(:::|```\{)|\{(ref|doc|eq|cite|numref)\}`", text)
        for target in re.findall(r"\]\((?!https?://|#)([^)#\s]+)", text):
            assert (CHAPTERS / language / target).exists(), target

    def test_equation_numbers_are_unique_and_in_order(self, language, name):
        tags = re.findall(r"\\tag\{(\d+)\.(\d+)\}", "\n".join(markdown(language, name)))
        numbers = [int(number) for _, number in tags]
        assert numbers == list(range(1, len(numbers) + 1))
