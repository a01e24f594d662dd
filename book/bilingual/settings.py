"""What is particular to one book, from book/book.toml: its name, its footer, the library it explains, its widgets.

Everything else under book/bilingual is the same for every book in these two languages. Without the file, or where it
leaves something out, a book has no library, no widgets and no footer of its own.
"""

import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from bilingual.languages import CODES

FILE = Path("book") / "book.toml"


@dataclass(frozen=True, eq=False)
class LibrarySettings:
    """A Python package in the book's repository, whose public names the book explains.

    package: the name to import; distribution: the name to install, and of the archive with its sources; pages: for
    each page NAME (api/en/NAME.md, api/zh/NAME.md) the modules on it. For a page of its commands: parser, a function
    without arguments that gives its argparse.ArgumentParser, and set_language, one that takes "en" or "zh" before; both
    as module.name, importable with the standard library alone.
    """

    package: str
    distribution: str
    pages: dict[str, list[str]]
    parser: str = ""
    set_language: str = ""

    @property
    def archive(self) -> str:
        """The file at the top of the built book that pip installs."""
        return f"{self.distribution}.zip"


@dataclass(frozen=True)
class Settings:
    """name: begins the names of the files to take along; footer: HTML in each language; authors: for a name that is
    translated, English -> Chinese; widgets: the folder of the widgets' modules."""

    name: str = "bilingual"
    footer: dict[str, str] = field(default_factory=lambda: dict.fromkeys(CODES, ""))
    authors: dict[str, str] = field(default_factory=dict)
    widgets: str = ""
    library: LibrarySettings | None = None

    @property
    def archive(self) -> str:
        """The whole book, at the top of the built one."""
        return f"{self.name}-book.zip"

    def pdf(self, language: str) -> str:
        return f"{self.name}-{language}.pdf"


@cache
def settings(root: Path) -> Settings:
    """The settings of the book in a folder."""
    path = root / FILE
    found = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    unknown = sorted(set(found) - set(Settings.__dataclass_fields__))
    if unknown:
        raise ValueError(f"{FILE} says {', '.join(unknown)}; known are {', '.join(Settings.__dataclass_fields__)}")
    library = found.pop("library", None)
    return Settings(**found, library=LibrarySettings(**library) if library else None)


def of(app) -> Settings:
    """The settings of the book that Sphinx builds."""
    return settings(Path(app.srcdir))
