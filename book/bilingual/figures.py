"""Figures as part of the page: SVG among the text, in the page's colours and fonts, with words and data on request.

A cell that draws stores two outputs: the picture as SVG, and `<details class="bnlib-data">` with a description and a
table. A picture whose root has the class bnlib-figure, a title, a desc and a panel or more (<svg class="panel">) is
taken into the page. Panels wrap on a phone, and every colour #rrggbb in a style becomes
`var(--figure-rrggbb, #rrggbb)`: static/figures.css says what it is on a dark ground. The table gets a link that saves
it as CSV. Any other picture stays an <img>.
"""

import re
from html import escape
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree

from bs4 import BeautifulSoup
from docutils import nodes
from sphinx.util import logging

from bilingual.languages import DEFAULT, language_of

_SVG = "{http://www.w3.org/2000/svg}"
_SAID = {
    "en": {
        "data": "What this figure shows, and its data",
        "csv": "Save the table as CSV",
        "table": "Data: ",
        "between": ": ",
    },
    "zh": {"data": "这张图的说明和数据", "csv": "把表格存为CSV文件", "table": "数据：", "between": "："},
}
_DATA = 'class="bnlib-data"'
_COLOUR = re.compile(r"(?<=: )#([0-9a-f]{6})\b")
_log = logging.getLogger(__name__)


def setup(app) -> None:
    app.connect("doctree-read", _inline, priority=400)  # before Sphinx collects the pictures that are files
    app.add_css_file("figures.css")


def _inline(app, doctree) -> None:
    docname, number = app.env.docname, 0
    for image in list(doctree.findall(nodes.image)):
        path = Path(app.env.relfn2path(image["uri"])[1])
        if path.suffix != ".svg" or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8")
        if 'class="bnlib-figure"' not in text[:200]:
            continue
        number += 1
        details = _details_after(image)
        name = f"{docname.rsplit('/', 1)[-1]}-figure-{number}"
        table = details.astext() if details is not None else ""
        image.replace_self(nodes.raw("", figure(text, table, language_of(docname) or DEFAULT, name), format="html"))
        if details is not None:
            details.parent.remove(details)


def _details_after(image: nodes.image) -> nodes.raw | None:
    """The output that follows the picture, if it holds the picture's words and data."""
    output = image
    while output.parent is not None and "cell_output" not in output.parent.get("classes", []):
        output = output.parent
    if output.parent is None:
        return None
    following = output.parent[output.parent.index(output) + 1 :][:1]
    return next((raw for node in following for raw in node.findall(nodes.raw) if _DATA in raw.astext()), None)


def figure(svg: str, table: str, language: str, name: str) -> str:
    """The figure as HTML; `table`: of the output that follows it; `name`: of the ids and of the file with its data."""
    root = ElementTree.fromstring(svg)
    title, description = (root.findtext(_SVG + tag, "").strip() for tag in ("title", "desc"))
    panels = root.findall(f"{_SVG}svg[@class='panel']")
    if not (title and description and panels):
        _log.warning("%s has no title, no desc or no panel; expected what bnlib.drawing.draw writes", name)
    picture = "\n".join(map(_panel, panels))
    return (
        f'<figure class="bnlib-figure"><div class="panels" role="img" aria-labelledby="{name}-title" '
        f'aria-describedby="{name}-description">\n{picture}\n</div>\n'
        f'<span id="{name}-title" hidden>{escape(title)}</span>\n'
        f'<span id="{name}-description" hidden>{escape(description)}</span>\n'
        f"{_data(BeautifulSoup(table, 'html.parser'), title, description, language, name)}</figure>"
    )


def _panel(panel: ElementTree.Element) -> str:
    """A panel as an <svg> of its own, with colours that the page can replace."""
    for name in ("x", "y"):
        panel.attrib.pop(name, None)  # its place among the others
    panel.set("focusable", "false")
    for element in panel.iter():
        element.tag = element.tag.removeprefix(_SVG)
        if "style" in element.attrib:
            element.set("style", _COLOUR.sub(r"var(--figure-\1, #\1)", element.get("style")))
    panel.tail = None
    return ElementTree.tostring(panel, encoding="unicode", short_empty_elements=False)


def _data(soup: BeautifulSoup, title: str, description: str, language: str, name: str) -> str:
    """The description and the table, written anew from their text alone."""
    said, table = _SAID[language], soup.find("table")
    rows = [[cell.get_text() for cell in row.find_all(["th", "td"])] for row in table.find_all("tr")] if table else []
    notes = [text.get_text() for text in soup.find_all("p")[1:]] if table else []
    parts = [
        f'<details class="bnlib-data screen-only"><summary>{said["data"]}<span class="visually-hidden">'
        f"{said['between']}{escape(title)}</span></summary>\n<p>{escape(description)}</p>"
    ]
    if rows:
        parts.append(_table(rows, said["table"] + title))
        address = "data:text/csv;charset=utf-8," + quote("\ufeff" + "".join(map(_csv_line, rows)))
        parts.append(f'<p><a download="{name}.csv" href="{address}">{said["csv"]}</a></p>')
    parts += [f"<p>{escape(note)}</p>" for note in notes]
    return "\n".join([*parts, "</details>"])


def _table(rows: list[list[str]], label: str) -> str:
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in rows[0])
    body = "\n".join(
        f'<tr><th scope="row">{escape(row[0])}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in row[1:])}</tr>'
        for row in rows[1:]
    )
    return (
        f'<div class="bnlib-table" role="region" tabindex="0" aria-label="{escape(label)}"><table>'
        f"<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>"
    )


def _csv_line(cells: list[str]) -> str:
    """The mark before the first line tells a spreadsheet that the text is UTF-8."""
    return ",".join('"' + cell.replace('"', '""') + '"' if set(cell) & set(',"\n') else cell for cell in cells) + "\r\n"
