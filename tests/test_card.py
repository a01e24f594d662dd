"""The card of each exercise and the board: lean, in both languages, readable without scripts; both follow the file."""

import ast
import json
import re
from dataclasses import replace
from html import unescape

import pytest
from bs4 import BeautifulSoup
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets import TraitError

from bnlib import language
from bnlib.learn import Board, Exercise, check, record
from bnlib.learn import widget as base
from bnlib.learn.exercises import load, names
from bnlib.learn.question import Choice, Question

each = pytest.mark.parametrize("name", names())
in_each_language = pytest.mark.parametrize("code", language.LANGUAGES)
of_code = pytest.mark.parametrize("name", names("code"))


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    monkeypatch.setenv("BNLIB_PROGRESS", str(tmp_path / "progress.json"))
    language.set_language("en")
    yield
    language.set_language("en")


def stored_state(widget) -> dict:
    return json.loads(unescape(re.search(r"data-state='([^']*)'", widget.stored_html())[1]))


def page(widget) -> BeautifulSoup:
    return BeautifulSoup(widget.stored_html(), "html.parser")


def words(text: str) -> str:
    """As a page shows them: without the marks of code, white space made even."""
    return " ".join(text.replace("`", "").split())


@each
@in_each_language
def test_a_card_is_lean_and_the_same_each_time_whatever_a_learner_has_done(name, code):
    language.set_language(code)
    first = Exercise(name).stored_html()
    record.note(name, lambda entry: record.Entry(True, 3, "passed", 3, True, 1.0))
    card = Exercise(name)
    assert card.hints == 3 and card.stored_html() == first
    assert len(json.dumps(stored_state(card), ensure_ascii=False).encode()) <= 10_000


@pytest.mark.parametrize("module", ["card", "board"])
def test_a_module_is_lean_and_asks_for_nothing(module):
    text = base.module(module)
    assert len(text.encode()) <= 30_000
    assert len(re.findall(r"(?m)^export ", text)) == 1 and "export default {" in text
    asks = r"(?m)^import |https?://(?!www\.w3\.org/2000/svg)|\beval\(|new Function|innerHTML|fetch\(|XMLHttp|sendBeacon"
    assert not re.search(asks, text)


@each
@in_each_language
def test_without_scripts_the_task_and_all_help_can_be_read(name, code):
    language.set_language(code)
    card = Exercise(name)
    shown, data = page(card), card.exercise
    text = words(shown.get_text(" "))
    said = [data["title"], data["task"], *data["hints"], data["solution"]]
    said += [one["text"] for one in data.get("options", data.get("items", []))]
    said += [one["why"] for one in data.get("options", [])]
    flat = words(shown.get_text(""))
    assert all(words(one) in text or words(one) in flat for one in said)
    folded = shown.select("details")
    assert len(folded) == 4 and len(shown.select("details details details details")) == 1
    assert not [one for one in folded if one.has_attr("open")]
    assert words(data["solution"]) in words(folded[-1].get_text(""))
    assert shown.div["lang"] == code and shown.div["data-key"] == f"exercise.{name}"


@of_code
def test_the_solution_is_a_program_under_the_name_that_the_task_asks_for(name):
    data, exercise = Exercise(name).exercise, load(name)
    (made,) = ast.parse(data["code"]).body
    assert made.name == exercise.call.partition("(")[0] and data["code"] in page(Exercise(name)).select("pre")[-1].text
    assert f'check("{name}", {made.name})' in data["how"]
    assert ("start" in data) == (exercise.start is not None)


@pytest.mark.parametrize("name", [name for name in names("code") if load(name).start])
def test_a_program_to_repair_is_shown(name):
    data = Exercise(name).exercise
    (made,) = ast.parse(data["start"]).body
    assert made.name == load(name).call.partition("(")[0] and data["start"] != data["code"]
    assert page(Exercise(name)).select_one("pre").text == data["start"]


@in_each_language
def test_each_word_of_a_module_is_there_and_each_that_is_there_is_used(code):
    language.set_language(code)
    python = "".join((base._HERE / f"{name}.py").read_text("utf-8") for name in ("card", "board", "record"))
    for widget in (Exercise(names()[0]), Board()):
        own = base.module(widget.name).replace((base._HERE / "parts" / "frame.js").read_text("utf-8"), "")
        used, there = set(re.findall(r"\bsay\.(\w+)", own)), set(widget.strings)
        assert used <= there
        in_python = {word for word in there if re.search(rf"""["'.]{word}["']""", python)}
        assert there <= used | in_python


def test_an_unknown_exercise_is_refused_with_the_names():
    with pytest.raises(ValueError, match="no exercise 'nothing'; expected one of: .*normalize"):
        Exercise("nothing")


@pytest.mark.parametrize("value", [-1, 4, True, "1", None, 1.0])
def test_hints_guard_themselves(value):
    with pytest.raises(TraitError, match="hints got .*; expected a whole number from 0 to 3"):
        Exercise("normalize").hints = value


def test_a_card_notes_what_is_opened_and_follows_the_file():
    first, second = Exercise("normalize"), Exercise("normalize")
    first.hints = 2
    assert record.read()["normalize"].hints == 2 and second.hints == 2
    check("normalize", load("normalize").right)
    assert first.passed and second.passed and first.tries == second.tries == 1 and first.hints == 2
    first.solution = True
    assert record.read()["normalize"] == record.Entry(True, 1, "passed", 2, True, None)
    assert Exercise("normalize").solution and not Exercise("backward").solution
    record.clear()
    assert (first.hints, first.passed, first.solution, first.tries) == (0, False, False, 0)


def test_a_card_notes_several_traits_of_one_message_together():
    name = names("number")[0]
    card, seen = Exercise(name), []
    card.observe(lambda change: seen.append(record.read().get(name)), names=["answer", "tries", "passed"])
    card.set_state({"answer": 1.5, "tries": 1, "passed": True})
    assert record.read()[name] == replace(record.Entry(), answer=1.5, tries=1, passed=True)
    assert seen[-1] == record.read()[name] and (card.answer, card.tries, card.passed) == (1.5, 1, True)


def test_a_card_works_where_nothing_can_be_kept(tmp_path):
    (tmp_path / "progress.json").write_text("{", encoding="utf-8")
    card = Exercise("normalize")
    card.hints = 1
    assert card.hints == 1 and (tmp_path / "progress.json").read_text(encoding="utf-8") == "{"


@in_each_language
def test_the_board_lists_all_exercises_and_follows_the_file(code):
    language.set_language(code)
    board = Board()
    stored, bundle = board.stored_html(), board._repr_mimebundle_()[0]
    assert sorted(name for name, _ in board.exercises) == list(names()) and board.standing == {}
    check("normalize", load("normalize").right)
    assert board.standing["normalize"]["passed"] and board.stored_html() == stored == bundle["text/html"]
    assert {"application/vnd.jupyter.widget-view+json", "text/html"} <= set(bundle)
    shown = page(board)
    assert len(shown.select("tbody tr")) == len(names()) and shown.div["data-widget"] == "board"
    board._handle_custom_msg({"forget": True}, [])
    assert board.standing == {} and record.read() == {}


# --- what a card says is what `check` says

ANSWERS = {
    "choice": lambda q: [[], *([one] for one in q.options), list(q.right), list(q.options)],
    "number": lambda q: [q.value(), q.low, q.high, *(wrong() for wrong in q.mistakes.values()), (q.low + q.high) / 2],
    "order": lambda q: [
        list(q.items),
        list(q.items[::-1]),
        *map(list, q.others),
        *(swapped(q.items, i) for i in range(len(q.items) - 1)),
    ],
}
TOLD_OTHERWISE = ("no_option", "only_one", "wrong_order", "out_of_range")  # `check` names options, the card shows them


def swapped(items, i) -> list[str]:
    return [*items[:i], items[i + 1], items[i], *items[i + 2 :]]


@pytest.mark.parametrize("name", names("choice", "number", "order"))
@in_each_language
def test_a_card_judges_as_check_does(module_page, name, code):
    language.set_language(code)
    question, card = load(name), Exercise(name)
    assert isinstance(question, Question)
    for answer in ANSWERS[question.kind](question):
        told = module_page("card").evaluate("([q, a, say]) => judge(q, a, say)", [card.exercise, answer, card.strings])
        finding = question.judge(answer)
        assert told["passed"] == (finding.kind == "passed"), answer
        if finding.kind not in TOLD_OTHERWISE:
            assert told["sentences"] == list(question.sentences(finding)), answer
        known = module_page("card").evaluate("([q, a]) => isAnswer(q, a)", [card.exercise, answer])
        assert known == (finding.kind not in ("no_option", "out_of_range"))


@pytest.mark.parametrize("name", names("choice", "number", "order"))
def test_what_is_no_answer_is_none(module_page, name):
    wrong = [None, "x", {}, ["nothing"], [[]], True, ["nothing", "nothing"]]
    question = Exercise(name).exercise
    found = module_page("card").evaluate("([q, all]) => all.map((a) => isAnswer(q, a))", [question, wrong])
    assert found == [False] * len(wrong)


@pytest.mark.parametrize("name", names("order"))
def test_an_order_begins_mixed(module_page, name):
    question, given = load(name), Exercise(name).exercise
    begin = "({name, items, others}) => [1, 2].map(() => mixed(name, items, others))"
    first, second = module_page("card").evaluate(begin, given)
    assert first == second and sorted(first) == sorted(question.items)
    assert question.judge(first).kind != "passed"


def test_there_are_questions_of_each_kind():
    assert names("choice") and names("number") and names("order")
    assert any(isinstance(load(name), Choice) and len(load(name).right) > 1 for name in names("choice"))


def test_a_question_about_a_figure_shows_it_above_its_card():
    shell = InteractiveShell.instance()
    with_figure = next(name for name in names("choice", "number") if load(name).figure)
    for name, kinds in ((with_figure, ["image/svg+xml", "text/html", "text/html"]), ("normalize", ["text/html"])):
        with capture_output(stdout=False, stderr=False) as shown:
            shell.display_formatter.format(Exercise(name))
        assert [next(iter({"image/svg+xml", "text/html"} & out.data.keys())) for out in shown.outputs] == kinds
        assert f'data-key="exercise.{name}"' in shown.outputs[-1].data["text/html"]
        assert "application/vnd.jupyter.widget-view+json" in shown.outputs[-1].data
