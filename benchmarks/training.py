"""Training LeNet side by side: d2l.train_ch6 as it is, and bnlib.train on each of its paths.

    python benchmarks/training.py [--epochs 2] [--rounds 3] [--device cpu]

Every contender runs in a process of its own, one after the other, round after round, so that whatever else the machine
does hits all of them alike. All train the same LeNet with batch normalization on the whole of Fashion-MNIST: batch 256,
SGD, learning rate 1.0, Xavier, seed 0. "loading" is the time until the data can be used, "epoch" the wall time of an
epoch, its test scoring included, and what comes before the first one (compiling, capturing) shared among all; medians
over the rounds. The ratios compare loading and all epochs together.
"""

import argparse
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
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from machine import machine  # noqa: E402

from bnlib.training import LeNet, TrainConfig, choose_device, fashion_mnist, train  # noqa: E402 - of this checkout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=2, help="of each run (default: 2)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each contender (default: 3)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    parser.add_argument("--run", choices=CONTENDERS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.run:
        print(json.dumps(_one_run(args.run, args.epochs, args.device)))
        return
    device = choose_device(args.device)
    print(machine(device), f"{args.epochs} epochs, medians of {args.rounds} interleaved rounds", sep="; ", flush=True)
    names = [name for name in CONTENDERS if not name.endswith("graph") or device.type == "cuda"]
    names = [name for name in names if not name.endswith("loops") or device.type == "cpu"]
    found: dict[str, list[dict]] = {name: [] for name in names}
    for _ in range(args.rounds):
        for name in names:
            found[name].append(_in_a_process(name, args.epochs, args.device))
    _print(found)


def _in_a_process(name: str, epochs: int, device: str) -> dict:
    words = [sys.executable, __file__, "--run", name, "--epochs", str(epochs), "--device", device]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, "MPLBACKEND": "Agg"})
    if done.returncode:
        raise RuntimeError(f"{name} ended with status {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def _print(found: dict[str, list[dict]]) -> None:
    middle = {
        name: {key: statistics.median(run[key] for run in runs) for key in ("loading", "epoch", "whole")}
        for name, runs in found.items()
    }
    print(f"{'':34}{'loading':>10}{'epoch':>10}{'x lecture':>11}{'x torch':>9}{'train':>8}{'test':>7}")
    for name, times in middle.items():
        ratios = [middle[other]["whole"] / times["whole"] for other in ("d2l, lecture's BN", "d2l, nn.BatchNorm")]
        last = found[name][-1]
        print(
            f"{name:34}{times['loading']:9.2f}s{times['epoch']:9.2f}s{ratios[0]:11.2f}{ratios[1]:9.2f}"
            f"{last['train']:8.3f}{last['test']:7.3f}"
        )


def _one_run(name: str, epochs: int, device: str) -> dict:
    device = choose_device(device)
    wait: Callable[[], None] = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    norm, path = CONTENDERS[name]
    torch.manual_seed(0)
    start = time.perf_counter()
    data = _d2l_data() if path == "d2l" else fashion_mnist(device, subset=False)
    wait()
    loaded = time.perf_counter()
    accuracies = _by_d2l(norm, data, epochs, device) if path == "d2l" else _by_bnlib(norm, path, data, epochs, device)
    wait()
    end = time.perf_counter()
    whole = end - start
    return {"loading": loaded - start, "epoch": (end - loaded) / epochs, "whole": whole, **accuracies}


def _d2l_data():
    return _d2l().load_data_fashion_mnist(256)


def _d2l():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of d2l's imports, which are not what is measured
        from bnlib.d2l import d2l
    return d2l


def _by_d2l(norm: str, data, epochs: int, device: torch.device) -> dict[str, float]:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its drawing
        _d2l().train_ch6(LeNet(norm), *data, epochs, 1.0, device)
    numbers = re.search(r"train acc ([\d.]+), test acc ([\d.]+)", said.getvalue())
    return {"train": float(numbers[1]), "test": float(numbers[2])}


def _by_bnlib(norm: str, path: str, data, epochs: int, device: torch.device) -> dict[str, float]:
    history = train(LeNet(norm), data, TrainConfig(epochs, path=path), device=device, progress=False)
    return {"train": history.rows[-1].train_accuracy, "test": history.rows[-1].test_accuracy}


CONTENDERS = {  # name: LeNet's normalization, and who trains, or on which path
    "d2l, lecture's BN": ("lecture", "d2l"),
    "d2l, nn.BatchNorm": ("torch", "d2l"),
    "bnlib, lecture's BN, eager": ("lecture", "eager"),
    "bnlib, nn.BatchNorm, eager": ("torch", "eager"),
    "bnlib, eager": ("batch", "eager"),
    "bnlib, compiled": ("batch", "compiled"),
    "bnlib, C++ loops": ("batch", "kernels"),
    "bnlib, CUDA graph": ("batch", "graph"),
}

if __name__ == "__main__":
    main()
