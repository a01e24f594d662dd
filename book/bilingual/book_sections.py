"""The sections of the chapters, in the order of the book: to name one, to pair it with its counterpart, to find words.

They are known once all pages are read, so a page that names them holds a `later` node, which is filled in when the
page is written; and it is read again whenever a chapter changes.
"""

from collections.abc import Callable
from dataclasses import dataclass

from docutils import nodes

from bilingual import cross_links
from bilingual.languages import counterpart, language_of

_FILLED: dict[str, Callable] = {}  # kind of a `later` node -> (app, docname, key) -> what takes its place
_PAGES = ("glossary", "references")


@dataclass(frozen=True)
class Section:
    """A section's place, its heading with the chapter's before it, and what stands in it but not in its subsections."""

    docname: str
    anchor: str  # "" for the chapter's beginning
    label: str
    text: str
    addresses: tuple[str, ...]

    def link(self) -> nodes.reference:
        link = cross_links.to(self.docname, self.anchor)
        link += nodes.Text(self.label)
        return link


class later(nodes.General, nodes.Element):
    """Stands for what is known only when all pages are read."""


def setup(app) -> None:
    app.add_node(later)
    app.connect("env-get-outdated", _read_again)
    app.connect("doctree-resolved", _fill, priority=500)


def filled_by(kind: str, make: Callable) -> None:
    """Let make(app, docname, key) give the nodes that stand for later(kind=..., key=...)."""
    _FILLED[kind] = make


def sections(env, docname: str) -> list[Section]:
    """All sections of a page, in its order."""
    kept = env.app.__dict__.setdefault("course_sections", {})
    if docname not in kept:
        doctree = env.get_doctree(docname)
        chapter = env.titles[docname].astext()
        kept[docname] = [_section(docname, chapter, found) for found in doctree.findall(nodes.section)]
    return kept[docname]


def chapters(env, language: str) -> list[str]:
    """The chapters of a language in the order of the table of contents."""
    listed = env.toctree_includes.get(env.config.root_doc, [])
    own = [name for name in listed if name.startswith("chapters/") and language_of(name) == language]
    return [name for name in own if name.rsplit("/", 1)[1] not in _PAGES]


def named(env, language: str, place: str) -> Section | None:
    """The section `02_formulas#the-english-anchor`, in either language; None if there is none."""
    name, _, anchor = place.partition("#")
    english = f"chapters/en/{name}"
    if english not in env.found_docs or counterpart(english) not in env.found_docs:
        return None
    for here, there in zip(sections(env, english), sections(env, counterpart(english)), strict=False):
        if here.anchor == anchor:
            return here if language == "en" else there
    return None


def _section(docname: str, chapter: str, found: nodes.section) -> Section:
    top = isinstance(found.parent, nodes.document)
    title = found.next_node(nodes.title).astext()
    between = "：" if language_of(docname) == "zh" else ": "
    own = [child for child in found.children if not isinstance(child, nodes.section)]
    links = [link.get("refuri", "") for child in own for link in child.findall(nodes.reference)]
    text = " ".join(" ".join(child.astext().split()) for child in own)
    label = chapter if top else f"{chapter}{between}{title}"
    return Section(docname, "" if top else found["ids"][0], label, text, tuple(links))


def _read_again(app, env, added, changed, removed) -> list[str]:
    """The pages that name sections of chapters, if a chapter has changed."""
    env.app.__dict__.pop("course_sections", None)
    languages = {language_of(name) for name in added | changed | removed if name.startswith("chapters/")} - {None}
    pages = [f"chapters/{language}/{page}" for language in ("en", "zh") for page in _PAGES] if languages else []
    return [page for page in pages if page in env.found_docs]


def _fill(app, doctree, docname) -> None:
    for node in list(doctree.findall(later)):
        node.replace_self(_FILLED[node["kind"]](app, docname, node["key"]))
