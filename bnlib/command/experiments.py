"""python -m bnlib data and lab: what the course's experiments need, and the experiments."""

import argparse

from bnlib.language import message


def data(args: argparse.Namespace) -> None:
    """Fetch Fashion-MNIST and say where it is."""
    from bnlib.training.fashion_mnist import fetch

    print(fetch(verbose=True))


def lab(args: argparse.Namespace) -> None:
    """Repeat an experiment, or all of them, or list them.

    Raises:
        ValueError: a name and --all.
    """
    from bnlib import lab

    if args.all and args.name is not None:
        raise ValueError(message("command.name_and_all", name=args.name))
    names = list(lab.EXPERIMENTS) if args.all else [args.name]
    if names == [None]:
        print(message("command.experiments", names=", ".join(lab.EXPERIMENTS)))
        return
    for name in names:
        path = lab.run(name, quick=args.quick, subset=args.subset, workers=args.workers)
        print(message("command.written", path=path))
