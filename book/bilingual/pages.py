"""What surrounds the text of a page, in its language: html lang, sidebar, previous and next, footer."""

from bs4 import BeautifulSoup

from bilingual.languages import CODES, FOOTER, NAMES, language_of


def setup(app) -> None:
    app.connect("config-inited", _theme_options)
    app.connect("html-page-context", _language, priority=400)
    app.connect("html-page-context", _sidebar, priority=900)  # after the theme has put its function there


def _theme_options(app, config) -> None:
    options = config.html_theme_options
    options["navbar_persistent"] = []  # or a second search field appears
    options["article_header_end"] = ["language-switch", "article-header-buttons"]
    options["use_download_button"] = options["use_repository_button"] = False
    options["launch_buttons"] = {}  # bilingual.launch makes these buttons
    options["show_prev_next"] = True
    options["pygments_light_style"], options["pygments_dark_style"] = "a11y-light", "a11y-dark"
    config.html_title = config.html_title or config.project


def _language(app, pagename, templatename, context, doctree) -> None:
    language = language_of(pagename)
    if language is None:
        context["prev"] = context["next"] = None
        context["theme_extra_footer"] = "".join(
            f'<div lang="{CODES[code]}">{text}</div>' for code, text in FOOTER.items()
        )
        return
    context["language"] = CODES[language]
    context["page_language"] = language
    context["theme_extra_footer"] = FOOTER[language]
    context["theme_search_bar_text"] = {"en": "Search...", "zh": "搜索……"}[language]
    home = f"chapters/{language}/index"
    for way in ("prev", "next"):
        step = context.get(way)
        if step and not _same_language(app, context, step["link"], language):
            context[way] = None
    context["theme_logo"] = {**(context.get("theme_logo") or {}), "text": app.env.titles[home].astext()}
    context["root_doc"] = home  # the title above the sidebar leads to this language's first page


def _same_language(app, context, link: str, language: str) -> bool:
    """Whether a relative link from the page at hand stays in its folder."""
    return "/" not in link and link != ""


def _sidebar(app, pagename, templatename, context, doctree) -> None:
    """Only the page's own language in the sidebar; a page of neither shows both."""
    make = context.get("generate_toctree_html")
    language = language_of(pagename)
    if make is None or language is None:
        return

    def one_language(*args, **kwargs):
        soup = BeautifulSoup(str(make(*args, **kwargs)), "html.parser")
        for caption in soup.find_all("p", class_="caption"):
            if caption.get_text(strip=True) != NAMES[language]:
                caption.find_next_sibling("ul").decompose()
            caption.decompose()
        return str(soup)

    context["generate_toctree_html"] = one_language
