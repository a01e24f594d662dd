"""Theme strings in the page's language: swap the message catalogs before each page is read or written.

A build has one language, so Sphinx loads one set of catalogs. They live in one dictionary, which templates and
directives look into when a string is needed; here it holds the catalogs of the page at hand.
"""

from gettext import NullTranslations
from pathlib import Path

import pydata_sphinx_theme
import sphinx
import sphinx_book_theme
from sphinx import locale

from bilingual.languages import DEFAULT, THEME_STRINGS, language_of

_CATALOGS = {
    "sphinx": [Path(pydata_sphinx_theme.__file__).parent / "locale", Path(sphinx.__file__).parent / "locale"],
    "booktheme": [sphinx_book_theme.get_html_theme_path() / "static" / "locales"],
}
_LOCALES = {"en": "en", "zh": "zh_CN"}


class _Own(NullTranslations):
    """Our strings first, the themes' catalogs after them."""

    def gettext(self, message: str) -> str:
        return THEME_STRINGS.get(message) or super().gettext(message)


def setup(app) -> None:
    catalogs = {language: _load(code) for language, code in _LOCALES.items()}

    def speak(language: str) -> None:
        locale.translators.update({("general", name): found for name, found in catalogs[language].items()})
        templates = getattr(app.builder, "templates", None)
        if templates is not None:
            templates.environment.install_gettext_translations(catalogs[language]["sphinx"])

    def on_read(app, docname, source):
        speak(language_of(docname) or DEFAULT)

    def on_resolve(app, doctree, docname):
        speak(language_of(docname) or DEFAULT)

    def on_page(app, pagename, templatename, context, doctree):
        speak(language_of(pagename) or DEFAULT)

    app.connect("source-read", on_read, priority=1)
    app.connect("doctree-resolved", on_resolve, priority=1)
    app.connect("html-page-context", on_page, priority=1)


def _load(code: str) -> dict[str, NullTranslations]:
    before = dict(locale.translators)
    locale.translators.clear()
    found = {name: locale.init(map(str, folders), code, name)[0] for name, folders in _CATALOGS.items()}
    locale.translators.clear()
    locale.translators.update(before)
    if code == "zh_CN":
        found = {name: _with_own(catalog) for name, catalog in found.items()}
    return found


def _with_own(catalog: NullTranslations) -> NullTranslations:
    own = _Own()
    own.add_fallback(catalog)
    return own
