"""What stands in a page's head: the policy, a description for search engines, and no script that nothing there uses."""

from html import escape

from docutils import nodes

from bilingual.languages import DEFAULT, is_search
from bilingual.policy import META

# What the theme and Sphinx load on every page, and only the search page needs: the search itself, keyboard shortcuts to
# it, marks for found words (the theme never shows them), and options that nothing here reads.
_SEARCH = {"_static/doctools.js", "_static/sphinx_highlight.js"}
_OPTIONS = "DOCUMENTATION_OPTIONS."
_SEARCHED = {"en": "Search all pages of this book.", "zh": "在全书里搜索。"}
_LONGEST = {"en": 160, "zh": 80}


def setup(app) -> None:
    for name in ("back-to-top.js", "alternates.js", "scrollable.js"):
        app.add_js_file(name, loading_method="defer")
    app.connect("config-inited", _theme_options)
    app.connect("html-page-context", _head, priority=950)  # when every module has added what it needs


def _theme_options(app, config) -> None:
    config.html_theme_options["back_to_top_button"] = False  # layout.html has one inside of a landmark


def _head(app, pagename, templatename, context, doctree) -> None:
    context["default_mode"] = "light"  # without scripts; theme-mode.js sets what the reader prefers
    language, searching = context.get("page_language", DEFAULT), is_search(pagename)
    text = _SEARCHED[language] if searching else _description(doctree, language) if doctree else ""
    described = f'\n    <meta name="description" content="{escape(text)}" />' if text else ""
    context["metatags"] = f"\n    {META}{described}"
    context["script_files"] = [
        script
        for script in context["script_files"]
        if not str(script.attributes.get("body", "")).startswith(_OPTIONS)
        and (searching or str(script.filename) not in _SEARCH)
    ]
    for script in context["script_files"]:
        if script.filename and script.priority >= 200:  # a font (100) has to come before what it draws
            script.attributes["defer"] = "defer"


def _description(doctree, language: str) -> str:
    """The beginning of the page's first paragraph, whole sentences where they fit."""
    for paragraph in doctree.findall(nodes.paragraph):
        text = " ".join(paragraph.astext().split())
        if len(text) > 20:
            return _shortened(text, _LONGEST[language])
    return ""


def _shortened(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    ends = [text.rfind(sign, 0, longest) + len(sign.rstrip()) for sign in ("。", "？", ". ", "? ")]
    return text[: max(ends)] if max(ends) > longest // 3 else text[: longest - 1].rstrip() + "…"
