"""What a check has found, as a learner reads it: in a notebook, in a terminal, and as plain attributes."""

from dataclasses import dataclass
from html import escape

from bnlib import language
from bnlib.learn.diagnosis import Finding
from bnlib.learn.exercise import CodeExercise
from bnlib.learn.question import Question

_GREEN, _ORANGE = "#2e8b57", "#c77700"  # of the bar at the side alone: text keeps the host's colours, light or dark


@dataclass(frozen=True, repr=False)
class Report:
    """The result of a check, in the language of the moment; it shows itself at the end of a cell.

    exercise: its name. passed: whether the answer is right.
    kind: what was found: "passed"; "mistake", one known by name; "property", a law that is broken; or else "raises",
        "late", "slow", "type", "nothing", "missing", "shape", "dtype", "nan", "changed", "not_callable", "differs";
        "torch_changed" where the course's own answer fails as well.
        Of a question: "choice_type", "number_type", "order_type" for an answer of another type; "no_option",
        "unknown_option", "only_one", "incomplete"; "not_finite", "out_of_range", "too_low", "too_high"; "unknown_item",
        "missing_item", "item_twice", "wrong_order".
    diagnosis: the name of the mistake, wrong option or law, else empty. also: further mistakes, or all right options.
    sentences: what is said about it. line: of the answer, where it raised.
    input, got, expected: the smallest input that shows it, what came, what should have come; empty where there is none.
    lang: "en" or "zh". heading, labels: as they are shown.
    """

    exercise: str
    passed: bool
    kind: str
    diagnosis: str
    also: tuple[str, ...]
    sentences: tuple[str, ...]
    line: str
    input: str
    got: str
    expected: str
    lang: str
    heading: str
    labels: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        evidence = [f"    {label}{text}" for label, text in self.labels]
        return "\n".join([self.heading, *(f"  {sentence}" for sentence in self.sentences), *evidence])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        bar = f"border-left: 4px solid {_GREEN if self.passed else _ORANGE}; padding-left: 0.8em; margin: 0.5em 0"
        said = "".join(f"<p>{in_html(sentence)}</p>" for sentence in self.sentences)
        shown = "".join(
            f'<div style="margin: 0.2em 0; overflow-wrap: anywhere">{escape(label)}<code>{escape(text)}</code></div>'
            for label, text in self.labels
        )
        told = f"<p><strong>{escape(self.heading)}</strong></p>{said}{shown}"
        return f'<div class="bnlib-report" lang="{self.lang}" style="{bar}">{told}</div>'


def in_html(sentence: str) -> str:
    """Escaped, with what stands between backticks as code."""
    parts = escape(sentence).split("`")
    return "".join(f"<code>{part}</code>" if i % 2 and i < len(parts) - 1 else part for i, part in enumerate(parts))


def report(exercise: CodeExercise | Question, finding: Finding) -> Report:
    """Put a finding into words of the current language."""
    passed = finding.kind == "passed"
    title = language.message(f"exercise_{exercise.name}.title")
    heading = language.message("exercise.passed" if passed else "exercise.not_yet", title=title)
    shown = (("line", finding.line), ("input", finding.input), ("got", finding.got), ("expected", finding.expected))
    counter = {"got": "counterexample"} if finding.kind == "property" else {}
    labels = tuple((language.message(f"exercise.{counter.get(key, key)}"), text) for key, text in shown if text)
    return Report(
        exercise=exercise.name,
        passed=passed,
        kind=finding.kind,
        diagnosis=finding.name,
        also=finding.also,
        sentences=_said(exercise, finding),
        line=finding.line,
        input=finding.input,
        got=finding.got,
        expected=finding.expected,
        lang=language.current(),
        heading=heading,
        labels=labels,
    )


def _said(exercise: CodeExercise | Question, finding: Finding) -> tuple[str, ...]:
    return exercise.sentences(finding) if isinstance(exercise, Question) else _sentences(exercise, finding)


def _sentences(exercise: CodeExercise, finding: Finding) -> tuple[str, ...]:
    words = f"exercise_{exercise.name}"
    if finding.kind == "passed":
        return (language.message("exercise.all_right"),)
    if finding.kind == "mistake":
        further = [language.message(f"{words}.mistake_{name}") for name in finding.also]
        also = [language.message("exercise.also", sentence=sentence) for sentence in further]
        return (language.message(f"{words}.mistake_{finding.name}"), *also)
    if finding.kind == "property":
        return (language.message("exercise.law", law=language.message(f"{words}.property_{finding.name}")),)
    kind = "raises_silently" if finding.kind == "raises" and not finding.values["message"] else finding.kind
    said = language.message(f"exercise.{kind}", **finding.values, call=exercise.call)
    outside = finding.values.get("error") == "TypeError" and not finding.line  # it takes other arguments
    return (said, language.message("exercise.called", call=exercise.call)) if outside else (said,)
