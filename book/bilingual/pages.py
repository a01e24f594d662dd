"""What surrounds the text of a page, in its language: html lang, sidebar, previous and next, footer."""

from posixpath import dirname, join, normpath

from bs4 import BeautifulSoup
from docutils import nodes

from bilingual import settings
from bilingual.languages import CODES, DEFAULT, NAMES, REFERENCE, language_of

_PICTURE = {"en": "Figure drawn by the code above", "zh": "上面的代码画出的图"}


def setup(app) -> None:
    app.connect("doctree-resolved", _alternative_text)
    app.connect("config-inited", _theme_options)
    app.connect("html-page-context", _language, priority=400)
    app.connect("html-page-context", _sidebar, priority=900)  # after the theme has put its function there


def _theme_options(app, config) -> None:
    options = config.html_theme_options
    options["navbar_persistent"] = []  # or a second search field appears
    options["home_page_in_toc"] = False  # the root is the landing page of both languages
    options["use_download_button"] = options["use_repository_button"] = False
    options["launch_buttons"] = {}  # bilingual.launch makes these buttons
    options["show_prev_next"] = True
    options["footer_content_items"] = ["extra-footer.html"]
    options["pygments_light_style"], options["pygments_dark_style"] = "a11y-light", "a11y-dark"
    config.html_context["default_mode"] = "auto"


def _language(app, pagename, templatename, context, doctree) -> None:
    language, footer = language_of(pagename), settings.of(app).footer
    if language is None:
        context["prev"] = context["next"] = None
        footers = (f'<div lang="{CODES[code]}">{text}</div>' for code, text in footer.items())
        context["theme_extra_footer"] = "".join(footers)
        return
    context["language"] = CODES[language]
    context["page_language"] = language
    context["theme_extra_footer"] = footer[language]
    context["theme_search_bar_text"] = {"en": "Search...", "zh": "搜索……"}[language]
    home = f"chapters/{language}/index"
    for way in ("prev", "next"):
        step = context.get(way)
        if step and language_of(normpath(join(dirname(pagename), step["link"])).removesuffix(".html")) != language:
            context[way] = None
    title = app.env.titles[home].astext()
    context["theme_logo"] = {**(context.get("theme_logo") or {}), "text": title}
    context["docstitle"] = title
    context["root_doc"] = home  # the title above the sidebar leads to this language's first page


def _alternative_text(app, doctree, docname) -> None:
    """A figure of a cell that brings no description says where it comes from, not the name of its file."""
    for image in doctree.findall(nodes.image):
        if not image.get("alt"):
            image["alt"] = _PICTURE[language_of(docname) or DEFAULT]


def _sidebar(app, pagename, templatename, context, doctree) -> None:
    """Only the page's own language in the sidebar; a page of neither shows both."""
    make = context.get("generate_toctree_html")
    language = language_of(pagename)
    if make is None or language is None:
        return

    def one_language(*args, **kwargs):
        soup = BeautifulSoup(str(make(*args, **kwargs)), "html.parser")
        for caption in soup.find_all("p", class_="caption"):
            said = caption.get_text(strip=True)
            if said not in (NAMES[language], REFERENCE[language]):
                caption.find_next_sibling("ul").decompose()
            if said != REFERENCE[language]:
                caption.decompose()
        return str(soup)

    context["generate_toctree_html"] = one_language
