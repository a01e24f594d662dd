"""The card of an exercise: its task, an answer to a question, hints in three steps, then the worked solution."""

from dataclasses import replace
from html import escape

from IPython.display import display
from traitlets import Any, Bool, Dict

from bnlib import language
from bnlib.learn import record
from bnlib.learn.card_data import card_data, graded_data
from bnlib.learn.exercises import load, names
from bnlib.learn.report import in_html
from bnlib.learn.traits import Switch, Whole
from bnlib.learn.widget import PageWidget

# the measures of card.js, so that nothing jumps much when a script draws the card
_BOX = "border:1px solid #8b949e;border-radius:8px;padding:12px;max-width:640px;font-size:15px;line-height:1.5"
_LINE = "margin:4px 0"
_GENERAL = ("incomplete", "too_low", "too_high")  # the words that a check has for them, too


class Exercise(PageWidget):
    """The card of an exercise. Several may stand on a page; a link to #exercise-NAME leads to one.

    What is opened and answered is kept: in a live kernel in the learner's file (see `progress`), in a built page in the
    browser. Code is checked by `check` in a cell of its own. A question about a figure shows it above the card.

    Args:
        exercise: its name.
        graded: whether it is a task that a teacher grades: then the card holds no solution and judges no answer.

    Traits:
        hints: how many have been opened, 0 to 3. solution: whether it has been opened.
        answer: the last one to a question, None before: a list of names, or a number. tries: how many there were.
        passed: whether one was right.

    Raises:
        ValueError: for a name that no exercise has.
    """

    name = "card"

    exercise = Dict().tag(sync=True)
    live = Bool(True).tag(sync=True)  # in a page without a kernel the module keeps what a reader does
    hints = Whole(0, 0, 3)
    solution = Switch(False)
    answer = Any(None, allow_none=True).tag(sync=True, state=True)
    tries = Whole(0, 0, 10**9)
    passed = Switch(False)

    _following = False  # what comes from the file need not be noted there

    def __init__(self, exercise: str, graded: bool = False) -> None:
        if exercise not in names():
            raise ValueError(language.message("exercise.unknown", name=repr(exercise), names=", ".join(names())))
        data = (graded_data if graded else card_data)(load(exercise))
        own = language.messages("card") | {key: language.messages("exercise")[key] for key in _GENERAL}
        super().__init__(lang=language.current(), strings=own, exercise=data)
        self.key = f"exercise.{exercise}"
        self._follow(record.read_if_possible())
        record.follow(self._follow)
        self.observe(self._keep, names=list(self.traits(state=True)))

    def _follow(self, entries: record.Entries) -> None:
        """Show what the learner's file says."""
        entry = entries.get(self.exercise["name"], record.Entry())
        self._following = True
        with self.hold_trait_notifications():
            for name in self.traits(state=True):
                setattr(self, name, getattr(entry, name))
        self._following = False

    def _keep(self, change) -> None:
        if self._following:
            return
        done = {name: getattr(self, name) for name in self.traits(state=True)}
        record.note(self.exercise["name"], lambda entry: replace(entry, **done))

    def _ipython_display_(self) -> None:
        """The figure that a question asks to read, where there is one, then the card."""
        drawn = getattr(load(self.exercise["name"]), "figure", None)
        if drawn is not None:
            display(drawn())
        bundle, metadata = self._repr_mimebundle_()
        display(bundle, metadata=metadata, raw=True)

    def carried(self) -> dict:
        return {"lang": self.lang, "strings": self.strings, "exercise": self.exercise}

    def picture(self) -> str:
        """The card as text: the task, the options, and what unfolds without scripts."""
        data, say = self.exercise, self.strings
        parts = [_line(f"<strong>{in_html(data['title'])}</strong>"), _line(in_html(data["task"]))]
        if "start" in data:
            parts.append(_program(data["start"]))
        choices = data.get("options", sorted(data.get("items", ()), key=lambda item: item["name"]))
        parts.append(_listed([in_html(one["text"]) for one in choices]))
        if "how" in data:
            parts.append(_line(in_html(data["how"])))
        parts.append(_listed([f"<code>{one['name']}</code> {in_html(one['text'])}" for one in data.get("choices", ())]))
        folded = _folded(say["solution"], self._solution()) if "solution" in data else ""
        for number, hint in reversed(list(enumerate(data["hints"], 1))):
            folded = _folded(self.say("hint", number=number), f"{_line(in_html(hint))}{folded}")
        return f'<div style="{_BOX}">{"".join(parts)}{folded}</div>'

    def _solution(self) -> str:
        data = self.exercise
        shown = _line(in_html(data["solution"])) + (_program(data["code"]) if "code" in data else "")
        if "options" in data:
            whys = "".join(f"<dt>{in_html(one['text'])}</dt><dd>{in_html(one['why'])}</dd>" for one in data["options"])
            shown += f"{_line(self.strings['answers'])}<dl>{whys}</dl>"
        return shown


def _listed(items: list[str]) -> str:
    inside = "".join(f'<li style="{_LINE}">{item}</li>' for item in items)
    return f'<ul style="margin:8px 0">{inside}</ul>' if items else ""


def _line(inside: str) -> str:
    return f'<p style="{_LINE}">{inside}</p>'


def _program(text: str) -> str:
    return f'<pre style="margin:8px 0">{escape(text)}</pre>'


def _folded(summary: str, inside: str) -> str:
    open_ = '<details style="border:0;padding:0;margin:8px 0 0"><summary style="margin:0">'
    return f"{open_}{escape(summary)}</summary>{inside}</details>"
