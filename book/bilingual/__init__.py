"""The Sphinx extension that makes one build a bilingual, offline book.

Each module is one idea and connects its own events: theme strings, what surrounds a page, the switch to its
counterpart, search in both languages, mathematics from local files, launch buttons, downloads, widgets without a
kernel, figures; then the pages that are made from lists and from the library's source: glossary, references, the
library; then what stands beside the pages: a page for addresses that lead nowhere, single pages on paper, the whole
book as one archive; last, a light head and one small style sheet.
"""

import hashlib
from pathlib import Path

from bilingual import (
    archive,
    book_sections,
    cross_links,
    downloads,
    equations,
    figures,
    glossary,
    head,
    launch,
    lean,
    mathematics,
    missing,
    pages,
    printing,
    reference,
    references,
    search,
    sidebar_names,
    switch,
    symbols,
    translations,
    widgets,
)


def setup(app):
    app.add_config_value("bilingual_digest", "", "env")
    app.connect("config-inited", _notice_changes)
    for module in (translations, pages, switch, search, mathematics, equations, launch, downloads, widgets, figures):
        module.setup(app)
    for module in (cross_links, book_sections, reference, glossary, references, symbols):
        module.setup(app)
    for module in (printing, missing, archive, sidebar_names, head, lean):
        module.setup(app)
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": False}


def _notice_changes(app, config) -> None:
    """Build everything again when something below book/ has changed: Sphinx looks at the pages alone."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.parent.rglob("*")):
        if path.suffix in (".py", ".html", ".css", ".js", ".svg", ".tsv", ".toml"):
            digest.update(path.name.encode() + path.read_bytes())
    config.bilingual_digest = digest.hexdigest()
