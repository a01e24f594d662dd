"""History: the table, the files and the words that a run leaves."""

import csv
import json
import platform
import threading
from dataclasses import astuple, replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from IPython.lib.pretty import pretty
from training_data import few, lenet

import bnlib
from bnlib.training import EpochRow, History, Scores, TrainConfig, train

ROWS = (EpochRow(1, 0.7512345678901234, 0.1, 1 / 3, 2.0), EpochRow(2, 0.5, 0.8, 0.75, 3.0))


def history(rows=ROWS):
    return History(rows, TrainConfig(epochs=2), "fashion-mnist-subset", "cpu", examples=6000)


@pytest.fixture
def chinese():
    bnlib.set_language("zh")
    yield
    bnlib.set_language("en")


def test_table_has_a_row_per_epoch_and_names_the_data():
    table = history().table()
    assert list(table) == ["epoch", "loss", "train_accuracy", "test_accuracy", "seconds", "data"]
    assert table.loss.tolist() == [0.7512345678901234, 0.5]
    assert set(table.data) == {"fashion-mnist-subset"}


def test_a_notebook_shows_what_print_shows(chinese):
    assert pretty(history()) == str(history()) and "迭代周期2：损失0.500" in pretty(history())


def test_csv_keeps_every_digit_and_replaces_an_older_file(tmp_path):
    path = tmp_path / "run.csv"
    path.write_text("older")
    assert history().write_csv(path) == path
    with path.open(newline="") as file:
        head, *rows = csv.reader(file)
    assert head == list(history().table())
    assert [[float(cell) for cell in row[:-1]] for row in rows] == [[*astuple(row)] for row in ROWS]
    assert {row[-1] for row in rows} == {"fashion-mnist-subset"} and b"\r" not in path.read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["run.csv"]  # no draft left


def test_a_reader_never_meets_half_a_file(tmp_path):
    long, short = history(ROWS * 500), history()
    path = long.write_csv(tmp_path / "run.csv")
    writer = threading.Thread(target=lambda: [(short if i % 2 else long).write_csv(path) for i in range(40)])
    writer.start()
    seen = set()
    while writer.is_alive():
        seen.add(path.read_text().count("\n"))
    writer.join()
    assert seen <= {3, 1001} and seen


def test_a_path_that_cannot_be_written_raises_and_leaves_nothing(tmp_path):
    with pytest.raises(OSError, match="missing"):
        history().write_csv(tmp_path / "missing" / "run.csv")
    with pytest.raises(IsADirectoryError):
        history().write_csv(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_speed_counts_all_epochs_and_is_nan_without_one():
    assert history().examples_per_second == 12000 / 5.0
    assert history(()).examples_per_second != history(()).examples_per_second
    assert list(history(()).table()) == list(history().table())


def test_words_in_english():
    assert str(history()).splitlines() == [
        "fashion-mnist-subset on cpu (eager): 2 epochs, learning rate 1, batch size 256, seed 0",
        "epoch 1: loss 0.751, train accuracy 0.100, test accuracy 0.333, 2.0 s",
        "epoch 2: loss 0.500, train accuracy 0.800, test accuracy 0.750, 3.0 s",
        "2,400 training examples/s on cpu, test scoring included",
    ]
    assert len(str(history(())).splitlines()) == 1


def test_words_in_chinese(chinese):
    head = "fashion-mnist-subset，设备cpu（eager）：2个迭代周期，学习率1，批量大小256，随机种子0"
    assert str(history()).splitlines()[0] == head
    assert str(history()).splitlines()[1] == "迭代周期1：损失0.751，训练精度0.100，测试精度0.333，用时2.0秒"


def test_words_name_the_path_taken_and_not_the_one_asked_for():
    other = replace(history(), config=TrainConfig(epochs=2, path="auto"), path="CUDA graph")
    assert str(other).startswith("fashion-mnist-subset on cpu (CUDA graph): 2 epochs")


def test_json_lines_begin_with_the_run_and_go_on_with_an_epoch_each(tmp_path):
    path = history().write_jsonl(tmp_path / "run.jsonl")
    head, *rest = map(json.loads, path.read_text().splitlines())
    assert head["kind"] == "run" and head["config"]["lr"] == 1.0 and head["path"] == "eager"
    assert (head["data"], head["device"]) == ("fashion-mnist-subset", "cpu")
    assert head["versions"] == {"python": platform.python_version(), "torch": torch.__version__}
    assert rest == [{"kind": "epoch", **vars(row)} for row in ROWS]
    assert [p.name for p in tmp_path.iterdir()] == ["run.jsonl"] and b"\r" not in path.read_bytes()


def test_a_run_comes_back_from_its_file(tmp_path):
    run = train(lenet(), few(), TrainConfig(epochs=2, lr=0.3, seed=5, score_every=3), device="cpu", progress=False)
    back = History.read(run.write_jsonl(tmp_path / "run.jsonl"))
    assert back == run and len(back.rows) == len(back.scores) == 2 and len(back.scores[0].lags) == 4
    assert str(back) == str(run) and back.table().equals(run.table())
    assert back.write_jsonl(tmp_path / "again.jsonl").read_bytes() == (tmp_path / "run.jsonl").read_bytes()


ANY = st.floats(allow_nan=True, allow_infinity=True)
COUNT = st.integers(0, 2**53)
TEXT = st.text(max_size=8)


@given(
    rows=st.lists(st.builds(EpochRow, COUNT, ANY, ANY, ANY, ANY), max_size=4).map(tuple),
    scores=st.lists(
        st.builds(Scores, COUNT, COUNT, ANY, ANY, ANY, st.lists(ANY, max_size=4).map(tuple)), max_size=3
    ).map(tuple),
    lr=st.floats(0, exclude_min=True, allow_infinity=False),
    words=st.tuples(TEXT, TEXT, TEXT, TEXT),
    versions=st.dictionaries(TEXT, TEXT, max_size=2).map(lambda found: tuple(found.items())),
    interrupted=st.booleans(),
)
def test_json_lines_keep_every_digit_and_letter(tmp_path_factory, rows, scores, lr, words, versions, interrupted):
    data, device, path, norm = words
    written = History(rows, TrainConfig(3, lr), data, device, 7, path, scores, interrupted, norm, versions)
    file = tmp_path_factory.getbasetemp() / "any.jsonl"
    back = History.read(written.write_jsonl(file))
    assert repr(back) == repr(written)  # == would refuse nan

    def refused(name):
        raise AssertionError(f"{name} is no JSON")

    for line in file.read_text().splitlines():
        json.loads(line, parse_constant=refused)


def test_numbers_of_numpy_are_written_as_numbers(tmp_path):
    config = TrainConfig(epochs=np.int64(2), lr=np.float32(0.5), batch_size=np.int32(8))
    back = History.read(replace(history(), config=config).write_jsonl(tmp_path / "run.jsonl"))
    assert back.config == TrainConfig(epochs=2, lr=0.5, batch_size=8)


@pytest.mark.parametrize(
    ("line", "content"),
    [
        (1, ""),
        (1, "epoch,loss\n1,0.5\n"),
        (1, "[1, 2]\n"),
        (1, '{"kind": "epoch", "epoch": 1}\n'),
        (1, "\x00\xff"),
        (2, "HEAD{}\n"),
        (2, 'HEAD{"kind": "epoch", "epoch": 1, "loss": 0.5}\n'),
        (2, 'HEAD{"kind": "weather"}\n'),
        (2, "HEADHEAD"),
        (3, 'HEADROW{"kind": "epoch", "epoch": 2, "lo'),
    ],
)
def test_another_file_is_refused_with_the_line_that_does_not_fit(tmp_path, line, content):
    head, row, _ = history().write_jsonl(tmp_path / "run.jsonl").read_text().splitlines(keepends=True)
    other = tmp_path / "other.jsonl"
    other.write_text(content.replace("HEAD", head).replace("ROW", row), encoding="latin-1")
    with pytest.raises(ValueError, match=f"other.jsonl is not a history .* line {line} does not fit"):
        History.read(other)


def test_a_setting_of_another_version_is_refused(tmp_path):
    path = history().write_jsonl(tmp_path / "run.jsonl")
    path.write_text(path.read_text().replace('"lr": 1.0', '"lr": 1.0, "warmup": 5'))
    with pytest.raises(ValueError, match="line 1 does not fit"):
        History.read(path)


def test_a_missing_file_and_an_unwritable_place_are_oserrors(tmp_path):
    with pytest.raises(FileNotFoundError):
        History.read(tmp_path / "none.jsonl")
    with pytest.raises(OSError, match="missing"):
        history().write_jsonl(tmp_path / "missing" / "run.jsonl")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("language", "label"), [("en", ">accuracy<"), ("zh", ">精度<")])
def test_curve_draws_all_epochs_in_the_current_language(language, label):
    bnlib.set_language(language)
    try:
        drawing, again = history().curve(), history().curve()
    finally:
        bnlib.set_language("en")
    assert drawing == again and label in drawing.svg
    assert {"en": "After epoch 2: loss 0.500", "zh": "第2个迭代周期后：损失0.500"}[language] in drawing.description
    with pytest.raises(ValueError, match="No epoch of this run came to its end"):
        history(()).curve()
