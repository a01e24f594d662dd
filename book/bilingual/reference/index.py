"""Where each public name of the library is explained, and the links from the chapters to there."""

import re
from pathlib import Path

from docutils import nodes
from sphinx.errors import ExtensionError

from bilingual import cross_links, settings
from bilingual.languages import language_of
from bilingual.reference.source import Library

_CODE = re.compile(r"([A-Za-z_][\w.]*)(\(.*\))?$", re.S)


def setup(app) -> None:
    app.connect("doctree-resolved", _link_chapters, priority=600)


class Index:
    """Where each public name is explained: full name -> (page, anchor)."""

    def __init__(self, library: Library, pages: dict[str, list[str]]) -> None:
        self.library, self.pages = library, pages  # page -> the modules on it
        package = library.package
        self.places: dict[str, tuple[str, str]] = {}
        self.said: dict[str, str] = {}  # full name -> docstring
        for page, modules in pages.items():
            for module in modules:
                self.places[module] = (page, module)
                for name in library.names(module) if module != package else []:
                    self.said[name.full] = name.docstring
                    self.places[name.full] = self.places[f"{name.home}.{name.short}"] = (page, name.full)
        for short in library.module(package).public:
            found = [place for full, place in self.places.items() if full.rsplit(".", 1)[1:] == [short]]
            if not found:
                raise ExtensionError(f"{package}.{short} is public, but no page in {settings.FILE} explains it")
            self.places.setdefault(f"{package}.{short}", self._first(short) or found[0])

    def _first(self, short: str) -> tuple[str, str] | None:
        """The place of a name that a room itself offers, not one of its parts."""
        rooms = (self.places.get(f"{self.library.package}.{room}.{short}") for room in self.pages)
        return next(filter(None, rooms), None)

    def find(self, code: str, module: str = "") -> tuple[str, str] | None:
        """The place of `name`, `module.name` or `Class.method(...)`, as it is meant inside of a module."""
        found = _CODE.match(code)
        if not found:
            return None
        word = found[1]
        rooms = [module.rsplit(".", cut)[0] for cut in range(module.count(".") + 1)] if module else []
        package = self.library.package
        for said in (word, word.rsplit(".", 1)[0] if "." in word else word):  # the class of a method
            for full in (said, *(f"{room}.{said}" for room in rooms), f"{package}.{said}"):
                if full in self.places and full != package:
                    return self.places[full]
        return None


def index_of(env) -> Index | None:
    """The index, made once for each run; None for a book without these pages."""
    library = settings.of(env.app).library
    if library is None:
        return None
    if not hasattr(env.app, "course_api_index"):
        env.app.course_api_index = Index(Library(Path(env.app.srcdir), library.package), library.pages)
    return env.app.course_api_index


def _link_chapters(app, doctree, docname) -> None:
    """The first time that a chapter names something of the library in code, the name leads to its explanation."""
    index, language = index_of(app.env), language_of(docname)
    if index is None or not docname.startswith("chapters/"):
        return
    package = index.library.package
    begins = tuple(f"{word}." for word in (package, *(page for page in index.pages if page != "index")))
    seen = set()
    for code in list(doctree.findall(nodes.literal)):
        text = code.astext()
        place = index.find(text) if text.startswith(begins) else None
        inside = isinstance(code.parent, (nodes.reference, nodes.title))
        if place and place not in seen and not inside:
            seen.add(place)
            link = cross_links.to(f"api/{language}/{place[0]}", place[1], classes=["api-link"])
            code.parent.replace(code, link)
            link += code
