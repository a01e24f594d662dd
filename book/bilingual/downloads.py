"""The notebook of a page, offered as a download on servers and in pages opened from files."""

import json
from pathlib import Path


def setup(app) -> None:
    app.add_js_file("download-notebook.js", loading_method="defer")
    app.connect("build-finished", _wrap_notebooks)


def _wrap_notebooks(app, exception) -> None:
    """Write each notebook once more as a script: of a page opened from a file, a browser shows a linked notebook
    instead of saving it, but what a script holds can be saved (download-notebook.js)."""
    if exception is not None or app.builder.format != "html":
        return
    for path in sorted((Path(app.outdir) / "_sources").rglob("*.ipynb")):
        text = json.dumps(path.read_text(encoding="utf-8"))
        path.with_name(f"{path.name}.js").write_text(f"window.courseNotebook = {text};\n", encoding="utf-8")
