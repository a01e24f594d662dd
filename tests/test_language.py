"""The two languages: the same entries with the same fields, and Chinese as the course writes it."""

import re
import string
import tomllib
from pathlib import Path

import pytest

from bnlib import language

FOLDER = Path(language.__file__).parent
TABLES = {code: tomllib.loads((FOLDER / f"{code}.toml").read_text(encoding="utf-8")) for code in language.LANGUAGES}
ENTRIES = {
    code: {f"{table}.{name}": text for table, entries in tables.items() for name, text in entries.items()}
    for code, tables in TABLES.items()
}
CJK = r"[\u3400-\u9fff]"
ENGLISH = "a|an|and|are|by|cannot|choose|epoch|expected|for|from|got|is|it|loss|no|not|of|on|or|that|the|to|was|with"
NAMES = "LN|IN|GN|ReLU|Xavier|Kaiming|torch|bnlib"  # the same in both languages
NOT_OURS = (
    "您",
    "批次大小",
    "平均值",
    "移动平均线",
    "美白",
    "噪音",
)  # the glossary has another word for each


@pytest.fixture(autouse=True)
def english():
    language.set_language("en")
    yield
    language.set_language("en")


def fields(text):
    braces = {(name, spec) for _, name, spec, _ in string.Formatter().parse(text) if name is not None}
    return braces, sorted(re.findall(r"%(?:\(\w+\))?[sr]", text))


def test_both_languages_hold_the_same_entries():
    assert ENTRIES["en"].keys() == ENTRIES["zh"].keys()
    assert all(isinstance(text, str) and text for code in ENTRIES for text in ENTRIES[code].values())


@pytest.mark.parametrize("key", ENTRIES["en"])
def test_fields_are_the_same_in_both_languages(key):
    assert fields(ENTRIES["en"][key]) == fields(ENTRIES["zh"][key])


@pytest.mark.parametrize("key", ENTRIES["zh"])
def test_chinese_is_chinese(key):
    text = ENTRIES["zh"][key]
    words = re.sub(r"\{[^}]*\}|%\(\w+\)[sr]", "{}", re.sub("`[^`]*`", "``", text))  # code is code in every language
    unnamed = re.sub(NAMES, "", words)
    assert re.search(CJK, text) or not re.search("[A-Za-z]{2}", unnamed), "not translated"
    assert not re.findall(rf"(?<![-\w=])(?:{ENGLISH})(?![-\w=])", words), "English left in it"
    assert not re.search(rf"{CJK} [\w{{]|[\w}}] {CJK}", words), "a space between Chinese and something else"
    assert not re.search(rf"{CJK}[,;:?!]|{CJK}[.](?![a-z])|[,;:?!]{CJK}", words), "half-width punctuation"
    assert not [word for word in NOT_OURS if word in text], "a term that the glossary rules out"


def test_the_language_decides_the_message():
    assert language.current() == "en"
    assert language.message("training.epoch", epoch=1, epochs=2) == "epoch 1/2"
    language.set_language("zh")
    assert language.current() == "zh"
    assert language.message("training.epoch", epoch=1, epochs=2) == "迭代周期1/2"


@pytest.mark.parametrize("code", ["fr", "", "ZH", None])
def test_another_language_is_refused_and_changes_nothing(code):
    with pytest.raises(ValueError, match=f"set_language got {code!r}; expected one of 'en', 'zh'"):
        language.set_language(code)
    assert language.current() == "en"


@pytest.mark.parametrize("key", ["training.nothing", "nothing.epoch", "training", ""])
def test_a_missing_entry_is_named(key):
    with pytest.raises(KeyError, match=f"en.toml has no entry '{key}'"):
        language.message(key)


def test_a_missing_field_is_an_error():
    with pytest.raises(KeyError, match="epochs"):
        language.message("training.epoch", epoch=1)
