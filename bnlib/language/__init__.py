"""The language in which the library speaks to a learner: messages live in one TOML file per language.

Standard library only, so that every other room may import it. Errors of `bnlib.norm` stay in English, as torch's are.
"""

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

LANGUAGES = ("en", "zh")

_current = "en"


def set_language(code: str) -> None:
    """Choose the language of messages, figures and widgets for the whole process.

    Args:
        code: "en" or "zh".

    Raises:
        ValueError: for any other code.
    """
    global _current
    if code not in LANGUAGES:
        raise ValueError(f"set_language got {code!r}; expected one of {', '.join(map(repr, LANGUAGES))}.")
    _current = code


def current() -> str:
    """The code of the language chosen last, "en" at the start."""
    return _current


@contextmanager
def speaking(code: str) -> Iterator[None]:
    """A block in another language; see `set_language`."""
    before = current()
    set_language(code)
    try:
        yield
    finally:
        set_language(before)


def message(key: str, **values: object) -> str:
    """The sentence stored under `table.name` in the current language, with `{name}` fields filled in.

    Args:
        key: such as "training.finished"; the table before the dot, the entry after it.
        values: the fields of the sentence.

    Raises:
        KeyError: if the current language has no such entry, or a field was left out.
    """
    table, _, name = key.partition(".")
    try:
        sentence = _messages(_current)[table][name]
    except KeyError:
        raise KeyError(f"bnlib/language/{_current}.toml has no entry {key!r}") from None
    return sentence.format(**values)


def messages(table: str) -> dict[str, str]:
    """All sentences of a table in the current language, entry -> sentence, their `{name}` fields left open.

    Raises:
        KeyError: if the current language has no such table.
    """
    try:
        return dict(_messages(_current)[table])
    except KeyError:
        raise KeyError(f"bnlib/language/{_current}.toml has no table {table!r}") from None


@cache
def _messages(code: str) -> dict[str, dict[str, str]]:
    return tomllib.loads((Path(__file__).parent / f"{code}.toml").read_text(encoding="utf-8"))
