"""Links that the extension itself writes: to a place in the book, or to a line of the library's source.

A page is read once, but where a link leads depends on what is being built, so a link holds the document and anchor it
means, or the source's path and line, until the page is written.
"""

from docutils import nodes

from bilingual import settings

_TARGET, _SOURCE = "course_target", "course_source"


def setup(app) -> None:
    app.connect("doctree-resolved", _resolve, priority=800)


def to(docname: str, anchor: str = "", **attributes) -> nodes.reference:
    """An empty link to an anchor of a page."""
    link = nodes.reference("", "", internal=True, **attributes)
    link[_TARGET] = (docname, anchor)
    return link


def to_source(path: str, line: int) -> nodes.reference:
    """An empty link to a line in the repository or, while its address is unknown, to the packed library."""
    link = nodes.reference("", "")
    link[_SOURCE] = (path, line)
    return link


def _resolve(app, doctree, docname) -> None:
    for link in doctree.findall(nodes.reference):
        if _TARGET in link:
            page, anchor = link[_TARGET]
            link["refuri"] = app.builder.get_relative_uri(docname, page) + (f"#{anchor}" if anchor else "")
        elif _SOURCE in link:
            _to_source(app, docname, link)


def _to_source(app, docname: str, link: nodes.reference) -> None:
    (path, line), options = link[_SOURCE], app.config.html_theme_options
    url, branch = (options.get("repository_url") or "").rstrip("/"), options.get("repository_branch") or "main"
    if url:
        link["refuri"] = f"{url}/blob/{branch}/{path}#L{line}"
    else:
        archive = settings.of(app).library.archive
        link["refuri"] = "../" * docname.count("/") + archive
        link += nodes.Text(f" ({archive})")  # said, since the link downloads it
