"""Train one network on several devices: processes of this machine, one thread each, that talk over gloo.

Each is a program of its own, so that it starts alike from a notebook, a script or a worker of joblib; none outlives the
call, however it ends. Every device holds its part of each batch; batch normalization in the network is made
synchronized, so that what the devices compute together is what one would on the whole batch.
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn

from bnlib.lab.fitting import Fit, fit
from bnlib.language import message
from bnlib.norm import SyncBatchNorm
from bnlib.training import FashionMNIST, TrainConfig
from bnlib.training.threads import threads

PATIENCE = timedelta(minutes=5)  # for one message, and to begin with for all to be there
TOGETHER = 1800.0  # seconds for the whole run


class DeviceError(RuntimeError):
    """A device failed or took too long; the message holds what it said."""


def fit_on_devices(model: nn.Module, data: FashionMNIST, config: TrainConfig, devices: int) -> Fit:
    """Train as `fit` does, on `devices` processes with synchronized batch normalization.

    Args:
        model: its weights and statistics are changed in place; its layers stay as they are.
        config: batch_size counts the images of all devices together.

    Raises:
        DeviceError: a process failed, or they took longer than half an hour together.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        names = ("train_images", "train_labels", "test_images", "test_labels")
        own = replace(data, **{name: getattr(data, name).clone() for name in names})  # a slice's file would hold it all
        torch.save((model, own, config), place / "start.pt")
        _run(place, devices)
        found, weights = torch.load(place / "end.pt", weights_only=False)
    model.load_state_dict(weights)
    return found


def work(folder: Path, rank: int, devices: int) -> None:
    """What one device does; the first one writes what came of it."""
    model, data, config = torch.load(folder / "start.pt", weights_only=False)
    meeting = f"file://{folder / 'meeting'}"
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=devices, timeout=PATIENCE)
    try:
        with threads(1):
            found = fit(SyncBatchNorm.convert_sync_batchnorm(model), data, config)
    finally:
        dist.destroy_process_group()
    if rank == 0:
        torch.save((found, model.state_dict()), folder / "end.pt")


def _start(folder: Path, rank: int, devices: int) -> subprocess.Popen:
    words = [sys.executable, "-m", __name__, str(folder), str(rank), str(devices)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with open(folder / f"{rank}.said", "wb") as said:
        return subprocess.Popen(words, stdout=said, stderr=said, stdin=subprocess.DEVNULL, env=environment)


def _run(folder: Path, devices: int) -> None:
    """Start them all, wait for them, and let none outlive the first that fails."""
    deadline, processes = time.monotonic() + TOGETHER, []
    try:
        for rank in range(devices):
            processes.append(_start(folder, rank, devices))
        while any(process.poll() is None for process in processes):
            failed = [rank for rank, process in enumerate(processes) if process.poll()]
            if failed or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        for rank, process in enumerate(processes):
            if process.poll():
                said = (folder / f"{rank}.said").read_text(encoding="utf-8", errors="replace")
                raise DeviceError(message("lab.device_failed", rank=rank, status=process.returncode, said=said))
        if any(process.poll() is None for process in processes):
            raise DeviceError(message("lab.devices_late", seconds=TOGETHER))
    finally:
        for process in processes:
            process.kill()
            process.wait()


if __name__ == "__main__":
    work(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
