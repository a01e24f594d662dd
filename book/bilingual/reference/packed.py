"""The library's sources as one archive at the top of the built book, which pip installs: for hosts without them."""

import zipfile
from pathlib import Path

from sphinx.errors import ExtensionError

from bilingual import settings

_FIXED_DATE = (1980, 1, 1, 0, 0, 0)  # the same files give the same bytes


def setup(app) -> None:
    app.connect("build-finished", _pack_library)


def _pack_library(app, exception) -> None:
    """Write pyproject.toml, README.md, LICENSE and the package as an archive that pip installs."""
    if exception is not None or app.builder.format != "html":
        return
    root, library = Path(app.srcdir), settings.of(app).library
    sources = [root / name for name in ("pyproject.toml", "README.md", "LICENSE")]
    own = (
        path for path in (root / library.package).rglob("*") if path.is_file() and _is_source(path.relative_to(root))
    )
    sources += sorted(own, key=lambda path: path.relative_to(root).as_posix())
    missing = [path.name for path in sources if not path.is_file()]
    if missing:
        raise ExtensionError(f"{library.archive} can't be packed: {', '.join(missing)} is missing in {root}")
    with zipfile.ZipFile(Path(app.outdir) / library.archive, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sources:
            entry = zipfile.ZipInfo(f"{library.distribution}/{path.relative_to(root).as_posix()}", _FIXED_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes())


def _is_source(path: Path) -> bool:
    return not any(part == "__pycache__" or part.startswith(".") for part in path.parts)
