"""History: the table, the CSV file and the words that a run leaves."""

import csv
import threading
from dataclasses import astuple

import pytest

import bnlib
from bnlib.training import EpochRow, History, TrainConfig

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
        "fashion-mnist-subset on cpu: 2 epochs, learning rate 1, batch size 256, seed 0",
        "epoch 1: loss 0.751, train accuracy 0.100, test accuracy 0.333, 2.0 s",
        "epoch 2: loss 0.500, train accuracy 0.800, test accuracy 0.750, 3.0 s",
        "2,400 training examples/s on cpu, test scoring included",
    ]
    assert len(str(history(())).splitlines()) == 1


def test_words_in_chinese(chinese):
    assert str(history()).splitlines()[1] == "迭代周期1：损失0.751，训练精度0.100，测试精度0.333，用时2.0秒"
