"""Questions: every answer gets its finding and its sentence, whatever it is; what is right is computed or recorded."""

import json
import re
from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
import torch

from bnlib import language
from bnlib.learn import check
from bnlib.learn.card_data import card_data
from bnlib.learn.exercises import KINDS, load, names
from bnlib.learn.question import Number, Order

QUESTIONS = names("choice", "number", "order")
CHOICES, NUMBERS, ORDERS = names("choice"), names("number"), names("order")
OPTIONS = [(name, option) for name in CHOICES for option in load(name).options]
MISTAKES = [(name, mistake) for name in NUMBERS for mistake in load(name).mistakes]
PAIRS = [(name, *pair) for name in ORDERS for pair in load(name).pairs]
FIGURES = [name for name in QUESTIONS if load(name).figure]
WORDS = {"title", "task", "hint_1", "hint_2", "hint_3", "solution_text"}


class Evil:
    """Raises whatever is asked of it."""

    def __getattribute__(self, name):
        raise RuntimeError("no")

    def __eq__(self, other):
        raise RuntimeError("no")

    __hash__ = None


class EvilFloat(float):
    def __float__(self):
        raise RuntimeError("no")


class EvilList(list):
    def __iter__(self):
        while True:
            pass


class Shy(str):
    def __hash__(self):
        raise RuntimeError("no")

    def __eq__(self, other):
        raise RuntimeError("no")

    def strip(self):
        raise RuntimeError("no")


ODD = [None, True, 3, 2.5, "?", "", b"x", [], {}, set(), [1], ["?", None], print, object, Evil(), EvilFloat(1)]
ODD += [EvilList(["a"]), Shy("eight"), float("nan"), float("-inf"), 10**400, 1j, torch.ones(3), np.ones(2), {"a": 1}]


pytestmark = pytest.mark.usefixtures("english")


def all_right(question):
    return {"choice": "right", "number": "value", "order": "items"}[question.kind]


def right_answer(name):
    right = getattr(load(name), all_right(load(name)))
    return right() if callable(right) else right


def test_the_kinds_divide_the_exercises():
    assert sorted(name for kind in KINDS for name in names(kind)) == sorted(names()) and len(QUESTIONS) >= 14
    assert all(load(name).name == name for name in names())  # as no name is given twice, here and in questions/
    with pytest.raises(ValueError, match="names got 'essay'; expected kinds of 'code', "):
        names("essay")


@pytest.mark.parametrize("code", language.LANGUAGES)
@pytest.mark.parametrize("name", QUESTIONS)
def test_the_right_answer_passes_and_is_explained(name, code):
    language.set_language(code)
    question, report = load(name), check(name, right_answer(name))
    assert report.passed and report.kind == "passed" and not report.diagnosis and report.lang == code
    if question.kind == "choice":
        assert report.sentences == tuple(question.say(f"why_{option}") for option in report.also)
        assert set(report.also) == question.right
    else:
        assert report.sentences == (question.say("solution_text"),)


@pytest.mark.parametrize("code", language.LANGUAGES)
@pytest.mark.parametrize(("name", "option"), OPTIONS)
def test_each_option_is_answered_by_its_own_sentence(name, option, code):
    language.set_language(code)
    question, report = load(name), check(name, option)
    if option in question.right and len(question.right) > 1:
        assert (report.passed, report.kind) == (False, "incomplete") and str(len(question.right) - 1) in str(report)
        return
    assert report.passed == (option in question.right)
    assert report.diagnosis == ("" if report.passed else option)
    assert report.sentences == (question.say(f"why_{option}"),)


@pytest.mark.parametrize("code", language.LANGUAGES)
@pytest.mark.parametrize(("name", "mistake"), MISTAKES)
def test_each_mistaken_number_is_diagnosed_as_itself(name, mistake, code):
    language.set_language(code)
    report = check(name, load(name).mistakes[mistake]())
    assert (report.passed, report.kind, report.diagnosis) == (False, "mistake", mistake)
    assert report.sentences == (load(name).say(f"mistake_{mistake}"),)


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_lie_apart_and_within_reach(name):
    """No answer is near two of them; the slider comes near enough to the right one."""
    question = load(name)
    values = sorted([question.value(), *(wrong() for wrong in question.mistakes.values())])
    assert all(b - a > question.within(a) + question.within(b) for a, b in zip(values, values[1:], strict=False))
    assert question.low <= values[0] and values[-1] <= question.high and len(question.mistakes) >= 2
    places, at = [], question.low
    while at <= question.high * (1 + 1e-9):
        places.append(at)
        at = at * question.step if question.log else question.low + len(places) * question.step
    assert min(abs(place - question.value()) for place in places) <= question.within(question.value())
    assert len(places) <= 1001


@pytest.mark.parametrize("name", NUMBERS)
def test_another_number_hears_in_which_direction_it_is_wrong(name):
    question, far = load(name), [load(name).low, load(name).high]
    taken = [question.value(), *(wrong() for wrong in question.mistakes.values())]
    for answer in far:
        kinds = {"passed", "mistake"} if any(abs(answer - v) <= question.within(v) for v in taken) else set()
        kinds |= {"too_low" if answer < question.value() else "too_high"}
        assert check(name, answer).kind in kinds
    assert check(name, question.high * 2 + 1).kind == check(name, question.low - 1).kind == "out_of_range"


@pytest.mark.parametrize("code", language.LANGUAGES)
@pytest.mark.parametrize(("name", "first", "then"), PAIRS)
def test_a_pair_in_the_wrong_order_is_told(name, first, then, code):
    language.set_language(code)
    given = list(load(name).items)
    i, j = given.index(first), given.index(then)
    given.insert(i, given.pop(j))  # just before the other
    report = check(name, given)
    assert (report.passed, report.kind, report.diagnosis) == (False, "mistake", f"{first}_{then}")
    assert report.sentences == (load(name).say(f"before_{first}_{then}"),)


@pytest.mark.parametrize("name", ORDERS)
def test_no_other_order_is_right(name):
    question, right = load(name), {load(name).items, *load(name).others}
    assert {order for order in permutations(question.items) if question.judge(order).kind == "passed"} == right


@pytest.mark.parametrize("code", language.LANGUAGES)
@pytest.mark.parametrize(
    "number", range(len(ODD)), ids=[f"{i}-{type(answer).__name__}" for i, answer in enumerate(ODD)]
)
@pytest.mark.parametrize("name", ["accumulated_batches", "unbiased_factor", "train_and_score", "settled"])
def test_no_answer_is_odd_enough_to_raise(name, number, code):
    language.set_language(code)
    report = check(name, ODD[number])
    assert report.kind in language.messages("exercise") or (report.passed and type(ODD[number]) is Shy)
    assert report.sentences and all(report.sentences) and str(report) and report._repr_html_()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("eight", "passed"),
        (" eight ", "passed"),
        (["eight"], "passed"),
        ({"eight"}, "passed"),
        ("8", "unknown_option"),
        ([], "no_option"),
        (8, "choice_type"),
        (None, "choice_type"),
        (["eight", 32], "choice_type"),
        (["eight", "thirty_two"], "only_one"),
        (["thirty_two"], "mistake"),
    ],
)
def test_choices(answer, kind):
    assert check("accumulated_batches", answer).kind == kind


def test_several_options():
    right, wrong = ["larger_rates", "scale"], ["covariate_shift", "smoothness"]
    assert check("settled", right[::-1]).passed
    report = check("settled", [*wrong[::-1], *right])
    assert (report.kind, report.diagnosis, report.also) == ("mistake", "covariate_shift", ("smoothness",))
    assert len(report.sentences) == 2
    assert "{'name'" not in str(report) and "`7`" in str(check("settled", "7"))


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (4 / 3, "passed"),
        (1.33, "passed"),
        (Fraction(4, 3), "passed"),
        (np.float32(1.333), "passed"),
        (torch.tensor([1.333]), "passed"),
        (1.35, "too_high"),
        (1, "mistake"),
        (2, "too_high"),
        (0.9, "too_low"),
        (3, "out_of_range"),
        (float("nan"), "not_finite"),
        (10**400, "not_finite"),
        ("1.33", "number_type"),
        (True, "number_type"),
        (torch.ones(2), "number_type"),
        (lambda: 1.33, "number_type"),
    ],
)
def test_numbers(answer, kind):
    assert check("unbiased_factor", answer).kind == kind


def test_the_edge_of_the_tolerance_counts():
    question = Number("x", lambda: 0.1, 0.01, low=0.0, high=1.0, step=0.01, mistakes={})
    assert [question.judge(answer).kind for answer in (0.09, 0.11, 0.0899, 0.1101)] == [
        "passed",
        "passed",
        "too_low",
        "too_high",
    ]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda items: items, "passed"),
        (tuple, "passed"),
        (lambda items: items[:-1], "missing_item"),
        (lambda items: [*items, items[0]], "item_twice"),
        (lambda items: [*items, "x"], "unknown_item"),
        (lambda items: items[::-1], "mistake"),
        (set, "order_type"),
        (lambda items: items[0], "order_type"),
        (lambda items: 3, "order_type"),
    ],
)
def test_orders(change, kind):
    assert check("train_and_score", change(list(load("train_and_score").items))).kind == kind


def test_an_order_without_pairs_names_what_comes_too_early():
    found = Order("x", ("a", "b", "c")).judge(["a", "c", "b"])
    assert (found.kind, dict(found.values)) == ("wrong_order", {"number": "2", "name": "c"})
    assert Order("x", ("a", "b")).sentences(Order("x", ("a", "b")).judge(["b", "a"])) == (
        "`b` comes too early, at place 1: something else has to come there first.",
    )


@pytest.mark.parametrize("code", language.LANGUAGES)
@pytest.mark.parametrize("name", QUESTIONS)
def test_each_word_exists_and_none_is_left_over(name, code):
    language.set_language(code)
    question, words = load(name), language.messages(f"exercise_{name}")
    own = {
        "choice": lambda: {f"{word}_{option}" for option in question.options for word in ("option", "why")},
        "number": lambda: {"unit", *(f"mistake_{mistake}" for mistake in question.mistakes)},
        "order": lambda: {f"item_{i}" for i in question.items} | {f"before_{a}_{b}" for a, b in question.pairs},
    }[question.kind]()
    assert words.keys() == WORDS | own and question.name == name
    told = [question.say(key) for key in words]
    assert not [text for text in told if text.count("`") % 2 or re.search(r"[{}]|\bnan\b", text)]
    assert len({*told}) == len(told), "two words are the same"
    used = {field for text in words.values() for field in re.findall(r"{(\w+)", text)}
    assert used <= set(question.told), "a field without a number"


@pytest.mark.parametrize("code", language.LANGUAGES)
@pytest.mark.parametrize("name", QUESTIONS)
def test_the_page_gets_plain_data_that_answers_as_the_check_does(name, code):
    language.set_language(code)
    data = json.loads(json.dumps(card_data(load(name))))
    assert data["kind"] == load(name).kind and data["name"] == name and len(data["hints"]) == 3
    if data["kind"] == "number":
        for place in [data, *data["mistakes"]]:
            for answer in (place["value"] - 0.99 * place["within"], place["value"] + 0.99 * place["within"]):
                report = check(name, min(max(answer, data["low"]), data["high"]))
                assert report.diagnosis == place["name"] * ("sentence" in place)
                assert report.sentences == (place.get("sentence", data["solution"]),)
    if data["kind"] == "choice":
        assert {option["name"] for option in data["options"] if option["right"]} == load(name).right
        assert all(option["text"] and option["why"] for option in data["options"])
    if data["kind"] == "order":
        assert check(name, [item["name"] for item in data["items"]]).passed
        assert all(check(name, order).passed for order in data["others"])
        assert [pair["sentence"] for pair in data["pairs"]] == [
            load(name).say(f"before_{pair['first']}_{pair['then']}") for pair in data["pairs"]
        ]


@pytest.mark.parametrize("name", FIGURES)
def test_the_figure_is_drawn_in_the_language(name):
    for code in language.LANGUAGES:
        language.set_language(code)
        figure = load(name).figure()
        assert figure.language == code and figure.svg.startswith("<svg") and figure.title


def test_choices_have_three_options_at_least_and_not_all_right():
    for name in CHOICES:
        question = load(name)
        assert len(set(question.options)) == len(question.options) >= 3
        assert question.right and question.right < set(question.options)
