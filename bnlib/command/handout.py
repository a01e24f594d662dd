"""python -m bnlib handout: notebooks for a class, with graded tasks, in the students' and in the teacher's version."""

import argparse
import json
from pathlib import Path

from bnlib.command.grade import graded
from bnlib.language import message


def handout(args: argparse.Namespace) -> None:
    """Write both versions of each notebook into OUT/student and OUT/teacher.

    Raises:
        ValueError: there is no such notebook, one would be overwritten, or none holds a task that was named.
    """
    from bnlib.learn.handout import student, tasks, teacher
    from bnlib.training.history import replace_file

    names, paths = graded(args), _notebooks(args.notebooks)
    notebooks = {path: _read(path) for path in paths}
    found = {name for notebook in notebooks.values() for name in tasks(notebook, names)}
    for name in args.graded or ():
        if name not in found:
            raise ValueError(message("handout.nowhere", name=name))
    made = {"student": student, "teacher": teacher}
    targets = {args.out / kind / path.name: (path, kind) for path in paths for kind in made}
    if {target.resolve() for target in targets} & {path.resolve() for path in paths}:
        raise ValueError(message("handout.overwrites", out=args.out))
    for target, (path, kind) in targets.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        version = made[kind](notebooks[path], names)
        replace_file(target, json.dumps(version, ensure_ascii=False, indent=1) + "\n")
        print(message("handout.written", path=target, count=len(tasks(notebooks[path], names))))


def _notebooks(places: list[Path]) -> list[Path]:
    """The notebooks that are named, and those of the folders that are named.

    Raises:
        ValueError: there is none, or two have the same name.
    """
    found: dict[str, Path] = {}
    for place in places:
        inside = sorted(place.glob("*.ipynb")) if place.is_dir() else [place]
        if not inside or not inside[0].is_file():
            raise ValueError(message("handout.no_notebook", path=place))
        for path in inside:
            if path.name in found:
                raise ValueError(message("handout.twice", first=found[path.name], second=path))
            found[path.name] = path
    return list(found.values())


def _read(path: Path) -> dict:
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        if (
            notebook["nbformat"] == 4
            and notebook["nbformat_minor"] >= 0
            and all(cell.keys() >= {"cell_type", "source"} for cell in notebook["cells"])
        ):
            return notebook
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise ValueError(message("handout.unreadable", path=path))
