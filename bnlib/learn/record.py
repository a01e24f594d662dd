"""What a learner has done, in one local file: which exercises passed, after how many tries, what was opened.

The file lies in this platform's folder for a user's data; $BNLIB_PROGRESS names another. It is written whole or not at
all. Nothing leaves the machine. Two kernels that write in the same moment may lose one of the two entries.
"""

import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from weakref import WeakMethod

from bnlib import language


@dataclass(frozen=True)
class Entry:
    """One exercise of a learner.

    passed: once, in a check or on its card. tries: answers so far. diagnosis: of the last one, the name of a mistake or
    what else a report calls its kind. hints: opened so far, 0 to 3. solution: whether it was opened. answer: the last
    one to a question; None for code.
    """

    passed: bool = False
    tries: int = 0
    diagnosis: str = ""
    hints: int = 0
    solution: bool = False
    answer: object = None


Entries = dict[str, Entry]
_KINDS = {name: type(value) for name, value in asdict(Entry()).items() if name != "answer"}
_followers: list[WeakMethod] = []


class RecordError(Exception):
    """The file can't be read or written; the message says so to the learner."""


def place() -> Path:
    """Where the file lies, whether it is there or not.

    Raises:
        RecordError: there is no home folder to be found.
    """
    folder = os.environ.get("XDG_DATA_HOME", "")
    try:
        if chosen := os.environ.get("BNLIB_PROGRESS"):
            return Path(chosen).expanduser()
        if os.path.isabs(folder):  # the XDG specification: a relative path is to be ignored
            root = Path(folder)
        elif sys.platform == "darwin":
            root = Path.home() / "Library" / "Application Support"
        elif sys.platform == "win32":
            root = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        else:
            root = Path.home() / ".local" / "share"
    except RuntimeError:
        raise RecordError(language.message("board.homeless")) from None
    return root / "bnlib" / "progress.json"


def read() -> Entries:
    """All entries, by the exercise's name; none where there is no file yet.

    Raises:
        RecordError: the file is there, and can't be read or is no such file.
    """
    path = place()
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return {name: _entry(values) for name, values in stored.items()}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise RecordError(language.message("board.unreadable", path=path, reason=error.strerror)) from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise RecordError(language.message("board.broken", path=path)) from error


def read_if_possible() -> Entries:
    """All entries; none where they can't be read, which the next check will say."""
    try:
        return read()
    except RecordError:
        return {}


def note(name: str, change: Callable[[Entry], Entry]) -> str:
    """Change the entry of an exercise; empty, or one sentence that says why nothing could be kept."""
    try:
        entries = read()
        entries[name] = change(entries.get(name, Entry()))
        _write(entries)
    except RecordError as error:
        return str(error)
    _tell(entries)
    return ""


def note_try(name: str, passed: bool, diagnosis: str, answer: list[str] | float | None = None) -> str:
    """Count an answer; what has passed once stays so. Returns as `note`."""
    done = {"diagnosis": diagnosis, "answer": answer}
    return note(name, lambda entry: replace(entry, passed=entry.passed or passed, tries=entry.tries + 1, **done))


def clear() -> str:
    """Forget all. Returns as `note`."""
    try:
        _write({})
    except RecordError as error:
        return str(error)
    _tell({})
    return ""


def follow(method: Callable[[Entries], None]) -> None:
    """Call a bound method with all entries after each change, as long as its object lives."""
    _followers[:] = [one for one in _followers if one() is not None]
    _followers.append(WeakMethod(method))


def as_json(entries: Entries) -> str:
    """The same as the board in a built page exports."""
    return json.dumps({name: asdict(entry) for name, entry in sorted(entries.items())}, ensure_ascii=False, indent=1)


def _entry(values: dict) -> Entry:
    known = {name: values[name] for name in (*_KINDS, "answer") if name in values}
    for name, kind in _KINDS.items():
        if type(known.get(name, kind())) is not kind:
            raise TypeError(f"{name} got {known[name]!r}; expected {kind.__name__}")
    entry = Entry(**known)
    if entry.tries < 0 or not 0 <= entry.hints <= 3:
        raise ValueError(f"tries and hints got {entry.tries} and {entry.hints}; expected at least 0, and 0 to 3")
    return entry


def _write(entries: Entries) -> None:
    path = place()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.", suffix=".new")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(as_json(entries) + "\n")
            os.replace(draft, path)
        except BaseException:  # also when interrupted: leave no litter
            os.unlink(draft)
            raise
    except OSError as error:
        raise RecordError(language.message("board.unwritable", path=path, reason=error.strerror)) from error


def _tell(entries: Entries) -> None:
    for one in list(_followers):
        method = one()
        if method is not None:
            method(entries)
