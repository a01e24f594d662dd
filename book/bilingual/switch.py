"""The switch to the same page and section in the other language.

Sections come in the same order in both languages, so the n-th section here is the n-th there; the pairs of their
anchors are written into the link, and a script adds the right one to it.
"""

import json

from docutils import nodes

from bilingual.languages import CODES, NAMES, counterpart, language_of


def setup(app) -> None:
    app.connect("html-page-context", _counterpart)
    app.add_js_file("language-switch.js", loading_method="defer")
    app.add_css_file("course.css")


def _counterpart(app, pagename, templatename, context, doctree) -> None:
    other = counterpart(pagename)
    if other is None or other not in app.env.found_docs:
        context["switch"] = None
        return
    language = language_of(other)
    here, there = (_anchors(app, name) for name in (pagename, other))
    context["switch"] = {
        "url": context["pathto"](other),
        "lang": CODES[language],
        "name": NAMES[language],
        "hint": {"en": "This page in English", "zh": "本页的中文版"}[language],
        "anchors": json.dumps(dict(zip(here, there, strict=False)), ensure_ascii=False),
    }
    context["alternates"] = [(CODES[language_of(name)], context["pathto"](name)) for name in sorted((pagename, other))]


def _anchors(app, docname: str) -> list[str]:
    doctree = app.env.get_doctree(docname)
    return [section["ids"][0] for section in doctree.findall(nodes.section)]
