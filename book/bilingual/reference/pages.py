"""The reference of the library: a page for each of its rooms, from the docstrings, framed in the page's language.

The pages are api/LANGUAGE/NAME.md, a heading and a directive; the docstrings are English and marked as such. On Chinese
pages a sentence of book/reference_zh.tsv stands before each.
"""

import csv
from pathlib import Path

from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

from bilingual import cross_links
from bilingual.languages import CODES, language_of
from bilingual.reference import docstrings, signatures
from bilingual.reference.index import index_of
from bilingual.reference.source import Library, Name

SAID = {
    "en": {
        "Args": "Arguments", "Attributes": "Attributes", "Traits": "Traits", "Returns": "Returns", "Raises": "Raises",
        "Source": "Source", "Sources": "Sources", "members": "Methods and properties", "bases": "Inherits from ",
        "between": ", ", "place": "Defined in {path}, line {line}",
    },
    "zh": {
        "Args": "参数", "Attributes": "属性", "Traits": "可设置的量", "Returns": "返回", "Raises": "异常",
        "Source": "出处", "Sources": "出处", "members": "方法和属性", "bases": "继承自", "between": "、",
        "place": "定义在{path}，第{line}行",
    },
}  # fmt: skip


def setup(app) -> None:
    app.add_directive("library-reference", LibraryReference)
    app.add_css_file("reference-pages.css")


def summaries(root: Path) -> dict[str, str]:
    """Full name -> one Chinese sentence."""
    with (root / "book" / "reference_zh.tsv").open(encoding="utf-8", newline="") as file:
        return {row["name"]: row["summary"] for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)}


class LibraryReference(SphinxDirective):
    """All public names of the modules on this page."""

    def run(self) -> list[nodes.Node]:
        root, self.index = Path(self.env.app.srcdir), index_of(self.env)
        self.library = self.index.library
        self.language, self.chinese = language_of(self.env.docname), summaries(root)
        modules = self.index.pages[self.env.docname.rsplit("/", 1)[1]]
        made = [node for module in modules for node in self.module(module, alone=module == modules[0])]
        for path in [*(root / self.library.package).rglob("*.py"), root / "book" / "reference_zh.tsv"]:
            self.env.note_dependency(str(path))
        for node in made:
            node["support_smartquotes"] = False  # -- and "auto" are what one types
        return made

    def module(self, module: str, alone: bool) -> list[nodes.Node]:
        """What the module says of itself, its names with a sentence each, then one section for each name."""
        said = docstrings.read(self.library.module(module).docstring, module)
        about = self.english(said, module)
        about["ids"] = [module] if alone and module not in self.state.document.ids else []  # a heading may be named so
        public = self.library.module(module).public
        places = [(short, self.index.places[f"{module}.{short}"]) for short in public]
        names = [self.library.find(module, short) for short in public] if module != self.library.package else []
        made = [about, self.contents(places), *map(self.describe, names)]
        return made if alone else [_section(module, module, made)]

    def contents(self, places: list[tuple[str, tuple[str, str]]]) -> nodes.definition_list:
        made = nodes.definition_list(classes=["api-contents"])
        for short, (page, full) in places:
            link = cross_links.to(f"api/{self.language}/{page}", full)
            link += nodes.literal(text=short)
            said = nodes.paragraph("", "", *self.sentence(full))
            made += nodes.definition_list_item("", nodes.term("", "", link), nodes.definition("", said))
        return made

    def sentence(self, full: str) -> list[nodes.Node]:
        """What a name or module is, in the page's language."""
        module, _, short = full.rpartition(".")
        is_module = full in {module for modules in self.index.pages.values() for module in modules}
        if self.language == "zh":
            if full not in self.chinese:
                raise ExtensionError(f"book/reference_zh.tsv has no line for {full}; give it one Chinese sentence")
            return docstrings.inline(self.chinese[full], lambda code: None)
        text = self.library.module(full).docstring if is_module else self.library.find(module, short).docstring
        return docstrings.inline(text.strip().split("\n")[0], lambda code: None)

    def describe(self, name: Name) -> nodes.section:
        said = SAID[self.language]
        parts = docstrings.read(name.docstring, name.place)
        check_arguments(self.library, name, parts)
        made = [nodes.literal_block(text := signatures.signature(self.library, name), text, language="python")]
        if self.language == "zh":
            made.append(nodes.paragraph("", "", *self.sentence(name.full), classes=["api-sentence"]))
        made.append(self.english(parts, name.home, name.full))
        if members := signatures.members(name):
            made += [_title(said["members"]), *(self.member(name, *member) for member in members)]
        made.append(self.place(name))
        return _section(name.full, name.short, made)

    def member(self, name: Name, short: str, written: str, text: str) -> nodes.container:
        parts = docstrings.read(text, f"{name.full}.{short} ({name.path})")
        block = nodes.literal_block(written, written, language="python")
        return nodes.container("", block, self.english(parts, name.home, name.full), classes=["api-member"])

    def english(self, parts: list, module: str, own: str = "") -> nodes.container:
        def link(code: str) -> nodes.reference | None:
            place = self.index.find(code, module)
            known = place and place[1] != own
            return cross_links.to(f"api/{self.language}/{place[0]}", place[1]) if known else None

        made = [node for part in parts for node in docstrings.render(part, link, self.title)]
        return nodes.container("", *made, classes=["api-text", "language-en"])

    def title(self, word: str) -> nodes.paragraph:
        return _title(SAID[self.language][word], self.language)

    def place(self, name: Name) -> nodes.paragraph:
        said, made = SAID[self.language], nodes.paragraph(classes=["api-place"])
        for number, base in enumerate(signatures.bases(name)):
            made += nodes.Text(said["between"] if number else said["bases"])
            place = self.index.find(base, name.home)
            code = nodes.literal(text=base)
            link = cross_links.to(f"api/{self.language}/{place[0]}", place[1]) if place else None
            made += code if link is None else [link.append(code) or link]
        if len(made):
            made += nodes.Text({"en": ". ", "zh": "。"}[self.language])
        link = cross_links.to_source(name.path, name.line)
        link += nodes.Text(said["place"].format(path=name.path, line=name.line))
        return made.append(link) or made


def check_arguments(library: Library, name: Name, parts: list) -> None:
    """What a docstring explains must be what the signature has."""
    known = signatures.parameter_names(library, name)
    for part in (inner for section in parts if section.text == "Args" for inner in section.parts):
        words = {word for words, _ in part.entries for word in words.split(", ")}
        if part.kind != "entries" or words - known:
            strange = ", ".join(sorted(words - known)) or part.text
            has = ", ".join(sorted(known)) or "none"
            raise ExtensionError(f"the docstring of {name.place} explains {strange} under Args:; its arguments: {has}")


def _section(anchor: str, title: str, inside: list[nodes.Node]) -> nodes.section:
    return nodes.section("", nodes.title("", "", nodes.literal(text=title)), *inside, ids=[anchor], names=[anchor])


def _title(text: str, language: str = "") -> nodes.paragraph:
    return nodes.paragraph("", text, classes=["api-title", *([f"language-{CODES[language]}"] if language else [])])
