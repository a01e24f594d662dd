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
    if args.name is None and not args.all:
        print(message("command.experiments", names=", ".join(lab.EXPERIMENTS)))
        return
    how = {"quick": args.quick, "subset": args.subset, "workers": args.workers}
    for path in lab.run_all(**how) if args.all else [lab.run(args.name, **how)]:
        print(message("command.written", path=path))
