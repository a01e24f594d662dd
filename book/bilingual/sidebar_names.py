"""A name for each arrow of the sidebar that shows or hides the pages below one, or a screen reader has none to say."""

from bs4 import BeautifulSoup

from bilingual.languages import DEFAULT

_SAID = {"en": "Pages below “{}”", "zh": "“{}”下面的各页"}


def setup(app) -> None:
    app.connect("html-page-context", _named, priority=910)  # around what pages.py leaves of the sidebar


def _named(app, pagename, templatename, context, doctree) -> None:
    make = context.get("generate_toctree_html")
    if make is None:
        return

    def named(*args, **kwargs):
        soup = BeautifulSoup(str(make(*args, **kwargs)), "html.parser")
        for summary in soup.find_all("summary"):
            link = summary.find_parent("li").find("a")
            there = "zh" if "zh/" in link["href"] else "en" if "en/" in link["href"] else DEFAULT
            summary["aria-label"] = _SAID[context.get("page_language", there)].format(link.get_text(strip=True))
        return str(soup)

    context["generate_toctree_html"] = named
