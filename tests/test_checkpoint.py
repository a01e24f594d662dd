"""Checkpoints: a run that is killed, interrupted or refused its disk goes on, and ends with the same bits."""

import resource
import signal
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
import resumed_run
import torch
from torch import nn
from training_data import few, lenet, part, timeless

from bnlib.training import LeNet, TrainConfig, TrainingWarning, evaluate, load_model, train
from bnlib.training.checkpoint import Checkpoints, read, write

SCRIPT = Path(resumed_run.__file__)


@pytest.fixture(scope="module")
def data():
    return few()


def start(checkpoint, norm, path="eager"):
    words = [sys.executable, str(SCRIPT), str(checkpoint), norm, path]
    environment = {"PYTHONPATH": f"{SCRIPT.parent}:{SCRIPT.parent.parent}", "OMP_NUM_THREADS": "1", "PATH": ""}
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment)


def result(checkpoint):
    return torch.load(checkpoint.with_suffix(".done"), weights_only=False)


def assert_same(one, other):
    (history, weights, plain), (history_2, weights_2, plain_2) = one, other
    assert timeless(history) == timeless(history_2) and history.scores == history_2.scores
    assert history.path == history_2.path and not history.interrupted
    assert weights.keys() == weights_2.keys()
    assert all(torch.equal(weights[name], weights_2[name]) for name in weights)
    for a, b in zip(plain, plain_2, strict=True):
        assert (a is None and b is None) or torch.equal(a, b)


@pytest.mark.parametrize("norm", ["batch", "lecture"])
def test_killed_again_and_again_it_ends_with_the_same_bits(norm, tmp_path):
    """kill -9 in the first epoch, between two epochs, in a tail batch, and while a checkpoint is being written."""
    whole, broken = tmp_path / "whole.pt", tmp_path / "broken.pt"
    with start(whole, norm) as process:
        lines = process.communicate(timeout=120)[0].splitlines()
        assert process.returncode == 0 and lines[-1] == "epoch 9"
    for last_words in ("step 2", "epoch 3", "step 6"):
        with start(broken, norm) as process:
            for line in process.stdout:
                if line.strip() == last_words:
                    break
            process.kill()
        assert process.returncode == -signal.SIGKILL and not broken.with_suffix(".done").exists()
    with start(broken, norm) as process:
        out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    resumed = out.splitlines()
    assert resumed == lines[-len(resumed) :]  # no step is lost, none is done twice
    assert len(resumed) <= 6  # from step 6, where it was killed, or a little later on a busy machine
    assert_same(result(whole), result(broken))


def test_a_run_whose_numbers_are_numpys_can_be_resumed(data, tmp_path):
    path = tmp_path / "run.pt"
    config = TrainConfig(epochs=np.int64(1), lr=np.logspace(-1, 0, 2)[0], batch_size=np.int32(300), seed=np.uint8(3))
    assert config == TrainConfig(1, 0.1, 300, 3) and repr(config) == repr(TrainConfig(1, 0.1, 300, 3))
    train(lenet(), data, config, device="cpu", checkpoint=path)
    rows = train(lenet(), data, replace(config, epochs=2), device="cpu", checkpoint=path, resume=True).rows
    assert [row.epoch for row in rows] == [1, 2]


def test_a_finished_run_can_be_given_more_epochs(data, tmp_path):
    path = tmp_path / "run.pt"
    at_once = train(lenet(), data, TrainConfig(epochs=3), device="cpu")
    train(lenet(), data, TrainConfig(epochs=2), device="cpu", checkpoint=path)
    longer = train(lenet("batch"), data, TrainConfig(epochs=3), device="cpu", checkpoint=path, resume=True)
    assert timeless(longer) == timeless(at_once)
    again = train(lenet(), data, TrainConfig(epochs=3), device="cpu", checkpoint=path, resume=True)
    assert again.rows == longer.rows  # nothing left to do: the very same history, seconds too


def test_fewer_epochs_than_are_done_are_refused(data, tmp_path):
    """They would end at once, with too many rows, as if by Ctrl-C."""
    path = tmp_path / "run.pt"
    train(lenet(), data, TrainConfig(epochs=2), device="cpu", checkpoint=path)
    with pytest.raises(ValueError, match="in epoch 2 already, and 1 were asked for; ask for at least 2"):
        train(lenet(), data, TrainConfig(epochs=1), device="cpu", checkpoint=path, resume=True)


def test_ctrl_c_waits_for_the_step_saves_and_returns_what_there_is(data, tmp_path, keyboard):
    path = tmp_path / "run.pt"

    def press(moment):
        if moment.step == 5 and moment.kind == "step":
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    history = train(lenet(), data, TrainConfig(epochs=4), device="cpu", callback=press, checkpoint=path)
    assert history.interrupted and len(history.rows) == 1 and read(path)["done"] == 2
    assert signal.getsignal(signal.SIGINT) is before
    rest = train(lenet(), data, TrainConfig(epochs=4), device="cpu", checkpoint=path, resume=True)
    assert not rest.interrupted
    assert timeless(rest) == timeless(train(lenet(), data, TrainConfig(epochs=4), device="cpu"))


def test_a_second_ctrl_c_ends_it_at_once(data, keyboard):
    steps = []

    def press(moment):
        steps.append(moment.step)
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(lenet(), data, TrainConfig(epochs=4), device="cpu", callback=press)
    assert steps == [1]


def test_resuming_from_nothing_is_refused(data):
    with pytest.raises(ValueError, match="needs the file to go on from; name it as checkpoint"):
        train(lenet(), data, TrainConfig(epochs=1), device="cpu", resume=True)


def test_an_existing_checkpoint_is_not_overwritten(data, tmp_path):
    path = tmp_path / "run.pt"
    train(lenet(), data, TrainConfig(epochs=1), device="cpu", checkpoint=path)
    content = path.read_bytes()
    with pytest.raises(FileExistsError, match="exists already; resume from it"):
        train(lenet(), data, TrainConfig(epochs=1), device="cpu", checkpoint=path)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"lr": 0.5}, "lr was 1.0 and is now 0.5"),
        ({"batch_size": 128}, "batch_size was 256 and is now 128"),
        ({"seed": 7}, "seed was 0 and is now 7"),
    ],
)
def test_another_run_is_refused(data, tmp_path, change, expected):
    path = tmp_path / "run.pt"
    config = TrainConfig(epochs=1)
    train(lenet(), data, config, device="cpu", checkpoint=path)
    with pytest.raises(ValueError, match=expected):
        train(lenet(), data, replace(config, **change), device="cpu", checkpoint=path, resume=True)
    with pytest.raises(ValueError, match="examples was 600 and is now 512"):
        train(lenet(), part(data, 512, 200), config, device="cpu", checkpoint=path, resume=True)
    for norm in ("none", "torch"):  # of which the latter has the same names and shapes
        with pytest.raises(ValueError, match=f"norm was 'batch' and is now '{norm}'"):
            train(lenet(norm), data, config, device="cpu", checkpoint=path, resume=True)
    widened = lenet()
    widened.linear3 = nn.Linear(84, 11)
    with pytest.raises(ValueError, match="another model: its names or shapes differ"):
        train(widened, data, config, device="cpu", checkpoint=path, resume=True)


@pytest.mark.parametrize("content", [b"", b"no checkpoint", None])
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path, content, data):
    path = tmp_path / "run.pt"
    if content is None:  # cut short
        write(path, {"norm": "batch", "model": lenet().state_dict(), "plain": {}})
        content = path.read_bytes()[:-2000]
    path.write_bytes(content)
    for load in (read, load_model):
        with pytest.raises(ValueError, match="not a checkpoint of this version of bnlib"):
            load(path)
    with pytest.raises(FileNotFoundError, match="There is no checkpoint"):
        load_model(tmp_path / "nothing.pt")


def test_whatever_is_wrong_in_a_file_it_is_refused_in_a_sentence(tmp_path):
    """Bytes exchanged at random make torch.load raise a dozen types of errors, and warn."""
    path, random = tmp_path / "run.pt", Random(0)
    write(path, {"norm": "batch", "model": lenet().state_dict(), "plain": {}})
    whole = path.read_bytes()
    for pickled in (random.randbytes(10), whole[:1500]):
        for _ in range(150):
            content = bytearray(pickled)
            for _ in range(random.choice((1, 3, 10))):
                content[random.randrange(len(content))] = random.randrange(256)
            path.write_bytes(content)
            with pytest.raises(ValueError, match="not a checkpoint of this version"):
                read(path)
    for content in (b".", b"1\n", b"(lp0\n.", whole[200:]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="not a checkpoint of this version"):
            read(path)


def test_code_in_a_file_is_not_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return print, ("the trap has sprung",)

    path = tmp_path / "trap.pt"
    torch.save({"format": 1, "trap": Trap()}, path)
    with pytest.raises(ValueError, match="not a checkpoint"):
        read(path)


@pytest.mark.parametrize("norm", ["batch", "torch", "lecture", "none"])
def test_the_model_of_a_checkpoint_predicts_as_the_trained_one(data, tmp_path, norm):
    path, model = tmp_path / "run.pt", lenet(norm)
    train(model, data, TrainConfig(epochs=1), device="cpu", checkpoint=path)
    loaded = load_model(path)
    assert isinstance(loaded, LeNet) and loaded.norm == norm and not loaded.training
    with torch.no_grad():
        assert torch.equal(loaded(data.test_images), model(data.test_images))
    assert evaluate(loaded, data.test_images, data.test_labels) == evaluate(model, data.test_images, data.test_labels)


def test_the_model_of_somebody_else_is_not_taken_for_a_lenet(data, tmp_path):
    path = tmp_path / "run.pt"
    linear = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    train(linear, data, TrainConfig(epochs=1, lr=0.1), device="cpu", checkpoint=path)
    with pytest.raises(ValueError, match="not bnlib's LeNet"):
        load_model(path)
    weights = torch.load(path, weights_only=True)["model"]
    assert torch.equal(weights["1.weight"], linear[1].weight)


def test_a_place_that_cannot_be_written_is_reported_once_and_again_at_the_end(data, tmp_path):
    (tmp_path / "file").write_text("in the way of a folder")
    path = tmp_path / "file" / "run.pt"
    with pytest.warns(TrainingWarning) as told:
        history = train(lenet(), data, TrainConfig(epochs=2), device="cpu", checkpoint=path, checkpoint_seconds=0)
    assert len(history.rows) == 2
    now, last = (str(warning.message) for warning in told)
    assert "training goes on" in now and "last checkpoint could not be written" in last and str(path) in last


def test_a_full_disk_leaves_the_older_file_whole(tmp_path):
    """A limit on the size of files stands for the disk: the system refuses to write on, in the middle of the file."""
    path = tmp_path / "run.pt"
    sentences = []
    saver = Checkpoints(path, 0, sentences.append)
    assert saver.save({"model": {"weight": torch.ones(10)}})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        assert not saver.save({"model": {"weight": torch.ones(100_000)}})
        assert not saver.save({"model": {"weight": torch.ones(100_000)}})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert len(sentences) == 1 and "File too large" in sentences[0]
    assert read(path)["model"]["weight"].tolist() == [1] * 10
    assert [file.name for file in tmp_path.iterdir()] == ["run.pt"]
    assert saver.save({"model": {"weight": torch.zeros(10)}})  # there is room again
    assert read(path)["model"]["weight"].tolist() == [0] * 10


def test_drafts_of_a_killed_writer_are_cleared_away(tmp_path):
    (tmp_path / ".run.pt.123.draft").write_bytes(b"half")
    (tmp_path / ".run[1].pt.123.draft").write_bytes(b"half")
    kept = {".other.pt.123.draft", ".run.pt.old.123.draft", ".run.pt.7.draft"}
    for name in kept - {".run.pt.7.draft"}:
        (tmp_path / name).write_bytes(b"not ours")
    (tmp_path / ".run.pt.7.draft").mkdir()  # stands for whatever the system doesn't let go
    for name in ("run.pt", "run[1].pt"):
        Checkpoints(tmp_path / name, 10, print)
    assert {file.name for file in tmp_path.iterdir()} == kept


def test_another_number_of_threads_is_told(data, tmp_path):
    path = tmp_path / "run.pt"
    train(lenet(), data, TrainConfig(epochs=1), device="cpu", checkpoint=path)
    write(path, {**read(path), "threads": 64})
    with pytest.warns(TrainingWarning, match="written on 64 threads, and now there are"):
        train(lenet(), data, TrainConfig(epochs=2), device="cpu", checkpoint=path, resume=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(lenet(), data, TrainConfig(epochs=3), device="cpu", checkpoint=path, resume=True)
