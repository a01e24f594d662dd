"""A class's notebooks, one after the other: each run apart, its answers compared with the grader's own here."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bnlib.language import current
from bnlib.learn import exercises
from bnlib.learn.diagnosis import Finding, diagnose
from bnlib.learn.grading.channel import Lost, NotIsolated
from bnlib.learn.grading.sandbox import Sandbox
from bnlib.learn.grading.session import Session
from bnlib.learn.grading.submission import Trouble, learners, read
from bnlib.learn.grading.wire import text
from bnlib.learn.question import Question

_CHEAT = "learn.exercises"  # where the right answers of the library are


@dataclass
class Grade:
    """What a learner's notebooks are worth.

    learner: the name of the file or folder. language: of the notebooks. findings: exercise -> what the check found.
    troubles: what went wrong while they ran.
    """

    learner: str
    language: str
    findings: dict[str, Finding] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)

    @property
    def shown(self) -> str:
        """The learner's name, fit to be printed."""
        return text(self.learner)

    @property
    def passed(self) -> int:
        return sum(finding.kind == "passed" for finding in self.findings.values())


def grades(folder: Path, sandbox: Sandbox, graded: Sequence[str]) -> Iterator[Grade]:
    """Grade each learner of a folder in turn, in the exercises of these names.

    Raises:
        ValueError: there is nothing to grade.
        NotIsolated: a worker could not be started.
    """
    for learner, paths in learners(folder).items():
        grade = Grade(learner, current())
        for path in paths:
            _grade(path, sandbox, grade, graded)
        yield grade


def _grade(path: Path, sandbox: Sandbox, grade: Grade, graded: Sequence[str]) -> None:
    source = read(path)
    grade.language = source.language or grade.language
    if source.trouble:
        grade.troubles.append(source.trouble)
        return
    if _CHEAT in source.all:
        grade.troubles.append(Trouble("in_file", {"file": source.file}, "own_checker"))
    with Session(sandbox, source) as session:
        for name in graded:
            if name in session.answers:
                finding = _finding(name, session, grade)
                before = grade.findings.get(name)
                if finding and not (before and before.kind == "passed"):  # of several notebooks the best counts
                    grade.findings[name] = finding
        grade.troubles += session.troubles


def _finding(name: str, session: Session, grade: Grade) -> Finding | None:
    exercise, given = exercises.load(name), session.answers[name]
    if isinstance(exercise, Question):
        return exercise.misfit(given.misfit) if given.misfit else exercise.judge(given.plain)
    if given.misfit:
        return Finding("not_callable", values={"got": given.misfit})
    try:
        # random inputs that no notebook could have known: they are drawn now
        return diagnose(exercise, lambda inputs: session.look_at(name, inputs), secrets.randbelow(2**31))
    except Lost as lost:
        trouble = Trouble("in_exercise", {"exercise": name}, lost.why)
    except NotIsolated:
        raise
    except Exception as error:  # outcomes of no honest answer: they harm this exercise of this learner alone
        trouble = Trouble("in_exercise", {"exercise": name}, "broken", {"error": type(error).__name__})
    grade.troubles.append(trouble)
    return None
