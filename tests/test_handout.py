"""Handouts: the students' and the teacher's version of each notebook, really graded where this machine isolates."""

import json
import re

import nbformat
import pytest
from browser_fixtures import LANGUAGES, ROOT
from bs4 import BeautifulSoup
from test_grading_class import run

from bnlib import language
from bnlib.learn.exercises import load, names
from bnlib.learn.grading import Limits, NotIsolated, grades, sandboxed
from bnlib.learn.handout import student, tasks, teacher
from bnlib.learn.question import Question

NOTEBOOKS = sorted((ROOT / "chapters").glob("*/*.ipynb"))
EXERCISES = {code: ROOT / "chapters" / code / "07_exercises.ipynb" for code in LANGUAGES}
SHOWN = re.compile("title|task|hint_.|option_.*|item_.*|unit")  # the words of an exercise that a graded card may show


def read(path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def card(notebook: dict, name: str) -> str:
    """The stored card of an exercise."""
    html = [o["data"]["text/html"] for c in notebook["cells"] for o in c.get("outputs", ()) if "text/html" in o["data"]]
    return next(text for text in map("".join, html) if f'data-key="exercise.{name}"' in text)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_both_versions_are_notebooks_that_differ_in_the_graded_tasks_alone(path):
    source, graded = read(path), names("code")
    before = json.dumps(source)
    for version in (student(source, graded), teacher(source, graded)):
        nbformat.validate(nbformat.from_dict(version))
        changed = [cell for cell in version["cells"] if cell not in source["cells"]]
        assert len(changed) <= 1 + len(tasks(source, graded)) and (changed or version == source)
        known = {cell["id"] for cell in source["cells"]}
        assert [cell["id"] for cell in version["cells"] if cell["id"] not in known] == ["handout"] * bool(changed)
    assert json.dumps(source) == before


def test_all_exercises_are_found():
    assert {tuple(sorted(tasks(read(path), names()))) for path in EXERCISES.values()} == {names()}


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("name", names())
def test_a_student_gets_the_hints_and_nothing_that_tells_what_is_right(name, code):
    version = student(read(EXERCISES[code]), [name])
    html = card(version, name)
    with language.speaking(code):
        words = language.messages(f"exercise_{name}")
        told = load(name).told if isinstance(load(name), Question) else {}
    seen = " ".join(BeautifulSoup(html, "html.parser").get_text().split())
    for key, sentence in words.items():
        text = " ".join((sentence.format(**told) if told else sentence).replace("`", "").split())
        assert (text in seen) == bool(SHOWN.fullmatch(key)), key
    state = json.loads(BeautifulSoup(html, "html.parser").div["data-state"])
    allowed = {"kind", "name", "title", "task", "hints", "how", "choices", "start"}
    assert state["exercise"].keys() <= allowed and state["exercise"]["kind"] == "graded"
    sources = ["".join(cell["source"]) for cell in version["cells"] if cell["cell_type"] == "code"]
    assert f'Exercise("{name}", graded=True)' in sources
    assert sum(f'check("{name}", ' in source for source in sources) == 1


@pytest.mark.parametrize("code", LANGUAGES)
def test_the_grader_passes_the_teachers_version_and_not_the_students(tmp_path, code):
    source = read(EXERCISES[code])
    for kind, made in (("student", student), ("teacher", teacher)):
        (tmp_path / f"{kind}.ipynb").write_text(json.dumps(made(source, names())), encoding="utf-8")
    try:
        with sandboxed(Limits()) as sandbox:
            found = {grade.learner: grade for grade in grades(tmp_path, sandbox, names())}
    except NotIsolated as refused:
        pytest.skip(str(refused))
    assert found["teacher"].troubles == [] and found["student"].troubles == []
    assert {name: finding.kind for name, finding in found["teacher"].findings.items()} == dict.fromkeys(
        names(), "passed"
    )
    assert found["student"].passed == 0 and set(found["student"].findings) == set(names())
    assert found["student"].language == found["teacher"].language == code


def test_the_command_writes_both_versions(tmp_path, capsys):
    out = tmp_path / "made"
    status, said, err = run(capsys, "handout", str(EXERCISES["zh"].parent), "--graded", "normalize", "--out", str(out))
    assert (status, err) == (0, "")
    assert f"written: {out}/student/07_exercises.ipynb (graded tasks: 1)" in said.splitlines()
    written = sorted(str(path.relative_to(out)) for path in out.rglob("*.ipynb"))
    stems = [path.name for path in NOTEBOOKS if path.parent.name == "zh"]
    assert written == [f"{kind}/{stem}" for kind in ("student", "teacher") for stem in stems]
    assert read(out / "student" / "07_exercises.ipynb") == student(read(EXERCISES["zh"]), ["normalize"])
    assert read(out / "teacher" / "07_exercises.ipynb") == teacher(read(EXERCISES["zh"]), ["normalize"])


def test_cells_without_ids_get_none(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell('Exercise("settled")')])
    notebook.nbformat_minor = 0
    notebook.cells[0].pop("id")
    made = student(json.loads(json.dumps(notebook)), ["settled"])
    nbformat.validate(nbformat.from_dict(made))
    sources = [cell["source"] for cell in made["cells"]]
    assert sources[::2] == ['Exercise("settled", graded=True)', 'check("settled", ...)']


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere.ipynb"], "nowhere.ipynb is neither a notebook nor a folder of notebooks"),
        (["empty"], "empty is neither a notebook nor a folder of notebooks"),
        (["a.ipynb", "--graded", "nothing"], "There is no exercise 'nothing'"),
        (["a.ipynb", "--graded", "settled"], "None of the notebooks holds a card of settled"),
        (["a.ipynb", "b/a.ipynb"], "have the same name"),
        (["out/student/a.ipynb", "--out", "out"], "would be overwritten"),
        (["broken.ipynb"], "broken.ipynb can't be read as a notebook of format 4"),
    ],
)
def test_what_was_asked_wrongly_is_said_at_once(tmp_path, capsys, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    cell = nbformat.v4.new_code_cell('Exercise("normalize")')
    for name in ("a.ipynb", "b/a.ipynb", "out/student/a.ipynb"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / name)
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.ipynb").write_text("{}")
    before = sorted(tmp_path.rglob("*"))
    status, out, err = run(capsys, "handout", *words)
    assert status == 2 and out == "" and said in err and err.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before
