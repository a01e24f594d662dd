"""Several real processes over gloo, started by torchrun: equal to one process on the joined batch."""

import os
import subprocess
import sys
from pathlib import Path

import distributed_run
import pytest
import torch
from training_data import few, lenet, part, timeless

from bnlib.training import LeNet, TrainConfig, load_model, train
from bnlib.training.distributed import World
from bnlib.training.trainer import check

SCRIPT = Path(distributed_run.__file__)


def torchrun(processes, *words, module=False, dies=False):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    path = os.pathsep.join([str(SCRIPT.parent), str(SCRIPT.parent.parent)])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    command += ["-m", *words] if module else list(words)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert dies == (done.returncode != 0), done.stderr[-3000:]
    return done


@pytest.mark.parametrize(("processes", "norm"), [(2, "batch"), (3, "batch"), (2, "torch"), (3, "none")])
def test_equal_to_one_process_on_the_joined_batch(processes, norm, tmp_path):
    """Parts of 100 and 99, of 67, 66, 66, and of a tail of 3."""
    torchrun(processes, str(SCRIPT), str(tmp_path), norm, "1")
    model = lenet(norm)
    alone = train(model, few(), distributed_run.CONFIG, device="cpu", progress=False)
    for rank in range(processes):
        history, weights = torch.load(tmp_path / f"{rank}.done", weights_only=False)
        for row, expected in zip(history.rows, alone.rows, strict=True):
            assert row.loss == pytest.approx(expected.loss, rel=1e-4)
            assert row.train_accuracy == pytest.approx(expected.train_accuracy, abs=0.01)
        for name, tensor in model.state_dict().items():
            torch.testing.assert_close(
                weights[name], tensor, rtol=2e-3, atol=2e-4, msg=lambda m, name=name: f"{name}: {m}"
            )


@pytest.mark.parametrize("synchronized", ["1", "0"])
def test_killed_in_the_middle_of_an_epoch_it_ends_with_the_same_bits(synchronized, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for folder in (whole, broken):
        folder.mkdir()
    torchrun(2, str(SCRIPT), str(whole), "batch", synchronized)
    torchrun(2, str(SCRIPT), str(broken), "batch", synchronized, "6", dies=True)
    assert not (broken / "0.done").exists()
    torchrun(2, str(SCRIPT), str(broken), "batch", synchronized)
    for rank in range(2):
        (history, weights), (history_2, weights_2) = (
            torch.load(folder / f"{rank}.done", weights_only=False) for folder in (whole, broken)
        )
        assert timeless(history) == timeless(history_2)
        assert all(torch.equal(tensor, weights_2[name]) for name, tensor in weights.items())


def test_divergence_is_told_alike_by_all(tmp_path):
    """Each part of a batch has a loss of its own; what is told is the loss of the whole batch."""
    words = ("bnlib", "train", "--subset", "--norm", "none", "--epochs", "1", "--device", "cpu", "--lr", "1e5")
    done = torchrun(2, *words, module=True, dies=True)
    told = {line for line in done.stderr.splitlines() if line.startswith("The loss is")}
    assert len(told) == 1 and "at learning rate 100000" in told.pop()


def test_local_statistics_are_another_run_but_the_weights_agree_between_ranks(tmp_path):
    torchrun(2, str(SCRIPT), str(tmp_path), "batch", "0")
    runs = [torch.load(tmp_path / f"{rank}.done", weights_only=False) for rank in range(2)]
    for name, parameter in lenet().named_parameters():
        assert torch.equal(runs[0][1][name], runs[1][1][name]) and parameter.shape == runs[0][1][name].shape
    assert [row.loss for row in runs[0][0].rows] == [row.loss for row in runs[1][0].rows]
    together = train(lenet(), part(few(), 597, 200), distributed_run.CONFIG, device="cpu", progress=False)
    assert runs[0][0].rows[-1].loss != pytest.approx(together.rows[-1].loss, rel=1e-4)


def test_a_part_of_one_is_refused_where_statistics_are_local():
    with pytest.raises(ValueError, match="leaves one of the 600 examples alone"):
        check(
            LeNet("batch"), few(), TrainConfig(batch_size=199), World(0, 2), torch.device("cpu")
        )  # a tail of 3: 2 and 1
    check(LeNet("none"), few(), TrainConfig(batch_size=199), World(0, 2), torch.device("cpu"))


def test_parts_make_up_the_batch():
    batch = torch.arange(7)
    for size in (1, 2, 3, 9):
        parts = [World(rank, size).part(batch) for rank in range(size)]
        assert torch.equal(torch.cat(parts), batch) and max(map(len, parts)) - min(map(len, parts)) <= 1
    assert World.here() == World() and World().leads


@pytest.mark.parametrize("options", [(), ("--local-statistics",)], ids=str)
def test_the_command_line_under_torchrun_speaks_once(options, tmp_path):
    checkpoint = tmp_path / "run.pt"
    words = ("bnlib", "train", "--subset", "--epochs", "1", "--batch-size", "600", "--device", "cpu")
    done = torchrun(2, *words, "--checkpoint", str(checkpoint), *options, module=True)
    lines = done.stdout.splitlines()
    assert sum(line.startswith("epoch 1: loss") for line in lines) == 1 and len(lines) == 5
    assert not load_model(checkpoint).training
