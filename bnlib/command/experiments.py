"""python -m bnlib data and lab: what the course's experiments need, and the experiments."""

import argparse

from bnlib.language import message


def data(args: argparse.Namespace) -> None:
    """Fetch Fashion-MNIST and say where it is."""
    from bnlib.training.fashion_mnist import fetch

    print(fetch(verbose=True))


def lab(args: argparse.Namespace) -> None:
    """Repeat an experiment, or list them."""
    from bnlib import lab

    if args.name is None:
        print(message("command.experiments", names=", ".join(lab.EXPERIMENTS)))
    else:
        print(message("command.written", path=lab.run(args.name, quick=args.quick, subset=args.subset)))
