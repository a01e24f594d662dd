"""How long does training LeNet take with d2l's loop, and how long with ours on each of its paths?

Every contender runs in a process of its own, one after the other, round after round, so that whatever else the machine
does hits all of them alike. All train the same LeNet with batch normalization: SGD, Xavier, seed 0.
"""

import contextlib
import io
import json
import os
import re
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial

import torch

from bnlib.lab.parts import Part, Rows, grid
from bnlib.language import message
from bnlib.training import FashionMNIST, LeNet, TrainConfig, fashion_mnist, train

CONTENDERS = {  # name: LeNet's normalization, and who trains, or on which path
    "d2l, lecture's BN": ("lecture", "d2l"),
    "d2l, nn.BatchNorm": ("torch", "d2l"),
    "bnlib, lecture's BN": ("lecture", "eager"),
    "bnlib, nn.BatchNorm": ("torch", "eager"),
    "bnlib": ("batch", "eager"),
    "bnlib, compiled": ("batch", "compiled"),
    "bnlib, C++ loops": ("batch", "kernels"),
    "bnlib, CUDA graph": ("batch", "graph"),
}
ONLY_ON = {"bnlib, C++ loops": "cpu", "bnlib, CUDA graph": "cuda"}


@dataclass(frozen=True)
class Config:
    """batch_size and lr as in the lecture; epochs enough to tell the first one, which may compile, from the others."""

    contenders: tuple[str, ...] = tuple(CONTENDERS)
    rounds: int = 3
    epochs: int = 3
    batch_size: int = 256
    lr: float = 1.0


FULL = Config()
QUICK = Config(contenders=("d2l, nn.BatchNorm", "bnlib", "bnlib, C++ loops"), rounds=1, epochs=1)


class ContenderError(RuntimeError):
    """A contender's process failed; the message holds what it said."""


ALONE = True  # whatever else runs on the machine would be measured with it


def parts(config: Config) -> list[Part]:
    """Round after round, every contender once."""
    return grid(round=range(config.rounds), contender=config.contenders)


def measure(part: Part, data: FashionMNIST, config: Config) -> Rows:
    """Let one contender train, if it fits the data's device.

    Returns:
        One row, or none: loading, the seconds until the data can be used; training, those of all epochs with their
        test scoring and whatever is compiled; epoch, those of one epoch once everything is compiled (for d2l, which
        compiles nothing, the mean); path, the one taken; train_accuracy, test_accuracy.

    Raises:
        ContenderError: its process failed.
    """
    name, device = part["contender"], data.train_labels.device.type
    if ONLY_ON.get(name, device) != device:
        return []
    return [_in_a_process(name, config, device, data.name != "fashion-mnist")]


def _in_a_process(name: str, config: Config, device: str, subset: bool) -> dict:
    words = [sys.executable, "-m", __name__, name, json.dumps(asdict(config)), device, json.dumps(subset)]
    environment = {**os.environ, "MPLBACKEND": "Agg", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise ContenderError(message("lab.contender_failed", name=name, status=done.returncode, said=done.stderr))
    return json.loads(done.stdout.splitlines()[-1])


def compete(name: str, config: Config, device: str, subset: bool) -> dict[str, float | str]:
    """One contender's run, in this process; a row of the table."""
    wait: Callable[[], None] = torch.cuda.synchronize if device == "cuda" else lambda: None
    norm, path = CONTENDERS[name]
    torch.manual_seed(0)
    if path == "d2l":  # imported before the clock starts, as torch and bnlib are
        load = partial(_d2l().load_data_fashion_mnist, config.batch_size)
    else:
        load = partial(fashion_mnist, device)
    start = time.perf_counter()
    data = load(subset=subset)
    wait()
    loaded = time.perf_counter()
    found = (_by_d2l if path == "d2l" else _by_bnlib)(norm, path, data, config, torch.device(device))
    wait()
    seconds = time.perf_counter() - loaded
    return {"loading": loaded - start, "training": seconds, "epoch": seconds / config.epochs, **found}


def _d2l():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of d2l's imports, which are not what is measured
        from bnlib.d2l import d2l
    return d2l


def _by_d2l(norm: str, path: str, data, config: Config, device: torch.device) -> dict[str, float | str]:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its drawing
        _d2l().train_ch6(LeNet(norm), *data, config.epochs, config.lr, device)
    numbers = re.search(r"train acc ([\d.]+), test acc ([\d.]+)", said.getvalue())
    return {"path": path, "train_accuracy": float(numbers[1]), "test_accuracy": float(numbers[2])}


def _by_bnlib(norm: str, path: str, data, config: Config, device: torch.device) -> dict[str, float | str]:
    plan = TrainConfig(config.epochs, config.lr, config.batch_size, path=path)
    history = train(LeNet(norm), data, plan, device=device, progress=False)
    last = history.rows[-1]
    found = {"path": history.path, "train_accuracy": last.train_accuracy, "test_accuracy": last.test_accuracy}
    later = [row.seconds for row in history.rows[1:]]
    return {**found, "epoch": statistics.median(later)} if later else found


if __name__ == "__main__":
    chosen, config, device, subset = sys.argv[1:]
    print(json.dumps(compete(chosen, Config(**json.loads(config)), device, json.loads(subset))))
