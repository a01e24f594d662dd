"""Known mistakes as learners write them in other ways: each is named for what it does, and for nothing that it doesn't.

The answers stand in tests/answers/NAME.py, in a table KNOWN where there are any: answer -> the mistakes to name.
"""

from importlib import import_module

import pytest

from bnlib.learn import check
from bnlib.learn.exercises import names

TABLES = {name: getattr(import_module(f"answers.{name}"), "KNOWN", {}) for name in names("code")}
KNOWN = [(name, answer, mistakes) for name, table in TABLES.items() for answer, mistakes in table.items()]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("name", "answer", "mistakes"), KNOWN, ids=lambda value: getattr(value, "__name__", value))
def test_a_mistake_in_another_style_is_named_for_what_it_does(english, name, answer, mistakes, seed):
    report = check(name, answer, seed=seed)
    assert (report.kind, {report.diagnosis, *report.also}) == ("mistake", mistakes)
