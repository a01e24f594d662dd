"""A class's folder: which notebooks belong to whom, and the code in them. Nothing in it is run or believed here."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from bnlib.language import message
from bnlib.learn.grading.wire import text
from bnlib.learn.notebook import code_cells, language_set

LARGEST = 64 << 20  # bytes of a notebook: pictures included


@dataclass(frozen=True)
class Trouble:
    """Something that went wrong, told in the language of the moment.

    where: "in_file", "in_cell", "in_exercise". place: the fields that say where. why, values: the sentence's.
    """

    where: str
    place: dict[str, object]
    why: str
    values: dict[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return message(f"grade.{self.where}", **self.place, why=message(f"grade.{self.why}", **self.values))


@dataclass(frozen=True)
class Source:
    """The code cells of a notebook, each with its number among all cells, and the language it asks for, or ""."""

    file: str
    cells: tuple[tuple[int, str], ...] = ()
    language: str = ""
    trouble: Trouble | None = None

    @property
    def all(self) -> str:
        return "\n".join(source for _, source in self.cells)


def learners(folder: Path) -> dict[str, list[Path]]:
    """Learner -> notebooks: FOLDER/NAME.ipynb, and what lies in FOLDER/NAME/.

    Raises:
        ValueError: there is no such folder, or no notebook in it.
    """
    if not folder.is_dir():
        raise ValueError(message("grade.no_folder", folder=folder))
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_symlink():
            found.setdefault(path.stem, []).append(path)  # a row tells that it was not followed
        elif path.is_dir():
            notebooks = sorted(file for file in path.glob("*.ipynb") if not file.name.startswith("."))
            if notebooks:
                found.setdefault(path.name, []).extend(notebooks)
        elif path.suffix == ".ipynb":
            found.setdefault(path.stem, []).append(path)
    if not found:
        raise ValueError(message("grade.no_notebooks", folder=folder))
    return found


def read(path: Path) -> Source:
    """The code of a notebook; what is no notebook of version 4 becomes a trouble."""
    file = text(path.name)
    try:
        cells = _cells(path)
    except _Refused as refused:
        return Source(file, trouble=Trouble("in_file", {"file": file}, *refused.args))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        told = {"error": text(f"{type(error).__name__}: {error}")[:200]}
        return Source(file, trouble=Trouble("in_file", {"file": file}, "unreadable", told))
    return Source(file, cells, language_set("\n".join(source for _, source in cells)))


class _Refused(Exception):  # noqa: N818 - why a file is not even opened
    pass


def _cells(path: Path) -> tuple[tuple[int, str], ...]:
    if path.is_symlink() or not path.is_file():
        raise _Refused("no_file")
    if path.stat().st_size > LARGEST:
        raise _Refused("too_large", {"limit": LARGEST})
    return tuple(code_cells(json.loads(path.read_bytes())))
