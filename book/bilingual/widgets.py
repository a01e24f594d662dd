"""Widgets without a kernel: each widget's module as a classic script, on the pages that hold the widget.

A page opened from a file can't import a JavaScript module, so the one export of NAME.js is put under
window.bnlibWidgets.NAME; course-widgets.js then draws every stored widget with it. The parts that a
module stands on (its line "// Stands on frame, charts.") are files in the folder parts, and are put in front of it.
"""

import json
import re
import shutil
from pathlib import Path

from docutils import nodes
from sphinx.errors import ExtensionError

from bilingual import settings
from bilingual.languages import CODES, language_of

_STORED = re.compile(r'(<div class="bnlib-widget"[^>]*?) data-widget="([a-z0-9_]+)"(?: data-key="([a-z0-9_.]+)")?')
_CELL = re.compile(r'(?=<div class="cell\b[^"]*\bcontainer")')
_ID = re.compile(r'<div class="bnlib-widget"[^>]*? id="([a-z0-9_-]+)"')
_FOLDER = "widgets"
_HEIGHTS = "widget-heights.json"  # book/widget-heights.json, by tools/widget_heights.py: how high each widget becomes
_STARTER = "course-widgets.js"  # book/course-widgets.js: finds the stored widgets and draws them


def setup(app) -> None:
    app.add_config_value("bilingual_room", {}, "html")  # pages are written again when their widgets need other room
    app.connect("config-inited", _read_heights)
    app.connect("doctree-read", _lead_to)
    app.connect("html-page-context", _scripts, priority=450)
    app.connect("html-page-context", _keep_room, priority=960)  # after head.py has written what stands there
    app.connect("build-finished", _write)


def _module(app, name: str) -> Path:
    return Path(app.srcdir) / settings.of(app).widgets / f"{name}.js"


def _starter(app) -> Path:
    return Path(app.srcdir) / "book" / _STARTER


def _lead_to(app, doctree) -> None:
    """Let links in Markdown lead to the widgets of a page as to its headings."""
    places = app.env.metadata[app.env.docname].setdefault("myst_slugs", {})
    for output in doctree.findall(nodes.raw):
        for _, name, key in _STORED.findall(output.astext()):
            places.setdefault(_id(name, key), (None, _id(name, key), name))


def _id(name: str, key: str | None) -> str:
    """#widget-NAME, or what its key says, "exercise.normalize": #exercise-normalize."""
    return key.replace(".", "-") if key else f"widget-{name}"


def _scripts(app, pagename, templatename, context, doctree) -> None:
    """Load the widgets of this page, then what brings them to life; a link may lead to each (see `_named`)."""
    found = _STORED.findall(context.get("body") or "")
    names = sorted({name for _, name, _ in found})
    if not names:
        return
    context["body"] = _named(context["body"])
    for path in [*(_module(app, name) for name in names), _starter(app)]:
        if not path.is_file():
            raise ExtensionError(f"{pagename} holds the widgets {', '.join(names)}, but there is no {path}")
    for name in names:
        app.add_js_file(f"{_FOLDER}/{name}.js", loading_method="defer")
    app.add_js_file(f"{_FOLDER}/{_STARTER}", loading_method="defer", priority=900)


def _read_heights(app, config) -> None:
    path = Path(app.srcdir) / "book" / _HEIGHTS
    config.bilingual_room = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _keep_room(app, pagename, templatename, context, doctree) -> None:
    """Keep the room of each widget of a page free, so that nothing below it jumps when it is drawn."""
    names, measured = _ID.findall(context.get("body") or ""), app.config.bilingual_room
    if not names or not measured:
        return
    language = CODES.get(language_of(pagename))
    known = {name: measured["heights"].get(name, {}).get(language) for name in names}
    rules = ""
    for place, limit in enumerate(measured["limits"]):
        inner = "".join(f"#{name}{{min-height:{high[place]:g}rem}}" for name, high in known.items() if high)
        rules += f"@media (max-width:{limit}px){{{inner}}}" if limit else inner
    context["metatags"] += f"<style>@media (scripting:enabled){{{rules}}}</style>"


def _named(body: str) -> str:
    """Give the first of each its id; where a figure stands above it in its cell, the cell has the id."""
    seen = set()

    def name(stored: re.Match) -> str:
        key = _id(stored[2], stored[3])
        if key in seen:
            return stored[0]
        seen.add(key)
        return f'{stored[1]} id="{key}"{stored[0].removeprefix(stored[1])}'

    return "".join(_with_figure(_STORED.sub(name, cell)) for cell in _CELL.split(body))


def _with_figure(cell: str) -> str:
    """A cell, whose id is that of its card if its figure would otherwise stay above the window."""
    figure, card = cell.find('<figure class="bnlib-figure"'), _ID.search(cell)
    if not card or not -1 < figure < card.start():
        return cell
    own = card[0].replace(f' id="{card[1]}"', f' id="{card[1]}-card"')
    return cell.replace("<div", f'<div id="{card[1]}"', 1).replace(card[0], own, 1)


def _write(app, exception) -> None:
    if exception is not None or app.builder.format != "html" or not settings.of(app).widgets:
        return
    folder = Path(app.outdir) / "_static" / _FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(_module(app, "*").parent.glob("*.js")):
        (folder / path.name).write_text(classic_script(path.stem, _with_parts(path)), encoding="utf-8")
    if _starter(app).is_file():
        shutil.copyfile(_starter(app), folder / _STARTER)


def _with_parts(path: Path) -> str:
    own = path.read_text(encoding="utf-8")
    named = re.search(r"(?m)^// Stands on (.+)\.$", own)
    parts = named[1].split(", ") if named else []
    return "\n".join([*((path.parent / "parts" / f"{part}.js").read_text(encoding="utf-8") for part in parts), own])


def classic_script(name: str, module: str) -> str:
    """A module with one `export default` and no imports, as a script that any page can load."""
    body, count = re.subn(r"(?m)^export default ", f'window.bnlibWidgets["{name}"] = ', module)
    if count != 1 or re.search(r"(?m)^(import|export)\b", body):
        raise ExtensionError(
            f"{name}.js: a widget's module has one `export default` at the start of a line, no other "
            f"export and no import; this one has {count} default exports"
        )
    return f"(() => {{\nwindow.bnlibWidgets = window.bnlibWidgets || {{}};\n{body}\n}})();\n"
