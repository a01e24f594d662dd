"""LeNet on several real processes, as an experiment starts them: the same as one process on the whole batch."""

import os

import pytest
import torch
import torch.distributed as dist
from joblib import Parallel, delayed, parallel_config
from torch import nn
from training_data import few, part

from bnlib.lab import devices
from bnlib.lab.fitting import fit
from bnlib.lab.networks import batch, lenet
from bnlib.training import TrainConfig

PLAN = TrainConfig(epochs=1, lr=0.05, batch_size=100, seed=3)  # of 500 examples: five steps of 50 on each of two


def network():
    torch.manual_seed(2)
    return lenet(batch(), "relu")


def on_two(data):
    model = network()
    found = devices.fit_on_devices(model, data, PLAN, 2)
    return found.rows, model.state_dict()


@pytest.mark.parametrize("within", ["this process", "a worker of joblib"])
def test_equal_to_one_on_the_whole_batch(within):
    data = part(few(), 500, 200)
    if within == "this process":
        rows, weights = on_two(data)
    else:
        with parallel_config(backend="loky", inner_max_num_threads=1):
            ((rows, weights), (again, _)) = Parallel(2)(delayed(on_two)(data) for _ in range(2))
        assert rows == again  # and the same numbers again
    model = network()
    alone = fit(model, data, PLAN)
    assert rows[0]["loss"] == pytest.approx(alone.rows[0]["loss"], rel=1e-5)
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(weights[name], tensor, rtol=1e-3, atol=1e-4, msg=lambda m, name=name: f"{name}: {m}")


class DiesOnTheSecond(nn.Module):
    """A network that ends the second device in the middle of a step, while the first waits for its message."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(28 * 28, 10)

    def forward(self, images):
        if dist.is_initialized() and dist.get_rank() == 1:
            print("the second device is gone", flush=True)
            os._exit(3)
        return self.linear(images.flatten(1))


@pytest.fixture
def started(monkeypatch):
    """The processes, as they are started."""
    found, start = [], devices._start
    monkeypatch.setattr(devices, "_start", lambda *words: found.append(start(*words)) or found[-1])
    return found


def test_one_that_fails_ends_the_others_and_says_why(started):
    with pytest.raises(devices.DeviceError, match="(?s)^Device 1 ended with status 3:.*the second device is gone"):
        devices.fit_on_devices(DiesOnTheSecond(), part(few(), 500, 200), PLAN, 2)
    assert len(started) == 2 and all(process.poll() is not None for process in started)


def test_late_ones_are_stopped(started, monkeypatch):
    monkeypatch.setattr(devices, "TOGETHER", 0.5)  # python alone takes longer to come up
    with pytest.raises(devices.DeviceError, match=r"not finished within 0\.5 seconds"):
        on_two(part(few(), 500, 200))
    assert all(process.poll() is not None for process in started)
