"""What the symbols in formulas mean, from book/symbols.tsv: on hover, on tap, by keyboard, and as a list of the page.

Columns: symbol (TeX; `; ` between several forms with one meaning); en, zh; where (the number of an equation, or
chapter#english-anchor); pages (the chapters where it means this; all, if empty); with (other symbols that must stand in
the same formula or, after `!`, may not: W is a width beside H, else the weights). The first row that fits is taken, the
largest form first: μ_B is no μ with an index. A letter that serves one sentence only, such as the c of an exercise, is
left out: no explanation is better than a wrong one.

A formula stays one plain MathML tree, so that a screen reader can read it as a whole and walk through it: no symbol in
it can be focused, and none has a name of its own. The explanations stand as text in a list at the end of the page;
a script shows the same text at the symbol (static/mathematics.js).
"""

import csv
import html
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

from bilingual import book_sections, equations
from bilingual.languages import DEFAULT, language_of
from bilingual.mathml import TexError, convert, make, markup

_FILE = Path(__file__).parent.parent / "symbols.tsv"
_SAID = {
    "en": {
        "title": "Symbols on this page",
        "keys": "Explain symbols by keyboard",
        "hint": "Then Tab stops at every formula that has symbols from this list; the arrow keys go through them.",
    },
    "zh": {
        "title": "本页的符号",
        "keys": "用键盘查看符号",
        "hint": "打开之后，Tab键会停在含有这些符号的公式上，用方向键逐个查看。",
    },
}


@dataclass(frozen=True)
class Symbol:
    name: str  # of its entry on a page: symbol-mu-B
    forms: tuple[str, ...]  # TeX
    keys: tuple[str, ...]  # the same as MathML
    said: dict[str, str]
    where: str
    pages: tuple[str, ...]
    needs: tuple[str, ...]
    excludes: tuple[str, ...]

    def fits(self, page: str, formula: set[str]) -> bool:
        known = not self.pages or page in self.pages
        return known and all(key in formula for key in self.needs) and not any(key in formula for key in self.excludes)


def setup(app) -> None:
    app.add_directive("course-symbols", CourseSymbols)
    book_sections.filled_by("symbols", lambda app, docname, key: [_raw(symbols_table(app, docname, table()))])
    app.connect("doctree-resolved", _list_of_page, priority=560)


@cache
def table() -> tuple[Symbol, ...]:
    if not _FILE.is_file():  # a book need not explain its symbols
        return ()
    with _FILE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    found, names = [], set()
    for row in rows:
        try:
            symbol = _symbol(row, names)
        except TexError as problem:
            raise ExtensionError(f"book/symbols.tsv: {row['symbol']}: {problem}") from problem
        names.add(symbol.name)
        found.append(symbol)
    return tuple(found)


def _symbol(row: dict[str, str], names: set[str]) -> Symbol:
    empty = [column for column in ("symbol", "en", "zh", "where") if not row[column]]
    if empty:
        raise ExtensionError(f"book/symbols.tsv: {row['symbol']} has nothing under {', '.join(empty)}")
    forms = tuple(row["symbol"].split("; "))
    conditions = row["with"].split()
    plain = re.sub(r"[^A-Za-z0-9]+", "-", forms[0]).strip("-")
    name = next(name for n in range(1, 100) if (name := plain if n == 1 else f"{plain}-{n}") not in names)
    return Symbol(
        name=name,
        forms=forms,
        keys=tuple(_key(form) for form in forms),
        said={language: row[language] for language in ("en", "zh")},
        where=row["where"],
        pages=tuple(page for page in row["pages"].split(", ") if page),
        needs=tuple(_key(word) for word in conditions if not word.startswith("!")),
        excludes=tuple(_key(word[1:]) for word in conditions if word.startswith("!")),
    )


def _key(tex: str) -> str:
    math = convert(tex)
    return markup(math[0] if len(math) == 1 else make("mrow", "", *math))


def mark(docname: str, math) -> list[Symbol]:
    """Note at each symbol of a formula which one it is; gives those that it found."""
    inside = {markup(part) for part in math.iter()}
    page = docname.rsplit("/", 1)[-1]
    meant = {key: symbol for symbol in reversed(table()) if symbol.fits(page, inside) for key in symbol.keys}
    found = []

    def walk(element) -> None:
        symbol = meant.get(markup(element))
        if symbol is None:
            for child in element:
                walk(child)
        else:
            element.set("data-symbol", symbol.name)
            found.append(symbol)

    for child in math:
        walk(child)
    return found


def _in_formula(docname: str, node) -> list[Symbol]:
    try:
        return mark(docname, convert(node.astext()))
    except TexError:
        return []  # said when the formula is written


def symbols_table(app, docname: str, symbols: tuple[Symbol, ...]) -> str:
    """The list of symbols as HTML, for a page in its language."""
    language = language_of(docname) or DEFAULT
    items = []
    for symbol in symbols:
        shown = ", ".join(dict.fromkeys(markup(convert(form)) for form in symbol.forms[:2]))
        items.append(
            f'<dt id="symbol-{symbol.name}">{shown}</dt><dd><span class="symbol-said">'
            f"{html.escape(symbol.said[language])}</span> {_link(app, docname, language, symbol)}</dd>"
        )
    return f'<dl class="symbols">{"".join(items)}</dl>'


def _link(app, docname: str, language: str, symbol: Symbol) -> str:
    if "#" in symbol.where:
        section = book_sections.named(app.env, language, symbol.where)
        page, anchor, label = (section.docname, section.anchor, section.label) if section else (None, None, "")
        if page == docname:  # the heading alone, without the chapter's
            label = label.removeprefix(app.env.titles[page].astext()).lstrip(":： ")
    else:
        page, anchor = equations.place(app.env, language, symbol.where) or (None, None)
        label = f"({symbol.where})"
    if page is None:
        raise ExtensionError(
            f"book/symbols.tsv: {symbol.forms[0]} is defined in {symbol.where}, but no chapter has that"
        )
    address = ("" if page == docname else app.builder.get_relative_uri(docname, page)) + f"#{anchor}"
    return f'<a class="symbol-where" href="{address}">{html.escape(label)}</a>'


def _raw(markup_: str) -> nodes.raw:
    return nodes.raw("", markup_, format="html")


def _list_of_page(app, doctree, docname) -> None:
    """At the end of a page, folded away: the symbols in its formulas. Paper has all of them in the glossary."""
    formulas = [node for node in doctree.findall() if isinstance(node, (nodes.math, nodes.math_block))]
    used = {symbol.name for node in formulas for symbol in _in_formula(docname, node)}
    top = doctree.next_node(nodes.section)
    if not used or top is None:
        return
    said = _SAID[language_of(docname) or DEFAULT]
    listed = symbols_table(app, docname, tuple(symbol for symbol in table() if symbol.name in used))
    keys = (
        f'<p class="symbols-keys" hidden><button type="button" class="btn btn-sm" aria-pressed="false">{said["keys"]}'
        f"</button> {said['hint']}</p>"
    )
    summary = f"<summary><h2>{said['title']}</h2></summary>"
    top += _raw(f'<details class="symbols-of-page screen-only" id="symbols">{summary}{keys}{listed}</details>')


class CourseSymbols(SphinxDirective):
    """The symbols of the whole course."""

    def run(self) -> list[nodes.Node]:
        return [book_sections.later(kind="symbols", key="")]
