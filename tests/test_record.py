"""The learner's file: what checks and cards put into it, where it lies, and that no fault of it harms a check."""

import json
import stat
from dataclasses import asdict
from pathlib import Path

import pytest
from torch.nn import functional as F

from bnlib import language
from bnlib.learn import check, progress, record
from bnlib.learn.exercises import load, names
from bnlib.learn.record import Entry, RecordError


@pytest.fixture(autouse=True)
def file(tmp_path, monkeypatch) -> Path:
    path = tmp_path / "of" / "a learner" / "progress.json"
    monkeypatch.setenv("BNLIB_PROGRESS", str(path))
    language.set_language("en")
    yield path
    language.set_language("en")


def right(X, eps):
    return F.batch_norm(X, None, None, training=True, eps=eps)


def test_nothing_is_there_before_the_first_answer(file):
    assert record.read() == {} and not file.exists()
    assert progress().passed == () and progress().entries == {}


def test_a_check_is_noted_with_its_tries_and_the_last_diagnosis(file):
    check("normalize", load("normalize").mistakes["unbiased"])
    check("normalize", lambda X, eps: None)
    assert record.read() == {"normalize": Entry(tries=2, diagnosis="nothing")}
    check("normalize", right)
    assert record.read()["normalize"] == Entry(passed=True, tries=3, diagnosis="passed")
    check("normalize", load("normalize").mistakes["unbiased"])  # what has passed stays so
    assert record.read()["normalize"] == Entry(passed=True, tries=4, diagnosis="unbiased")
    assert [path.name for path in file.parent.iterdir()] == [file.name]  # no litter


def test_a_question_is_noted_too():
    name = names("number")[0]
    check(name, load(name).value())
    assert record.read()[name].passed and progress().passed == (name,)


BROKEN = {
    "no json": "{",
    "a list": "[]",
    "no entries": '{"normalize": 3}',
    "other kinds": '{"normalize": {"passed": 1}}',
    "hints below 0": '{"normalize": {"hints": -1}}',
    "hints above 3": '{"normalize": {"hints": 4}}',
    "deep": "[" * 100_000,
    "null": "null",
}


@pytest.mark.parametrize("code", language.LANGUAGES)
@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_told_and_left_as_it_is(file, text, code):
    language.set_language(code)
    file.parent.mkdir(parents=True)
    file.write_text(text, encoding="utf-8")
    report = check("normalize", right)
    assert report.passed and report.sentences[-1] == language.message("board.broken", path=file)
    assert file.read_text(encoding="utf-8") == text
    assert str(progress()).startswith(report.sentences[-1]) and report.sentences[-1] in progress()._repr_html_()


def test_a_file_that_is_not_text_is_told(file):
    file.parent.mkdir(parents=True)
    file.write_bytes(b"\xff\xfe\x00")
    assert check("normalize", right).sentences[-1] == language.message("board.broken", path=file)


@pytest.mark.parametrize("code", language.LANGUAGES)
def test_a_place_that_cannot_be_written_is_told(tmp_path, monkeypatch, code):
    language.set_language(code)
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("BNLIB_PROGRESS", str(tmp_path / "file" / "progress.json"))
    report = check("normalize", right)
    assert report.passed and len(report.sentences) == 2
    assert report.sentences[-1].startswith({"en": "Your progress is not kept: ", "zh": "进度没有存下来："}[code])
    assert record.clear() != ""


def test_a_folder_in_its_place_is_told(file):
    file.mkdir(parents=True)
    report = check("normalize", right)
    assert report.passed and str(file) in report.sentences[-1]
    assert list(file.parent.iterdir()) == [file]


def test_without_a_home_folder_it_is_told(monkeypatch):
    monkeypatch.setenv("BNLIB_PROGRESS", "~nobody-of-that-name/progress.json")
    assert check("normalize", right).sentences[-1] == language.message("board.homeless")


def test_clear_forgets_all_and_an_unknown_field_is_left_aside(file):
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"normalize": {"passed": True, "later": 1}}), encoding="utf-8")
    assert record.read() == {"normalize": Entry(passed=True)}
    assert record.clear() == "" and record.read() == {}


@pytest.mark.parametrize(
    ("system", "variable", "below"),
    [
        ("linux", "XDG_DATA_HOME", "bnlib"),
        ("linux", "HOME", ".local/share/bnlib"),
        ("darwin", "HOME", "Library/Application Support/bnlib"),
        ("win32", "LOCALAPPDATA", "bnlib"),
    ],
)
def test_each_platform_has_its_place(monkeypatch, tmp_path, system, variable, below):
    for name in ("BNLIB_PROGRESS", "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setenv(variable, str(tmp_path))
    assert record.place() == tmp_path / below / "progress.json"


def test_what_is_exported_is_what_is_kept(tmp_path):
    check("normalize", right)
    record.note("backward", lambda entry: Entry(hints=2, solution=True, answer=["均值"]))
    progress().export(tmp_path / "out.json")
    stored = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert stored == {name: asdict(entry) for name, entry in record.read().items()} and len(stored) == 2


@pytest.mark.parametrize("code", language.LANGUAGES)
def test_the_board_tells_each_exercise_in_its_language(code):
    language.set_language(code)
    check("normalize", right)
    record.note("backward", lambda entry: Entry(tries=2, hints=1))
    record.note("moving_average", lambda entry: Entry(solution=True, hints=3))
    made = progress()
    language.set_language("en")
    lines = {"en": "✓ 02 Normalize a batch: 1 try, no hint", "zh": "✓ 02 归一化一个小批量：试过1次，没看提示"}
    assert lines[code] in str(made).splitlines() and repr(made) == str(made)
    ends = {
        "en": ("2 tries, 1 hint", "no try yet, solution opened"),
        "zh": ("试过2次，看过1条提示", "还没试过，看过解答"),
    }
    assert all(any(line.endswith(end) for line in str(made).splitlines()) for end in ends[code])
    html = made._repr_html_()
    assert f'lang="{code}"' in html and html.count("<tr>") == len(names()) + 1 and html.count("✓") == 1


def test_followers_hear_of_each_change_until_they_are_gone():
    heard = []

    class Follower:
        def hear(self, entries):
            heard.append(list(entries))

    follower = Follower()
    record.follow(follower.hear)
    check("normalize", right)
    assert heard == [["normalize"]]
    record.clear()
    assert heard == [["normalize"], []]
    del follower
    check("normalize", right)
    assert heard == [["normalize"], []]


def test_a_file_for_the_learner_alone(file):
    check("normalize", right)
    assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0


def test_an_error_names_the_file(file):
    file.parent.mkdir(parents=True)
    file.write_text("{", encoding="utf-8")
    with pytest.raises(RecordError, match="progress.json is damaged"):
        record.read()
