"""Check the Chinese texts: punctuation, spacing, address and terms. Prints each finding and exits 1 if there is one.

The house style: no space between Chinese and Latin letters, digits or formulas; full-width punctuation in prose,
half-width inside shapes such as (批量大小, 通道数); 你, not 您; the terms of book/glossary.tsv.
"""

import csv
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import autocorrect_py

ROOT = Path(__file__).resolve().parent.parent
RULES = {
    "space-word": 0,
    "space-punctuation": 0,
    "space-bracket": 0,
    "space-dash": 0,
    "space-backticks": 0,
    "space-dollar": 0,
    "fullwidth": 1,
    "no-space-fullwidth": 1,
    "halfwidth-word": 1,
    "halfwidth-punctuation": 1,
    "spellcheck": 0,
}
HAN = r"[\u4e00-\u9fff]"
SPACED = re.compile(rf"{HAN} +[A-Za-z0-9$`]|[A-Za-z0-9$`] +{HAN}")
NOT_PROSE = re.compile(
    r"\([^()（）]*\)|```.*?```|\$\$.*?\$\$|\$[^$\n]*\$|`[^`\n]*`|<[^>]*>|\]\([^)]*\)|https?://\S+", re.S
)


def main() -> int:
    autocorrect_py.load_config(json.dumps({"rules": RULES}))
    forbidden = _forbidden()
    findings = [f"{place}: {what}" for place, text in _texts() for what in _findings(text, forbidden)]
    print("\n".join(findings) or "Chinese texts: no findings")
    return 1 if findings else 0


def _texts() -> Iterator[tuple[str, str]]:
    """(place, Chinese text) of every Markdown cell, message, definition and README in Chinese."""
    for path in sorted([*(ROOT / "chapters" / "zh").glob("*"), *(ROOT / "api" / "zh").glob("*")]):
        name = str(path.relative_to(ROOT))
        if path.suffix == ".ipynb":
            for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
                if cell["cell_type"] == "markdown":
                    yield f"{name}, cell {cell['id']}", "".join(cell["source"])
        elif path.suffix == ".md":
            yield name, path.read_text(encoding="utf-8")
    for name, key, column in (("glossary.tsv", "en", "definition_zh"), ("reference_zh.tsv", "name", "summary")):
        for row in _rows(name):
            yield f"{name}, {row[key]}", row[column]
    yield "README.zh.md", (ROOT / "README.zh.md").read_text(encoding="utf-8")
    messages = tomllib.loads((ROOT / "bnlib" / "language" / "zh.toml").read_text(encoding="utf-8"))
    for table, entries in messages.items():
        for key, text in entries.items():
            yield f"zh.toml, {table}.{key}", re.sub(r"\{[^}]*\}", "x", text)


def _forbidden() -> dict[str, str]:
    """Forbidden word -> the term that stands in its place."""
    return {row["forbidden_zh"]: row["zh"] for row in _rows("glossary.tsv") if row.get("forbidden_zh")}


def _rows(name: str) -> list[dict[str, str]]:
    with (ROOT / "book" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def _findings(text: str, forbidden: dict[str, str]) -> Iterator[str]:
    for line in NOT_PROSE.sub(_blank, text).splitlines():
        corrected = autocorrect_py.format(line)
        if corrected != line:
            yield f"{line.strip()!r} should read {corrected.strip()!r}"
    for match in SPACED.finditer(re.sub(r"```.*?```", "", text, flags=re.S)):
        yield f"a space between Chinese and Latin: {match.group()!r}"
    if "您" in text:
        yield "您 should be 你"
    for word, term in forbidden.items():
        if word in text and not (word == "动量" and "优化器" in text):
            yield f"{word} should be {term}"


def _blank(match: re.Match) -> str:
    """What is not prose becomes a Chinese character, so that the punctuation beside it is still judged."""
    return "式" + "\n" * match.group().count("\n")


if __name__ == "__main__":
    sys.exit(main())
