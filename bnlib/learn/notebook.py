"""What of a notebook concerns its exercises: its code, and the language that it sets."""

import re

_LANGUAGE = re.compile(r"""set_language\(\s*["'](en|zh)["']""")


def text(cell: dict) -> str:
    """The source of a cell, which the format keeps as one string or as lines."""
    return cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])


def code_cells(notebook: dict) -> list[tuple[int, str]]:
    """The sources of the code cells, each with its number among all cells, from 1."""
    numbered = enumerate(notebook["cells"], 1)
    return [(number, text(cell)) for number, cell in numbered if cell["cell_type"] == "code"]


def language_set(code: str) -> str:
    """The language that code asks for by `set_language`, "" where it asks for none."""
    found = _LANGUAGE.search(code)
    return found[1] if found else ""
