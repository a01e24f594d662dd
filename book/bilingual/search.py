"""Search in the language of the page: English words by their stems, Chinese by pairs of characters.

Each language has its search page, chapters/LANGUAGE/search.html; the one at the top of the book leads on to it. What is
found is put in order, and shown with the sentence that holds it, by static/search-results.js. All that it needs of a
language is in one script, search-LANGUAGE.js, so it works on pages opened from files, too: Sphinx' index of the words,
the texts, and the spellings of the terms. The page fetches its own language's when there is something to look for, and
the other's when it has answered, to say how much there is.

Chinese has no spaces, and a dictionary's word boundaries miss terms such as 归一 or 移动平均; pairs of neighbouring
characters find any word of two or more. Queries are split into them in the browser (js_splitter_code), and looked for
in the texts themselves, which are there for the sentences anyway: the index, of letters' words alone, stays small.
"""

import json
import re
from pathlib import Path

from docutils import nodes
from sphinx.search import js_index, languages
from sphinx.search.en import SearchEnglish

from bilingual import glossary
from bilingual.languages import CODES, is_search, language_of
from bilingual.plain_math import plain

_HAN = r"\u3400-\u4dbf\u4e00-\u9fff"
_NO_TEXT = (nodes.literal_block, nodes.math, nodes.math_block, nodes.raw, nodes.comment, nodes.image, nodes.title)
_NOT_SAID = frozenset(
    ("cell", "glossary-terms", "glossary-letters", "glossary-letter", "api-place")
)  # by their classes
_BETWEEN = re.compile(r"(?<=[。？！：；，、）]) ")  # none after a Chinese mark, also where a paragraph ends
_WORDS = re.compile(rf"[^\W{_HAN}]+")


class BilingualSearch(SearchEnglish):
    """Sphinx' English search, which leaves Chinese characters to the browser; a query's are taken in pairs."""

    js_splitter_code = """
function splitQuery(query) {
  const words = [];
  const han = /^[\\u3400-\\u4dbf\\u4e00-\\u9fff]/;
  const runs = /[\\u3400-\\u4dbf\\u4e00-\\u9fff]+|(?:(?![\\u3400-\\u4dbf\\u4e00-\\u9fff])[\\p{L}\\p{N}_])+/gu;
  for (const run of query.match(runs) || []) {
    if (!han.test(run) || run.length === 1) words.push(run);
    else for (let i = 0; i + 1 < run.length; i++) words.push(run.slice(i, i + 2));
  }
  return words;
}
"""

    def split(self, input: str) -> list[str]:
        return _WORDS.findall(input)

    def stem(self, word: str) -> str:
        return super().stem(word) if word.isascii() else word


def setup(app) -> None:
    languages["en"] = BilingualSearch
    app.connect("html-collect-pages", _pages)
    app.connect("html-page-context", _search_here, priority=700)
    app.connect("build-finished", _write)


def _pages(app):
    for language in CODES:
        yield f"chapters/{language}/search", {}, "search.html"


def _search_here(app, pagename, templatename, context, doctree) -> None:
    """Every search field of a page leads to the search page of its language."""
    language, to = language_of(pagename), context["pathto"]
    if language is not None:
        context["pathto"] = lambda name, *more: to(f"chapters/{language}/search" if name == "search" else name, *more)
    context["is_search"] = is_search(pagename)
    if context["is_search"] and language is not None:
        app.add_js_file("search-begin.js", priority=100, loading_method="async")
        for number, name in enumerate(["language_data.js", "searchtools.js", "search-results.js"]):
            app.add_js_file(name, priority=850 + number, loading_method="defer")


def _write(app, exception) -> None:
    """What the search page of each language needs, as one script."""
    if exception is not None or app.builder.format != "html":
        return
    found = {name: app.env.get_doctree(name) for name in sorted(app.env.found_docs) if language_of(name)}
    searched = {name: tree for name, tree in found.items() if "nosearch" not in app.env.metadata[name]}
    index = js_index.loads((Path(app.outdir) / "searchindex.js").read_text(encoding="utf-8"))
    for language in CODES:
        pages = {name: _sections(tree) for name, tree in searched.items() if language_of(name) == language}
        data = {"pages": pages, "terms": _terms(app, language), "index": _index_of(index, language)}
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        script = f'window.bookSearch = window.bookSearch || {{}};\nwindow.bookSearch["{language}"] = {text};\n'
        (Path(app.outdir) / "_static" / f"search-{language}.js").write_text(script, encoding="utf-8")


def _index_of(index: dict, language: str) -> dict:
    """Sphinx' index, in its own form, of the pages of one language; pages keep their numbers."""
    own = {number for number, name in enumerate(index["docnames"]) if language_of(name) == language}

    def words(found: dict) -> dict:
        numbers = {
            word: [n for n in ([pages] if isinstance(pages, int) else pages) if n in own]
            for word, pages in found.items()
        }
        return {word: pages for word, pages in numbers.items() if pages}

    def places(found: dict) -> dict:
        left = {text: [place for place in where if place[0] in own] for text, where in found.items()}
        return {text: where for text, where in left.items() if where}

    kept = {"terms": words, "titleterms": words, "alltitles": places, "indexentries": places}
    return {name: kept.get(name, lambda same: same)(part) for name, part in index.items()}


def _sections(doctree) -> list[list[str]]:
    """[anchor, heading, text] of each section, and of each term of the glossary; the first is the page itself."""
    found = []
    for section in doctree.findall(nodes.section):
        parts = [_text(child) for child in section.children if not isinstance(child, nodes.section)]
        top = isinstance(section.parent, nodes.document)
        title = section.next_node(nodes.title).astext()
        found.append(["" if top else section["ids"][0], title, _BETWEEN.sub("", " ".join(filter(None, parts)))])
    for term in doctree.findall(lambda node: isinstance(node, nodes.term) and node.get("shared")):
        said = term.parent.next_node(nodes.paragraph)
        found.append([term["ids"][0], term[0].astext(), said.astext()])
    return found


def _text(node) -> str:
    """What a reader reads there as sentences: no code, no formulas as TeX, no outputs."""
    if isinstance(node, _NO_TEXT) or _NOT_SAID & set(node.get("classes", ())):
        return ""
    texts, last = [], None
    for text in node.findall(nodes.Text):
        above = list(_above(text, node))
        if any(isinstance(part, nodes.math) for part in above):
            texts.append(plain(text.astext()))
        elif not any(isinstance(part, _NO_TEXT) for part in above):
            block = next((part for part in above if not isinstance(part, nodes.Inline)), node)
            texts.append(text.astext() if block is last else f" {text.astext()}")
            last = block
    return " ".join("".join(texts).split())


def _above(text, top):
    while text is not top:
        text = text.parent
        yield text


def _terms(app, language: str) -> list[dict]:
    """All terms of the glossary: how each may be spelled in either language, what it is, where that stands."""
    rows = glossary.terms(Path(app.srcdir) / "book" / "glossary.tsv")
    other = next(code for code in CODES if code != language)
    return [
        {
            "own": own,
            "other": others,
            "name": row[language],
            "said": re.sub(r"[`*]", "", row[f"definition_{language}"]),
            "anchor": glossary.anchor(row),
        }
        for row in rows
        for own, others in _pairs(_spellings(row, language), _spellings(row, other))
    ]


def _pairs(own: list[list[str]], others: list[list[str]]):
    """Term by term; where a language has one word for the other's two, all of them together."""
    if len(own) == len(others):
        return zip(own, others, strict=True)
    return [(sum(own, []), sum(others, []))]


def _spellings(row: dict[str, str], language: str) -> list[list[str]]:
    """All spellings of each of the terms that a row explains together, as in "moving mean / moving variance"."""
    names = [re.sub(r" \(.*?\)", "", name) for name in row[language].split(" / ")]
    shared = names[-1].split()  # vanishing / exploding gradient: a vanishing gradient
    names = [" ".join([*name.split(), *shared[len(name.split()) :]]) for name in names]
    short = re.findall(r"\((.*?)\)", row[language])
    also = [word for word in (row[f"also_{language}"] or "").split("; ") if word]
    paired = len(names) > 1 and len(also) == len(names)
    return [[name, *([also[n]] if paired else also), *short] for n, name in enumerate(names)]
