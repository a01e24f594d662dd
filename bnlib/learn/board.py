"""The learner's progress: as text and as a table, from the learner's file; and as a board in the built page."""

from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path

from traitlets import Bool, Dict, List

from bnlib import language
from bnlib.learn import record
from bnlib.learn.exercises import load, names
from bnlib.learn.widget import PageWidget


@dataclass(frozen=True, repr=False)
class Progress:
    """What a learner has done; it shows itself at the end of a cell, in the language it was made in.

    entries: exercise -> its `Entry`, of those that have been begun. titles: all exercises and what they are called.
    trouble: one sentence where the file can't be read, else empty. lang: "en" or "zh". words: those of the board.
    """

    entries: dict[str, record.Entry]
    titles: dict[str, str]
    trouble: str
    lang: str
    words: dict[str, str]

    @property
    def passed(self) -> tuple[str, ...]:
        """The exercises that have passed."""
        return tuple(name for name in self.titles if self._entry(name).passed)

    def export(self, path: str | Path) -> None:
        """Write all entries as JSON: exercise -> passed, tries, diagnosis, hints, solution, answer.

        Raises:
            OSError: the file can't be written.
        """
        Path(path).write_text(record.as_json(self.entries) + "\n", encoding="utf-8")

    def __str__(self) -> str:
        lines = [self._line(name) for name in self.titles]
        return "\n".join([*([self.trouble] if self.trouble else []), self._sum(), *lines])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        said = f"<p>{escape(self.trouble)}</p>" if self.trouble else ""
        return f'<div lang="{self.lang}">{said}{table(self.words, self._sum(), map(self._row, self.titles))}</div>'

    def _entry(self, name: str) -> record.Entry:
        return self.entries.get(name, record.Entry())

    def _sum(self) -> str:
        return self.words["sum"].format(passed=len(self.passed), all=len(self.titles))

    def _line(self, name: str) -> str:
        entry, words = self._entry(name), self.words
        tries = words[("no_try", "one_try", "many_tries")[min(entry.tries, 2)]].format(tries=entry.tries)
        opened = words[("no_hint", "one_hint", "many_hints")[min(entry.hints, 2)]].format(hints=entry.hints)
        opened = words["solution_opened"] if entry.solution else opened
        mark = "✓" if entry.passed else "·"
        return f"{mark} {self.titles[name]}{words['colon']}{tries}{words['comma']}{opened}"

    def _row(self, name: str) -> tuple[str, ...]:
        entry, words = self._entry(name), self.words
        passed = f"✓ {words['yes_passed']}" if entry.passed else words["not_yet"]
        opened = words["with_solution"] if entry.solution else str(entry.hints)
        return self.titles[name], passed, str(entry.tries), opened


def table(words: dict[str, str], caption: str, rows) -> str:
    """A table of the board, as HTML without styles: every host has its own."""
    head = "".join(f'<th scope="col">{escape(words[key])}</th>' for key in ("exercise", "passed", "tries", "hints"))
    body = "".join(
        f'<tr><th scope="row">{escape(title)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>'
        for title, *cells in rows
    )
    return f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def titles() -> dict[str, str]:
    """What each exercise is called in the current language, with its chapter's number, in the order of chapters."""
    words = {name: (load(name).chapter, language.message(f"exercise_{name}.title")) for name in names()}
    in_order = sorted(words, key=lambda name: (words[name][0], load(name).kind != "code", name))
    return {name: language.message("board.entry", chapter=words[name][0], title=words[name][1]) for name in in_order}


def progress() -> Progress:
    """The learner's progress so far: which exercises passed, after how many tries, with how many hints.

    It is kept by `check` and by the cards in one file on this machine, which the environment variable BNLIB_PROGRESS
    may name; nothing is sent anywhere.
    """
    trouble, entries = "", {}
    try:
        entries = record.read()
    except record.RecordError as error:
        trouble = str(error)
    words = language.messages("board") | language.messages("punctuation")
    return Progress(entries, titles(), trouble, language.current(), words)


class Board(PageWidget):
    """The learner's progress as a board that follows each check and card, to save as a file or to delete.

    In a live kernel it shows the learner's file (see `progress`), in a built page what the browser keeps.
    """

    name = "board"

    exercises = List().tag(sync=True)  # [name, title] of each
    live = Bool(True).tag(sync=True)
    standing = Dict().tag(sync=True)  # exercise -> its entry

    def __init__(self) -> None:
        listed = [list(pair) for pair in titles().items()]
        super().__init__(lang=language.current(), strings=language.messages("board"), exercises=listed)
        self._follow(record.read_if_possible())
        record.follow(self._follow)
        self.on_msg(self._asked)

    def _follow(self, entries: record.Entries) -> None:
        self.standing = {name: asdict(entry) for name, entry in entries.items()}

    def _asked(self, widget, content, buffers) -> None:
        if content.get("forget"):
            record.clear()

    def carried(self) -> dict:
        return {"lang": self.lang, "strings": self.strings, "exercises": self.exercises}

    def picture(self) -> str:
        """All exercises, without a learner's marks: those a browser keeps, and a script must read them."""
        words = self.strings
        rows = [(title, words["not_yet"], "0", "0") for _, title in self.exercises]
        caption = self.say("sum", passed=0, all=len(self.exercises))
        return f"{table(words, caption, rows)}<p>{words['scripts']}</p>"
