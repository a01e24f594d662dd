"""What comes of grading: one table of the class, and a page for each learner. All that a learner wrote is escaped."""

import csv
import io
from collections.abc import Sequence
from html import escape

from bnlib.language import current, message, speaking
from bnlib.learn import exercises
from bnlib.learn.grading.grade import Grade
from bnlib.learn.report import report

_FORMULA = (
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
    "\n",
    "|",
    "%",
    "＝",
    "＋",
    "－",
    "＠",
)  # how a cell begins that a spreadsheet would compute

_STYLE = """
:root { color-scheme: light dark; font-family: system-ui, sans-serif; line-height: 1.5 }
body { max-width: 45rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere }
code { font-family: ui-monospace, monospace }
"""


def table(all_grades: Sequence[Grade], graded: Sequence[str]) -> str:
    """CSV: learner, a column for each exercise (1 passed, 0 not, empty: not answered), passed, diagnosis, trouble.

    diagnosis: "exercise: name of the mistake or law, or kind of failure", for each exercise that did not pass.
    trouble: sentences, in the language of the moment.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["learner", *graded, "passed", "diagnosis", "trouble"])
    for grade in all_grades:
        marks = [str(int(grade.findings[name].kind == "passed")) if name in grade.findings else "" for name in graded]
        wrong = [(name, finding) for name, finding in grade.findings.items() if finding.kind != "passed"]
        diagnosis = "; ".join(f"{name}: {' + '.join([f.name or f.kind, *f.also])}" for name, f in wrong)
        trouble = "; ".join(map(str, grade.troubles))
        writer.writerow([_cell(grade.shown), *marks, grade.passed, _cell(diagnosis), _cell(trouble)])
    return out.getvalue()


def _cell(words: str) -> str:
    """A cell that a spreadsheet shows and never computes."""
    return "'" + words if words.startswith(_FORMULA) else words


def _told(grade: Grade, name: str) -> str:
    """What a learner's page says of an exercise; nothing where one of the troubles below says why it was not judged."""
    if name in grade.findings:
        return report(exercises.load(name), grade.findings[name])._repr_html_()
    if any(trouble.place.get("exercise") == name for trouble in grade.troubles):
        return ""
    title = escape(message(f"exercise_{name}.title"))
    return f"<p><strong>{title}</strong></p>\n<p>{escape(message('grade.not_answered'))}</p>"


def page(grade: Grade, graded: Sequence[str]) -> str:
    """A learner's page, in the language of the notebooks, complete in itself."""
    with speaking(grade.language):
        title = escape(message("grade.title", learner=grade.shown))
        count = message("grade.result", passed=grade.passed, count=len(graded))
        nothing = f"<p>{escape(message('grade.nothing_answered'))}</p>"
        body = "\n".join(_told(grade, name) for name in graded) if grade.findings else nothing
        troubles = "".join(f"<li>{escape(str(trouble))}</li>" for trouble in grade.troubles)
        heading = escape(message("grade.trouble_heading"))
        told = f"<h2>{heading}</h2>\n<ul>{troubles}</ul>\n" if troubles else ""
        return (
            f'<!DOCTYPE html>\n<html lang="{current()}">\n<head><meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
            f"<title>{title}</title>\n<style>{_STYLE}</style></head>\n<body>\n<h1>{title}</h1>\n"
            f"<p>{escape(count)}</p>\n{body}\n{told}</body>\n</html>\n"
        )
