"""What a page offers to download: its notebook, and the library's sources as one archive for hosts without them."""

import json
import zipfile
from pathlib import Path

from sphinx.errors import ExtensionError

LIBRARY = "bn-course.zip"  # at the top of the built book
_FIXED_DATE = (1980, 1, 1, 0, 0, 0)  # the same files give the same bytes


def setup(app) -> None:
    app.add_js_file("download-notebook.js", loading_method="defer")
    app.connect("build-finished", _pack_library)
    app.connect("build-finished", _wrap_notebooks)


def _pack_library(app, exception) -> None:
    """Write pyproject.toml, README.md, LICENSE and bnlib/ as an archive that pip installs."""
    if exception is not None or app.builder.format != "html":
        return
    root = Path(app.srcdir)
    sources = [root / name for name in ("pyproject.toml", "README.md", "LICENSE")]
    library = (path for path in (root / "bnlib").rglob("*") if path.is_file() and _is_source(path.relative_to(root)))
    sources += sorted(library, key=lambda path: path.relative_to(root).as_posix())
    missing = [path.name for path in sources if not path.is_file()]
    if missing:
        raise ExtensionError(f"{LIBRARY} can't be packed: {', '.join(missing)} is missing in {root}")
    with zipfile.ZipFile(Path(app.outdir) / LIBRARY, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sources:
            entry = zipfile.ZipInfo(f"bn-course/{path.relative_to(root).as_posix()}", _FIXED_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes())


def _is_source(path: Path) -> bool:
    return not any(part == "__pycache__" or part.startswith(".") for part in path.parts)


def _wrap_notebooks(app, exception) -> None:
    """Write each notebook once more as a script: of a page opened from a file, a browser shows a linked notebook
    instead of saving it, but what a script holds can be saved (download-notebook.js)."""
    if exception is not None or app.builder.format != "html":
        return
    for path in sorted((Path(app.outdir) / "_sources").rglob("*.ipynb")):
        text = json.dumps(path.read_text(encoding="utf-8"))
        path.with_name(f"{path.name}.js").write_text(f"window.courseNotebook = {text};\n", encoding="utf-8")
