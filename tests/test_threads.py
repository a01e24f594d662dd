"""Threads: no more than the process may use, and the number as it was afterwards."""

import os
import subprocess
import sys

import pytest
import torch
from training_data import few, lenet

from bnlib.training.threads import fastest_threads, threads, usable_cores


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process to cores")
def test_a_process_bound_to_one_core_uses_one_thread():
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from bnlib.training.threads import usable_cores; print(usable_cores())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


def test_usable_cores_are_some_and_not_more_than_there_are():
    assert 1 <= usable_cores() <= os.cpu_count()


def test_the_fastest_is_one_of_the_two_and_measuring_changes_nothing():
    model, before = lenet(), torch.get_num_threads()
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert fastest_threads(model, few()) in (1, min(before, usable_cores()))
    assert torch.get_num_threads() == before
    assert all(torch.equal(weights[name], tensor) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_no_more_threads_are_taken_than_torch_was_told():
    with threads(1):
        assert fastest_threads(lenet(), few()) == 1


def test_the_number_is_given_back_after_an_error():
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), threads(before + 1):
        assert torch.get_num_threads() == before + 1
        _ = 1 / 0
    assert torch.get_num_threads() == before
    with threads(None):
        assert torch.get_num_threads() == before
