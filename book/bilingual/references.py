"""The works that the course cites, from book/references.toml, each with the places that cite it."""

import tomllib
from functools import cache
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from bilingual import book_sections, cross_links
from bilingual.languages import CODES, language_of
from bilingual.reference.index import index_of

_CITED = {"en": "Cited in", "zh": "引用处"}
_LISTS = ("work", "source")


def setup(app) -> None:
    app.add_directive("course-references", CourseReferences)
    book_sections.filled_by("citations", _citations)


@cache
def entries(path: Path) -> dict[str, dict]:
    """key -> entry, in the order of the list: by author and year."""
    found = tomllib.loads(path.read_text(encoding="utf-8"))
    return dict(sorted(found.items(), key=lambda item: (_sorted_by(item[1]), item[1].get("year", 0))))


def addresses(entry: dict) -> list[tuple[str, str]]:
    """(what is shown, where it leads) of an entry."""
    found = []
    if "arxiv" in entry:
        found.append((f"arXiv:{entry['arxiv']}", f"https://arxiv.org/abs/{entry['arxiv']}"))
    if "doi" in entry:
        found.append((f"doi:{entry['doi']}", f"https://doi.org/{entry['doi']}"))
    if "url" in entry:
        found.append((entry["url"].split("://")[1].rstrip("/"), entry["url"]))
    return found


def is_cited(entry: dict, text: str, links: tuple[str, ...] = ()) -> bool:
    """Whether a text names an entry: by its address, by its arXiv number, or in the words of `cited`."""
    said = list(entry.get("cited", [])) + ([f"arXiv:{entry['arxiv']}"] if "arxiv" in entry else [])
    led = [address for _, address in addresses(entry)]
    return any(word in text or word in link for word in said for link in (*links, "")) or any(
        link.startswith(address) for address in led for link in links
    )


class CourseReferences(SphinxDirective):
    """The list of one kind: works, or sources such as documentation and data."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        (kind,) = self.arguments
        if kind not in _LISTS:
            raise self.error(f"course-references got {kind!r}; expected one of {', '.join(_LISTS)}")
        path = Path(self.env.app.srcdir) / "book" / "references.toml"
        self.env.note_dependency(str(path))
        made = nodes.bullet_list(classes=["references"])
        for key, entry in entries(path).items():
            if entry["kind"] == kind:
                made += _item(key, entry)
        return [made]


def _item(key: str, entry: dict) -> nodes.list_item:
    year = f" ({entry['year']})" if "year" in entry else ""
    work = nodes.paragraph(classes=[f"language-{CODES[entry.get('language', 'en')]}"])
    work += nodes.Text(f"{entry['authors']}{year}. ")
    work += nodes.inline("", entry["title"], classes=["reference-title"])
    work += nodes.Text(f". {entry['venue']}. " if "venue" in entry else ". ")
    for number, (shown, address) in enumerate(addresses(entry)):
        work += [nodes.Text(" · " if number else ""), nodes.reference("", shown, refuri=address)]
    places = book_sections.later(kind="citations", key=key)
    return nodes.list_item("", work, places, ids=[f"ref-{key}"], shared=True)


def _citations(app, docname: str, key: str) -> list[nodes.Node]:
    """Where an entry is cited: chapters of this language, then the library; of the other language only if need be."""
    entry = entries(Path(app.srcdir) / "book" / "references.toml")[key]
    own = language_of(docname)
    links = _in_chapters(app.env, entry, own) + _in_library(app.env, entry, own)
    for other in {"en", "zh"} - {own} if not links else ():
        links = [_of_language(link, other) for link in _in_chapters(app.env, entry, other)]
    if not links:
        return []
    items = [nodes.list_item("", nodes.paragraph("", "", link)) for link in links]
    label = nodes.paragraph("", _CITED[own])
    return [nodes.container("", label, nodes.bullet_list("", *items, classes=["side-by-side"]), classes=["citations"])]


def _in_chapters(env, entry: dict, language: str) -> list[nodes.Node]:
    found = (section for name in book_sections.chapters(env, language) for section in book_sections.sections(env, name))
    return [section.link() for section in found if is_cited(entry, section.text, section.addresses)]


def _in_library(env, entry: dict, language: str) -> list[nodes.Node]:
    made, index = [], index_of(env)
    for full, text in index.said.items() if index else ():
        if is_cited(entry, text, tuple(address for _, address in addresses(entry) if address in text)):
            page, anchor = index.places[full]
            link = cross_links.to(f"api/{language}/{page}", anchor)
            link += nodes.literal(text=full)
            made.append(link)
    return made


def _of_language(link: nodes.reference, language: str) -> nodes.inline:
    return nodes.inline("", "", link, classes=[f"language-{CODES[language]}"])


def _sorted_by(entry: dict) -> str:
    """The family name of the first author."""
    first = entry["authors"].split(",")[0]
    lowered = next((i for i, word in enumerate(first.split()) if word == "van"), None)
    family = first.split()[lowered:] if lowered is not None else first.split()[-1:]
    return " ".join(family).lower()
