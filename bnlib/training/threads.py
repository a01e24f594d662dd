"""How many threads to compute on: not more than this process may use, and fewer where others use the machine."""

import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from bnlib.training.fashion_mnist import FashionMNIST


def usable_cores() -> int:
    """The cores this process may use: those it is bound to, and not more than its container's share of time."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    share = _container_share()
    return bound if share is None else max(1, min(bound, int(share)))


def fastest_threads(model: nn.Module, data: FashionMNIST) -> int:
    """One thread or all usable ones, whichever takes a step of training sooner at the moment.

    All are those of `usable_cores`, or fewer where torch has been told so, by OMP_NUM_THREADS for example.
    On a busy machine two threads that wait for each other can be several times slower than one. The steps are taken
    on a copy of the model with 256 images, alternately with the one number and the other, and the medians are compared;
    that takes about half a second for LeNet.
    """
    most = min(usable_cores(), torch.get_num_threads())
    if most == 1:
        return 1
    model, x, y = deepcopy(model).train(), data.train_images[:256], data.train_labels[:256]
    took: dict[int, list[float]] = {1: [], most: []}
    for _ in range(6):
        for number, times in took.items():
            with threads(number):
                start = time.perf_counter()
                F.cross_entropy(model(x), y).backward()
                times.append(time.perf_counter() - start)
    return min(took, key=lambda number: statistics.median(took[number][1:]))  # the first round starts the threads


@contextmanager
def threads(number: int | None) -> Iterator[None]:
    """torch on this many threads while the context lasts; None leaves the number as it is."""
    before = torch.get_num_threads()
    if number is not None:
        torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _container_share() -> float | None:
    """Cores' worth of time that a control group grants, of version 2 or 1; None without a limit."""
    root = Path("/sys/fs/cgroup")
    try:
        quota, period = (root / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (root / "cpu/cpu.cfs_quota_us").read_text().strip()
            period = (root / "cpu/cpu.cfs_period_us").read_text()
        except OSError:
            return None
    return None if quota in ("max", "-1") else int(quota) / int(period)
