"""A class's folder, read without trusting it, and what is written of it: the functions, and python -m bnlib grade."""

import argparse
import csv
import io
import os
import re

import nbformat
import pytest
from attacks import RIGHT, WRONG

import bnlib
from bnlib import command
from bnlib.learn import exercises
from bnlib.learn.diagnosis import Finding
from bnlib.learn.grading import Grade, NotIsolated, page, sandboxed, table
from bnlib.learn.grading.submission import LARGEST, Trouble, learners, read
from bnlib.learn.grading.worker import python

CODE = exercises.names("code")


@pytest.fixture(autouse=True)
def english(monkeypatch):
    monkeypatch.setattr(argparse, "_", argparse._)
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    bnlib.set_language("en")
    yield
    bnlib.set_language("en")


def write(path, *cells, language="en"):
    path.parent.mkdir(exist_ok=True)
    first = nbformat.v4.new_code_cell(f'import bnlib\nbnlib.set_language("{language}")')
    code = [nbformat.v4.new_markdown_cell("text"), first, *map(nbformat.v4.new_code_cell, cells)]
    nbformat.write(nbformat.v4.new_notebook(cells=code), path)


def run(capsys, *words):
    try:
        status = command.main(list(words))
    except SystemExit as leaving:
        status = leaving.code
    return status, *capsys.readouterr()


def test_whose_notebooks_they_are(tmp_path):
    names = ["ann.ipynb", "bob/two.ipynb", "bob/one.ipynb", "bob/.ipynb_checkpoints/old.ipynb", "cy/notes.txt"]
    for name in [*names, ".hidden/x.ipynb", "bob.ipynb", "readme.txt"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = {
        learner: [str(path.relative_to(tmp_path)) for path in paths] for learner, paths in learners(tmp_path).items()
    }
    assert found == {"ann": ["ann.ipynb"], "bob": ["bob/one.ipynb", "bob/two.ipynb", "bob.ipynb"]}


def test_cells_are_read_with_their_numbers_and_the_language(tmp_path):
    write(tmp_path / "a.ipynb", "x = 1\ny = 2", language="zh")
    source = read(tmp_path / "a.ipynb")
    assert source.language == "zh" and source.cells[1] == (3, "x = 1\ny = 2") and source.trouble is None


CONTENT = {
    "nothing": b"",
    "no JSON": b"{",
    "no UTF-8": b"\xff\xfe\x00",
    "a list": b"[]",
    "no cells": b"{}",
    "cells that are no list": b'{"cells": 3}',
    "cells that are words": b'{"cells": ["x"]}',
    "a source of numbers": b'{"cells": [{"cell_type": "code", "source": [1]}]}',
    "a source that is a number": b'{"cells": [{"cell_type": "code", "source": 1}]}',
    "a deep nest": b"[" * 200_000,
}


@pytest.mark.parametrize("name", CONTENT)
def test_what_is_no_notebook_is_told(tmp_path, name):
    path = tmp_path / "a.ipynb"
    path.write_bytes(CONTENT[name])
    source = read(path)
    assert source.cells == () and str(source.trouble).startswith("a.ipynb: the notebook can't be read (")


def test_links_and_pipes_are_not_opened(tmp_path):
    write(tmp_path / "class" / "real.ipynb")
    secret = tmp_path / "secret.ipynb"
    write(secret)
    os.symlink(secret, tmp_path / "class" / "link.ipynb")
    os.symlink(tmp_path, tmp_path / "class" / "folder")
    os.mkfifo(tmp_path / "class" / "pipe.ipynb")
    found = {name: read(paths[0]).trouble for name, paths in learners(tmp_path / "class").items()}
    assert {name: trouble and trouble.why for name, trouble in found.items()} == {
        "folder": "no_file",
        "link": "no_file",
        "pipe": "no_file",
        "real": None,
    }


def test_a_huge_file_is_not_read(tmp_path):
    with open(tmp_path / "a.ipynb", "wb") as file:
        file.truncate(LARGEST + 1)
    assert str(read(tmp_path / "a.ipynb").trouble) == "a.ipynb: the notebook is larger than 67,108,864 bytes"


@pytest.mark.parametrize("first", "=+-@\t|%")
def test_no_cell_of_the_table_is_a_formula(first):
    grade = Grade(first + "cmd", "en", troubles=[Trouble("in_file", {"file": first}, "late")])
    (row,) = csv.DictReader(io.StringIO(table([grade], CODE)))
    assert not row["learner"].startswith(tuple("=+-@\t|%")) and not row["trouble"].startswith(tuple("=+-@\t|%"))


def test_a_page_names_what_was_not_answered_and_what_could_not_be_judged():
    found = {"normalize": Finding("passed")}
    lost = Trouble("in_exercise", {"exercise": "recalibrate"}, "crashed")
    text = page(Grade("a", "en", found, [lost]), ["normalize", "backward", "recalibrate"])
    assert (
        text.index("Right: Normalize a batch") < text.index("The backward pass") < text.index("recalibrate: not judged")
    )
    assert text.count("No answer was given to check.") == 1 and "Recalibrate<" not in text


def test_a_name_can_break_neither_the_table_nor_the_page():
    name = 'a",b\n</title><script>x</script>\ud800\u202e'
    grade = Grade(name, "zh", {"normalize": Finding("raises", values={"error": "<b>", "message": "</html>"})})
    (row,) = csv.DictReader(io.StringIO(table([grade], CODE)))
    assert row["learner"] == 'a",b </title><script>x</script>? ' and row["diagnosis"] == "normalize: raises"
    text = page(grade, CODE).encode().decode()
    assert "<script" not in text and "<b>" not in text and text.count("</html>") == 1 and '<html lang="zh">' in text
    assert bnlib.language.current() == "en"


@pytest.mark.parametrize(
    ("source", "run"),
    [
        ("x = 1", "x = 1"),
        ("%matplotlib inline\nx = 1", "pass\nx = 1"),
        ("if 1:\n    !ls\n    x = 1", "if 1:\n    pass\n    x = 1"),
        ("%%bash\nrm x", ""),
        ("%%time\nx = 1", "x = 1"),
        ("%%", ""),
        ('x = """\n%s\n"""', 'x = """\n%s\n"""'),
        ("y = 5\\\n%3", "y = 5\\\n%3"),
        ("x = !ls -l\ny = %pwd", "x = []\ny = None"),
        ("torch.var?\n?torch\nx = 1", "pass\npass\nx = 1"),
        ('%cd x\nx = """\n%s\n!\n"""', 'pass\nx = """\n%s\n!\n"""'),
        ("await f()\n!ls", "await f()\npass"),
        ("not python(\n%cd x", "not python(\n%cd x"),
    ],
)
def test_what_only_ipython_knows_is_left_out(source, run):
    assert python(source) == run


def isolates():
    try:
        with sandboxed(bnlib.learn.grading.Limits()):
            return ""
    except NotIsolated as refused:
        return str(refused)


def test_the_command_grades_a_class(tmp_path, capsys):
    if isolates():
        pytest.skip(isolates())
    folder = tmp_path / "class"
    write(folder / "ann.ipynb", RIGHT)
    write(folder / "bob" / "week1.ipynb", WRONG, language="zh")
    write(folder / "bob" / "week2.ipynb", "1 / 0", language="zh")
    write(folder / ("x" * 240 + ".ipynb"), "bnlib.learn.exercises.normalize.EXERCISE.right")
    status, out, err = run(capsys, "grade", str(folder))
    assert (status, err) == (0, "")
    count, names = len(exercises.names("code")), ["ann", "bob", "x" * 240]
    said = out.splitlines()
    assert re.fullmatch("Each notebook runs apart, by (bubblewrap|namespaces).", said[0])
    assert said[1] == f"ann: 1 of {count} passed"
    assert said[2] == f"bob: 0 of {count} passed; week2.ipynb, cell 3: ZeroDivisionError: division by zero"
    assert "look at it yourself" in said[3] and said[4] == f"written: {tmp_path}/class_grades/grades.csv"
    with open(tmp_path / "class_grades" / "grades.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["learner"] for row in rows] == names and [row["passed"] for row in rows] == ["1", "0", "0"]
    pages = sorted(path.name for path in (tmp_path / "class_grades").glob("*.html"))
    assert pages[:2] == ["ann.html", "bob.html"] and re.fullmatch("x{40}-[0-9a-f]{16}.html", pages[2])
    assert "给bob的反馈" in (tmp_path / "class_grades" / "bob.html").read_text(encoding="utf-8")
    assert sorted(path.name for path in folder.iterdir()) == ["ann.ipynb", "bob", "x" * 240 + ".ipynb"]


def test_the_command_refuses_where_it_cannot_isolate(tmp_path, capsys, monkeypatch):
    write(tmp_path / "class" / "ann.ipynb", f"open({str(tmp_path / 'ran')!r}, 'w')", RIGHT)
    refused = ["/bin/sh", "-c", "echo unshare: Operation not permitted >&2; exit 125"]
    monkeypatch.setattr("bnlib.learn.grading.sandbox.WAYS", {"namespaces": lambda sandbox: refused})
    status, out, err = run(capsys, "grade", str(tmp_path / "class"))
    assert status == 1 and out == "" and err.startswith("Nothing was graded: strangers' code can't be kept apart")
    assert "(namespaces: unshare: Operation not permitted)" in err
    assert err.count("\n") == 1 and [path.name for path in tmp_path.iterdir()] == ["class"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "There is no folder"),
        (["empty"], "empty holds no notebooks; expected one NAME.ipynb or one folder NAME"),
        (["class", "--out", "class"], "The grades can't go into"),
        (["class", "--out", "class/bob/grades"], "The grades can't go into"),
        (["class", "--seconds", "0"], "--seconds is 0; expected a whole number of at least 1."),
        (["class", "--memory", "-5"], "--memory is -5; expected a whole number of at least 1."),
    ],
)
def test_what_was_asked_wrongly_is_said_at_once(tmp_path, capsys, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "class" / "ann.ipynb")
    write(tmp_path / "class" / "bob" / "ann.ipynb")
    (tmp_path / "empty").mkdir()
    status, out, err = run(capsys, "grade", *words)
    assert status == 2 and out == "" and said in err and err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["class", "empty"]
