"""python -m bnlib grade: a class's notebooks, each run apart."""

import argparse
import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bnlib.language import message

if TYPE_CHECKING:
    from bnlib.learn.grading import Grade, Limits

_LONGEST = 200  # bytes of a learner's name in the name of a file


def grade(args: argparse.Namespace) -> None:
    """Grade the notebooks of a folder; write a table of the class and a page for each learner.

    Raises:
        ValueError: there is nothing to grade, or the place for the grades is a learner's.
        NotIsolated: this machine can't keep a learner's code apart.
    """
    from bnlib.learn.grading import grades, page, sandboxed, table
    from bnlib.learn.grading.submission import learners
    from bnlib.training.history import replace_file

    folder, tasks = args.folder.resolve(), graded(args)
    out = (args.out or folder.with_name(f"{folder.name}_grades")).resolve()
    if out == folder or (folder in out.parents and out.relative_to(folder).parts[0] in learners(folder)):
        raise ValueError(message("grade.out_inside", out=out))
    learners(folder)  # refused before anything is tried out
    done, limits = [], _limits(args)
    with _made(out), sandboxed(limits, hidden=(folder, out)) as sandbox:
        print(message("grade.isolated", way=sandbox.way))
        for grade in grades(folder, sandbox, tasks):
            done.append(grade)
            replace_file(_page(out, grade), page(grade, tasks))
            trouble = "; ".join(map(str, grade.troubles))
            key = "grade.graded_trouble" if trouble else "grade.graded"
            told = {"learner": grade.shown, "passed": grade.passed, "count": len(tasks), "trouble": trouble}
            print(message(key, **told), flush=True)
            replace_file(out / "grades.csv", table(done, tasks))  # after each: what is done outlasts Ctrl-C
    print(message("command.written", path=out / "grades.csv"))


def graded(args: argparse.Namespace) -> tuple[str, ...]:
    """The names of the graded tasks: those that were named, else all in code, which nobody finds by trying.

    Raises:
        ValueError: an exercise of such a name does not exist.
    """
    from bnlib.learn.exercises import names

    for name in args.graded or ():
        if name not in names():
            raise ValueError(message("exercise.unknown", name=repr(name), names=", ".join(names())))
    return tuple(dict.fromkeys(args.graded or names("code")))


@contextlib.contextmanager
def _made(out: Path) -> Iterator[None]:
    """Make the folder, so that it can be hidden; nothing is left of it if nothing was written."""
    missing = [place for place in (out, *out.parents) if not place.exists()]
    out.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        if not any(out.iterdir()):
            for place in missing:
                place.rmdir()


def _limits(args: argparse.Namespace) -> "Limits":
    from bnlib.learn.grading import Limits

    for name in ("seconds", "memory"):
        if getattr(args, name) < 1:
            raise ValueError(message("training.not_whole", name=f"--{name}", value=getattr(args, name), least=1))
    return Limits(memory=args.memory << 20, wall=args.seconds, cpu=args.seconds, cell=min(60.0, args.seconds / 2))


def _page(out: Path, grade: "Grade") -> Path:
    """A file of this learner's own: as the notebook or folder is named, but for names too long to add anything to."""
    name = grade.learner
    if len(os.fsencode(name)) > _LONGEST:
        name = f"{grade.shown[:40]}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}"
    return out / f"{name}.html"
