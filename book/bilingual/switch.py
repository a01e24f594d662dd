"""The switch to the same page and section in the other language.

Sections come in the same order in both languages, so the n-th section here is the n-th there; the pairs of their
anchors are written into the link, and a script adds the right one to it. This also works on pages opened from files.
Who switches, or starts from a language on the landing page, is led to that language from there the next time.
"""

import json
import posixpath

from docutils import nodes
from sphinx.util import logging

from bilingual.languages import CODES, DEFAULT, NAMES, counterpart, is_search, language_of

_HINTS = {"en": "This page in English", "zh": "本页的中文版"}
_log = logging.getLogger(__name__)


def setup(app) -> None:
    app.connect("env-get-outdated", _pairs)
    app.connect("html-page-context", _switch)
    app.add_js_file("language-switch.js", loading_method="defer")
    app.add_css_file("course.css")
    app.add_css_file("chinese.css")


def _pairs(app, env, added, changed, removed) -> list[str]:
    """A page holds its counterpart's anchors, so it is written again when its counterpart changes."""
    return [other for name in added | changed | removed if (other := counterpart(name)) in env.found_docs]


def _switch(app, pagename, templatename, context, doctree) -> None:
    """Set `switch` (the link in the header) and `alternates` (the hreflang links in the head)."""
    other, own = counterpart(pagename), {app.config.root_doc: "index", "search": "search"}
    context["chooses_language"] = pagename in own  # a page of neither leads to one of them
    if other is None:
        pages = [f"chapters/{language}/{own[pagename]}" for language in CODES] if pagename in own else []
        context["alternates"] = _alternates(app, context, pages)
        return
    if is_search(pagename):
        _set_switch(context, other, {})
        return
    if other not in app.env.found_docs:
        _log.warning("%s has no counterpart %s in the other language", pagename, other, location=pagename)
        return
    (here, shared), (there, _) = (_anchors(app, name) for name in (pagename, other))
    if len(here) != len(there) and language_of(pagename) == DEFAULT:
        counts = f"{pagename} has {len(here)} sections and {other} has {len(there)}"
        _log.warning("%s; both need the same ones in the same order", counts, location=pagename)
    _set_switch(context, other, dict(zip(here, there, strict=False)) | {name: name for name in shared})
    context["alternates"] = _alternates(app, context, sorted((pagename, other)))


def _alternates(app, context, pages: list[str]) -> list[tuple[str, str]]:
    """(language, address) of the same page in each language; for a reader of neither, the page that lets one choose."""
    here = posixpath.basename(app.builder.get_target_uri(context["pagename"]))  # pathto gives "#" for the page itself
    found = [(CODES[language_of(name)], context["pathto"](name).replace("#", here)) for name in pages]
    first = f"chapters/{DEFAULT}/index" in pages
    return [*found, ("x-default", context["pathto"](app.config.root_doc).replace("#", here))] if first else found


def _set_switch(context, other: str, anchors: dict[str, str]) -> None:
    language = language_of(other)
    context["switch"] = {
        "url": context["pathto"](other),
        "lang": CODES[language],
        "name": NAMES[language],
        "hint": _HINTS[language],
        "anchors": json.dumps(anchors, ensure_ascii=False),
    }


def _anchors(app, docname: str) -> tuple[list[str], list[str]]:
    """A page's sections, and those anchors that its counterpart has too, such as a glossary's terms in their order."""
    kept = app.__dict__.setdefault("course_anchors", {})
    if docname not in kept:
        doctree = app.env.get_doctree(docname)
        sections = [section["ids"][0] for section in doctree.findall(nodes.section)]
        kept[docname] = sections, [node["ids"][0] for node in doctree.findall(nodes.Element) if node.get("shared")]
    return kept[docname]
