"""The numbers of equations: \\tag{2.3} stands beside the formula, and (2.3) in the text leads to it.

A notebook shows the formula and its number everywhere by \\tag alone, and a reader of the notebook finds "(2.3)" by
eye; the book adds the links. Equations with a label of Sphinx are numbered and linked by Sphinx.
"""

import re

from docutils import nodes
from sphinx.util import logging

from bilingual import cross_links
from bilingual.languages import language_of

_TAG = re.compile(r"\s*\\tag\{([^{}]*)\}")
_REFERENCE = re.compile(r"\((\d+\.\d+)\)")
_NOT_IN = (nodes.reference, nodes.math, nodes.math_block, nodes.literal, nodes.literal_block, nodes.title, nodes.raw)
_log = logging.getLogger(__name__)


def setup(app) -> None:
    app.connect("env-purge-doc", _forget)
    app.connect("env-get-outdated", _remember)
    app.connect("doctree-read", _number)
    app.connect("env-updated", _write_again)
    app.connect("doctree-resolved", _link, priority=550)


def anchor(tag: str) -> str:
    """The same in both languages: 2.3 -> equation-2-3."""
    return "equation-" + re.sub(r"[^0-9A-Za-z]+", "-", tag).strip("-")


def place(env, language: str, tag: str) -> tuple[str, str] | None:
    """The page and anchor of an equation in a language; None if no page has that number."""
    pages = [page for page, tags in _numbers(env).items() if language_of(page) == language and tag in tags]
    return (pages[0], anchor(tag)) if pages else None


def _numbers(env) -> dict[str, list[str]]:
    if not hasattr(env, "course_equations"):
        env.course_equations = {}
    return env.course_equations


def _forget(app, env, docname) -> None:
    _numbers(env).pop(docname, None)


def _remember(app, env, added, changed, removed) -> list[str]:
    app.course_equations_before = dict(_numbers(env))
    return []


def _write_again(app, env) -> list[str]:
    """All pages, if an equation got another number: any of them may lead to it."""
    return [] if _numbers(env) == app.course_equations_before else sorted(env.found_docs)


def _number(app, doctree) -> None:
    """Take each \\tag off its formula: the page shows it, as a link, behind the formula."""
    env = app.env
    for block in doctree.findall(nodes.math_block):
        tags = _TAG.findall(block.astext())
        if not tags:
            continue
        block[:] = [nodes.Text(_TAG.sub("", block.astext()))]
        (tag, *more) = tags
        if more or place(env, language_of(env.docname), tag):
            _log.warning("\\tag{%s}: a formula has one number, and no other formula has the same", tag, location=block)
        _numbers(env).setdefault(env.docname, []).append(tag)
        block["tag"], block["ids"], block["shared"] = tag, [anchor(tag)], True


def _link(app, doctree, docname) -> None:
    language = language_of(docname)
    for text in list(doctree.findall(nodes.Text)):
        if any(isinstance(above, _NOT_IN) for above in _above(text)) or not _REFERENCE.search(text):
            continue
        pieces, end = [], 0
        for found in _REFERENCE.finditer(text):
            target = place(app.env, language, found[1])
            if target is None:
                continue
            link = cross_links.to(*target, classes=["equation-link"])
            link += nodes.Text(found[0])
            pieces += [nodes.Text(text[end : found.start()]), link]
            end = found.end()
        if pieces:
            text.parent.replace(text, [*pieces, nodes.Text(text[end:])])


def _above(node) -> list[nodes.Node]:
    return [node.parent, *_above(node.parent)] if node.parent else []
