"""The switch to the same page and section in the other language.

Sections come in the same order in both languages, so the n-th section here is the n-th there; the pairs of their
anchors are written into the link, and a script adds the right one to it. This also works on pages opened from files.
"""

import json

from docutils import nodes
from sphinx.util import logging

from bilingual.languages import CODES, DEFAULT, NAMES, counterpart, language_of

_HINTS = {"en": "This page in English", "zh": "本页的中文版"}
_log = logging.getLogger(__name__)


def setup(app) -> None:
    app.connect("env-get-outdated", _pairs)
    app.connect("html-page-context", _switch)
    app.add_js_file("language-switch.js", loading_method="defer")
    app.add_css_file("course.css")


def _pairs(app, env, added, changed, removed) -> list[str]:
    """A page holds its counterpart's anchors, so it is written again when its counterpart changes."""
    return [other for name in added | changed | removed if (other := counterpart(name)) in env.found_docs]


def _switch(app, pagename, templatename, context, doctree) -> None:
    """Set `switch` (the link in the header) and `alternates` (the hreflang links in the head)."""
    other = counterpart(pagename)
    if other is None:
        pages = [f"chapters/{language}/index" for language in CODES] if pagename == app.config.root_doc else []
        context["alternates"] = [(CODES[language_of(name)], context["pathto"](name)) for name in pages]
        return
    if other not in app.env.found_docs:
        _log.warning("%s has no counterpart %s in the other language", pagename, other, location=pagename)
        return
    (here, shared), (there, _) = (_anchors(app, name) for name in (pagename, other))
    if len(here) != len(there) and language_of(pagename) == DEFAULT:
        counts = f"{pagename} has {len(here)} sections and {other} has {len(there)}"
        _log.warning("%s; both need the same ones in the same order", counts, location=pagename)
    language = language_of(other)
    anchors = dict(zip(here, there, strict=False)) | {name: name for name in shared}
    context["switch"] = {
        "url": context["pathto"](other),
        "lang": CODES[language],
        "name": NAMES[language],
        "hint": _HINTS[language],
        "anchors": json.dumps(anchors, ensure_ascii=False),
    }
    context["alternates"] = [(CODES[language_of(name)], context["pathto"](name)) for name in sorted((pagename, other))]


def _anchors(app, docname: str) -> tuple[list[str], list[str]]:
    """A page's sections, and those anchors that its counterpart has too, such as a glossary's terms in their order."""
    kept = app.__dict__.setdefault("course_anchors", {})
    if docname not in kept:
        doctree = app.env.get_doctree(docname)
        sections = [section["ids"][0] for section in doctree.findall(nodes.section)]
        kept[docname] = sections, [node["ids"][0] for node in doctree.findall(nodes.Element) if node.get("shared")]
    return kept[docname]
