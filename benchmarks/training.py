"""Training LeNet side by side: d2l.train_ch6 as it is, and bnlib.train on each of its paths.

    python benchmarks/training.py [--epochs 3] [--rounds 3] [--device cpu]

Contenders and way of measuring are those of bnlib/lab/training_speed.py, whose recorded result chapter 04 shows;
this prints a fresh one. The ratios compare loading and all epochs together, medians over the rounds.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from machine import machine  # noqa: E402

from bnlib.lab import training_speed  # noqa: E402 - of this checkout
from bnlib.training import choose_device, fashion_mnist  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=3, help="of each run (default: 3)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each contender (default: 3)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    args = parser.parse_args()
    device = choose_device(args.device)
    config = replace(training_speed.FULL, epochs=args.epochs, rounds=args.rounds)
    print(machine(device), f"{args.epochs} epochs, medians of {args.rounds} interleaved rounds", sep="; ", flush=True)
    table = training_speed.measure(fashion_mnist(device, subset=False), config)
    table["whole"] = table["loading"] + table["training"]
    middle = table.drop(columns="path").groupby("contender", sort=False).median().drop(columns="round")
    for other in ("d2l, lecture's BN", "d2l, nn.BatchNorm"):
        middle[f"x {other}"] = middle.loc[other, "whole"] / middle["whole"]
    print(middle.round(3).to_string())


if __name__ == "__main__":
    main()
