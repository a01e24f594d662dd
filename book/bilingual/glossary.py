"""The glossary pages, from book/glossary.tsv; and a link to them where a chapter first sets a term as *term*.

Columns used here: en, zh; definition_en, definition_zh; also_en, also_zh (other spellings, `; ` between them); pinyin,
by which Chinese is sorted; where (chapter#english-anchor of the first explanation); code (a name of the library).
"""

import csv
import re
from functools import cache
from itertools import groupby
from pathlib import Path

from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

from bilingual import book_sections, cross_links
from bilingual.languages import CODES, language_of
from bilingual.reference import docstrings
from bilingual.reference.index import index_of

_SAID = {
    "en": {"letters": "Letters: ", "also": "Also: ", "where": "Explained in ", "code": "In the library: "},
    "zh": {"letters": "首字母：", "also": "又称：", "where": "讲解：", "code": "代码："},
}
_BETWEEN = {"en": ", ", "zh": "、"}


def setup(app) -> None:
    app.add_directive("course-glossary", CourseGlossary)
    book_sections.filled_by("explained", _explained)
    app.connect("doctree-resolved", _link_terms, priority=600)


@cache
def terms(path: Path) -> list[dict[str, str]]:
    if not path.is_file():  # a book need not have a glossary
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    for row in rows:
        empty = [name for name in ("zh", "pinyin", "definition_en", "definition_zh") if not row.get(name)]
        if empty:
            raise ExtensionError(f"book/glossary.tsv: {row['en']} has nothing under {', '.join(empty)}")
    return rows


def anchor(row: dict[str, str]) -> str:
    """The same in both languages: term-batch-normalization-bn."""
    words = row["en"].lower().replace("γ", "gamma").replace("β", "beta")
    return "term-" + re.sub(r"[^a-z0-9]+", "-", words).strip("-")


def spellings(row: dict[str, str], language: str) -> list[str]:
    """A term and its other spellings in a language, as a text may have them."""
    names = re.sub(r" \(.*?\)", "", row[language]).split(" / ")
    return names + [word for word in (row.get(f"also_{language}") or "").split("; ") if word]


def in_order(rows: list[dict[str, str]], language: str) -> list[tuple[str, list[dict[str, str]]]]:
    """(letter, rows) by the alphabet, Chinese by its pinyin."""

    def key(row):
        return (row["en"].lower(), "") if language == "en" else (row["pinyin"], row["zh"])

    ordered = sorted(rows, key=key)
    return [(letter.upper(), list(found)) for letter, found in groupby(ordered, lambda row: key(row)[0][0])]


class CourseGlossary(SphinxDirective):
    """Every term, under its letter."""

    def run(self) -> list[nodes.Node]:
        path = Path(self.env.app.srcdir) / "book" / "glossary.tsv"
        self.env.note_dependency(str(path))
        language = language_of(self.env.docname)
        letters = in_order(terms(path), language)
        index = nodes.paragraph(classes=["glossary-letters"])
        made = [index]
        for letter, rows in letters:
            link = nodes.reference("", letter, internal=True, refuri=f"#letter-{letter.lower()}")
            index += [nodes.Text(" ") if len(index) else nodes.Text(_SAID[language]["letters"]), link]
            made.append(nodes.paragraph("", letter, ids=[f"letter-{letter.lower()}"], classes=["glossary-letter"]))
            made.append(nodes.definition_list("", *(_item(row, language) for row in rows), classes=["glossary-terms"]))
        return made


def _item(row: dict[str, str], language: str) -> nodes.definition_list_item:
    other = "zh" if language == "en" else "en"
    term = nodes.term(
        "", "", nodes.inline("", row[language], classes=["glossary-term"]), ids=[anchor(row)], shared=True
    )
    term += [nodes.Text(" "), nodes.inline("", row[other], classes=["glossary-other", f"language-{CODES[other]}"])]
    said = nodes.paragraph("", "", *docstrings.inline(row[f"definition_{language}"], lambda code: None))
    more = book_sections.later(kind="explained", key=row["en"])
    return nodes.definition_list_item("", term, nodes.definition("", said, more))


def _explained(app, docname: str, key: str) -> list[nodes.Node]:
    """The other spellings of a term, where a chapter explains it, and its name in the library."""
    language, env = language_of(docname), app.env
    (row,) = (row for row in terms(Path(app.srcdir) / "book" / "glossary.tsv") if row["en"] == key)
    said, clauses = _SAID[language], []
    if also := [word for word in (row.get(f"also_{language}") or "").split("; ") if word]:
        clauses.append([nodes.Text(said["also"] + _BETWEEN[language].join(also))])
    if row["where"]:
        section = book_sections.named(env, language, row["where"])
        if section is None:
            raise ExtensionError(f"book/glossary.tsv: {key} is explained in {row['where']}, but no chapter has that")
        clauses.append([nodes.Text(said["where"]), section.link()])
    if row["code"] and (index := index_of(env)):
        if row["code"] not in index.places:
            raise ExtensionError(f"book/glossary.tsv: {key} is {row['code']}, but the library has no such name")
        page, target = index.places[row["code"]]
        link = cross_links.to(f"api/{language}/{page}", target)
        link += nodes.literal(text=row["code"])
        clauses.append([nodes.Text(said["code"]), link])
    items = [nodes.list_item("", nodes.paragraph("", "", *clause)) for clause in clauses]
    return [nodes.bullet_list("", *items, classes=["side-by-side"])] if items else []


def _link_terms(app, doctree, docname) -> None:
    """The first time that a chapter emphasizes a term, the term leads to the glossary."""
    language = language_of(docname)
    page = f"chapters/{language}/glossary"
    if not docname.startswith("chapters/") or page == docname or page not in app.env.found_docs:
        return
    rows = terms(Path(app.srcdir) / "book" / "glossary.tsv")
    known = {word.lower(): anchor(row) for row in reversed(rows) for word in reversed(spellings(row, language))}
    for words in list(doctree.findall(nodes.emphasis)):
        text = words.astext().lower()
        target = known.pop(text, None) or known.pop(text.removesuffix("s"), None)
        if target is None or isinstance(words.parent, nodes.reference):
            continue
        known = {word: place for word, place in known.items() if place != target}
        link = cross_links.to(page, target, classes=["term-link"])
        words.parent.replace(words, link)
        link += words
