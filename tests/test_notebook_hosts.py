"""The notebooks as JupyterLab, Colab and a repository's web view show them: plain Markdown and the HTML they keep."""

import json
import re

import pytest
from browser_fixtures import LANGUAGES, ROOT
from markdown_it import MarkdownIt

NOTEBOOKS = sorted((ROOT / "chapters").glob("*/*.ipynb"))
KEPT = {"details", "summary", "div", "br", "sub", "sup", "kbd", "table", "img"}  # by all three hosts
DIRECTIVES = {
    "a fenced directive": r"(?m)^\s*(`{3,}|~{3,})\s*\{",
    "a colon fence": r"(?m)^\s*:{3,}",
    "a role": r"\{[a-zA-Z][\w:.+-]*\}`",
    "a target": r"(?m)^\([\w-]+\)=\s*$",
    "a comment": r"(?m)^% ",
    "a block break": r"(?m)^\+\+\+",
    "a substitution": r"\{\{",
    "an attribute list": r"(?m)^\{[.#][\w -]+\}\s*$",
}


def markdown(path) -> dict[str, str]:
    cells = json.loads(path.read_text("utf-8"))["cells"]
    return {cell["id"]: "".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"}


def prose(text: str) -> str:
    """Without formulas and code, whose braces mean something else."""
    return re.sub(r"\$\$.*?\$\$|\$[^$\n]+\$|(?m:^```\w*\n.*?^```$)|(?<![`}])`[^`\n]+`", " ", text, flags=re.S)


SAMPLES = ["```{note}\nx\n```", ":::{tip}\nx", "see {ref}`x`", "(label)=\n", "% x", "+++", "{{ x }}", "{.wide}\n"]


@pytest.mark.parametrize(("kind", "text"), list(zip(DIRECTIVES, SAMPLES, strict=True)))
def test_each_pattern_finds_what_no_host_understands(kind, text):
    assert re.search(DIRECTIVES[kind], prose(text))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: f"{path.parent.name}/{path.stem}")
class TestEachNotebook:
    def test_no_directive_or_role_shows(self, path):
        for cell, text in markdown(path).items():
            for kind, pattern in DIRECTIVES.items():
                assert not re.search(pattern, prose(text)), f"{cell}: {kind}"

    def test_html_is_the_plain_kind(self, path):
        for cell, text in markdown(path).items():
            for closing, name, attributes in re.findall(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)((?:\s[^<>]*)?)>", prose(text)):
                assert name in KEPT, f"{cell}: <{name}>"
                assert closing or not re.search(r"\b(style|on\w+|srcset)\s*=", attributes), (
                    f"{cell}: <{name}{attributes}>"
                )

    def test_markdown_inside_html_is_read_as_markdown(self, path):
        """CommonMark, which all hosts follow, reads it only after an empty line."""
        for cell, text in markdown(path).items():
            inside_html = [token.content for token in MarkdownIt().parse(text) if token.type == "html_block"]
            for block in inside_html:
                assert not re.search(r"\*\*|\$|`|\]\(", re.sub(r"<summary>.*?</summary>", "", block, flags=re.S)), cell

    def test_boxes_are_closed_in_the_cell_that_opens_them(self, path):
        for cell, text in markdown(path).items():
            for name in ("details", "summary", "div"):
                assert len(re.findall(rf"<{name}\b", prose(text))) == text.count(f"</{name}>"), f"{cell}: <{name}>"

    def test_relative_links_lead_to_files_of_the_repository(self, path):
        for cell, text in markdown(path).items():
            for target in re.findall(r"\]\(([^)\s]+)\)", prose(text)):
                if not re.match(r"https?://|mailto:|#", target):
                    file = (path.parent / target.split("#")[0]).resolve()
                    assert file.is_file() and file.is_relative_to(ROOT), f"{cell}: {target}"
                    assert file.suffix in (".ipynb", ".md"), f"{cell}: {target} is no page that a host opens"


def test_every_language_was_looked_at():
    assert {path.parent.name for path in NOTEBOOKS} == set(LANGUAGES)
