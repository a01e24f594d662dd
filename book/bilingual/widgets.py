"""Widgets without a kernel: each widget's module as a classic script, on the pages that hold the widget.

A page opened from a file can't import a JavaScript module, so the one export of bnlib/learn/NAME.js is put under
window.bnlibWidgets.NAME; course-widgets.js then draws every stored widget with it.
"""

import re
from pathlib import Path

_STORED = re.compile(r'<div class="bnlib-widget"[^>]* data-widget="([a-z_]+)"')
_SCRIPTS = "widgets"


def setup(app) -> None:
    app.connect("html-page-context", _scripts, priority=450)
    app.connect("build-finished", _write)


def _modules(app) -> dict[str, Path]:
    return {path.stem: path for path in sorted((Path(app.srcdir) / "bnlib" / "learn").glob("*.js"))}


def _scripts(app, pagename, templatename, context, doctree) -> None:
    names = sorted(set(_STORED.findall(context.get("body") or "")))
    missing = [name for name in names if name not in _modules(app)]
    if missing:
        raise FileNotFoundError(f"{pagename} holds a widget {missing[0]!r}, but bnlib/learn/{missing[0]}.js is missing")
    for name in names:
        app.add_js_file(f"{_SCRIPTS}/{name}.js", loading_method="defer")
    if names:
        app.add_js_file(f"{_SCRIPTS}/course-widgets.js", loading_method="defer", priority=900)


def _write(app, exception) -> None:
    if exception is not None or app.builder.format != "html":
        return
    folder = Path(app.outdir) / "_static" / _SCRIPTS
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in _modules(app).items():
        module = path.read_text(encoding="utf-8")
        classic, count = re.subn(r"(?m)^export default ", f'window.bnlibWidgets["{name}"] = ', module)
        if count != 1:
            raise ValueError(f"bnlib/learn/{path.name} has {count} default exports; expected one at a line's start")
        head = "window.bnlibWidgets = window.bnlibWidgets || {};\n"
        (folder / path.name).write_text(f"(() => {{\n{head}{classic}\n}})();\n", encoding="utf-8")
    starter = Path(app.srcdir) / "book" / "course-widgets.js"
    if starter.is_file():
        (folder / starter.name).write_text(starter.read_text(encoding="utf-8"), encoding="utf-8")
