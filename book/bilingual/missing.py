"""404.html, which a host such as GitHub Pages shows for every address that leads nowhere, however deep.

Its links can't be relative to a page nobody knows, so they start from the path below which the book is served: that of
the repository's GitHub Pages, or the root while the repository's address is unknown.
"""

from pathlib import Path
from string import Template

from bilingual.addresses import repository, site_path

_TEMPLATE = Path(__file__).parent.parent / "templates" / "404.html"


def setup(app) -> None:
    app.connect("build-finished", _write)


def _write(app, exception) -> None:
    if exception is not None or app.builder.format != "html":
        return
    base = site_path(repository(app.config.html_theme_options.get("repository_url") or ""))
    page = Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(base=base)
    (Path(app.outdir) / "404.html").write_text(page, encoding="utf-8")
