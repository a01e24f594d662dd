"""When the book is written: one small style sheet instead of many large ones, no script inside a page, no idle file.

Pages ask for one style sheet, `_static/book.css`. It is made here of all that every page would load, in the same order:
only what some page can use (purge.py), icons as pictures (icons.py). Styles that one page alone asks for stay files of
their own. What no page asks for is removed from the built book; each build copies it again.
"""

import hashlib
import posixpath
import re
import shutil
from pathlib import Path

from sphinx.errors import ExtensionError

from bilingual import icons, purge
from bilingual.policy import scripts_into_files

STYLES = "book.css"
_THEME = ["styles/theme.css", "styles/pydata-sphinx-theme.css"]  # which the theme's template names itself
_ICONS = "scripts/fontawesome.js"
_IDLE = ["locales", "vendor", "styles", "basic.css", "images/logo_*", "*.png", "check-solid.svg", "copy-button.svg"]
_IDLE += ["**/*.map", "**/*macros.html", "scripts/*.txt", "scripts/bootstrap.js", "copybutton_funcs.js"]
_NOTICE = """/* Made of: Bootstrap 5.3.3 (MIT, (c) 2011-2024 The Bootstrap Authors), icons of Font Awesome Free 6
(CC BY 4.0, (c) Fonticons, Inc.), pydata-sphinx-theme, sphinx-book-theme, Sphinx (BSD), MyST-NB (BSD),
sphinx-copybutton (MIT). */
"""


def setup(app) -> None:
    app.add_css_file("icons.css")
    app.connect("html-page-context", _common, priority=0)  # before a module adds what one page alone needs
    app.connect("html-page-context", _own, priority=950)
    app.connect("build-finished", _finish, priority=950)  # after the modules that write files


def _common(app, pagename, templatename, context, doctree) -> None:
    """Note which styles every page loads; one for paper alone stays a file of its own."""
    ordered = sorted(
        (css for css in context["css_files"] if "media" not in css.attributes), key=lambda css: css.priority
    )
    app.builder.common_styles = [str(css.filename).removeprefix("_static/") for css in ordered]


def _own(app, pagename, templatename, context, doctree) -> None:
    """Leave the styles that this page alone loads; layout.html names the common one."""
    common = {f"_static/{name}" for name in app.builder.common_styles}
    context["css_files"] = [css for css in context["css_files"] if str(css.filename) not in common]


def _finish(app, exception) -> None:
    static = Path(app.outdir) / "_static"
    common = getattr(app.builder, "common_styles", None)
    if exception is not None or app.builder.format != "html" or not common:  # no page was written
        return
    pages = {path: path.read_text(encoding="utf-8") for path in sorted(Path(app.outdir).rglob("*.html"))}
    pages = {path: text for path, text in pages.items() if static not in path.parents}
    moved = {path: scripts_into_files(text, _root(path, app.outdir), static) for path, text in pages.items()}
    style = _style_sheet(static, list(dict.fromkeys([*_THEME, *common])), list(moved.values()))
    (static / STYLES).write_text(style, encoding="utf-8")
    digest = hashlib.sha256(style.encode()).hexdigest()[:8]
    for path, text in moved.items():
        text = re.sub(rf"({re.escape(STYLES)}\?v=)\w*", rf"\g<1>{digest}", text)
        if text != pages[path]:
            path.write_text(text, encoding="utf-8")
    _remove_idle(static, common)


def _root(page: Path, outdir) -> str:
    return "../" * (len(page.relative_to(outdir).parts) - 1)


def _style_sheet(static: Path, names: list[str], pages: list[str]) -> str:
    """The common styles as one, less what no page can use."""
    loaded = {match for page in pages for match in re.findall(r'<script[^>]* src="[./]*_static/([^"?]+)', page)}
    others = {path.relative_to(static).as_posix() for path in static.rglob("*.css")} - {*names, "basic.css", STYLES}
    read = sorted(name for name in loaded | others if (static / name).is_file())  # a page of an earlier build may stay
    mentioned = purge.used(pages, [(static / name).read_text(encoding="utf-8") for name in read])
    rules = []
    for name in names:
        try:
            rules += purge.read(_source(static, name), mentioned)
        except (OSError, ValueError) as error:
            raise ExtensionError(f"the style sheet _static/{name} can't be used: {error}") from error
    pictures = icons.drawings(static / _ICONS)
    for rule in purge.every_rule(rules):
        icons.draw(rule, pictures)
    rules = [rule for rule in rules if not icons.is_font(rule.text())]
    return _NOTICE + purge.write(rules, mentioned) + "\n"


def _source(static: Path, name: str) -> str:
    """A style sheet with its imports in it, and addresses as seen from _static."""
    folder = posixpath.dirname(name)
    css = (static / name).read_text(encoding="utf-8")

    def beside(name: str) -> str:
        return posixpath.normpath(posixpath.join(folder, name))

    def address(found: re.Match) -> str:
        return f"url({found[1]}{beside(found[2])}{found[1]})"

    css = re.sub(r'@import "([^"]+)";', lambda found: _source(static, beside(found[1])), css)
    return re.sub(r"url\(([\"']?)(?!data:|[a-z]+:|/|#)([^)\"']+)\1\)", address, css) if folder else css


def _remove_idle(static: Path, common: list[str]) -> None:
    for pattern in [*_IDLE, *common, _ICONS]:
        for path in sorted(static.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
