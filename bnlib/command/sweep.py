"""python -m bnlib sweep."""

import argparse
from typing import TYPE_CHECKING

from bnlib.command.training import check_writable
from bnlib.language import message

if TYPE_CHECKING:
    import pandas as pd

END = ["epoch", "loss", "train_accuracy", "test_accuracy", "diverged_step"]


def sweep(args: argparse.Namespace) -> None:
    """Train every combination of the values given, print where each run ended, and keep what was asked for."""
    from bnlib.training import SweepError, fashion_mnist, sweep
    from bnlib.training.many.grid import NAMES, expand

    grid = {name: getattr(args, name) for name in NAMES if getattr(args, name) is not None}
    names, _ = expand(grid)  # refused before the data is fetched
    if args.table is not None:
        check_writable(args.table)
    error = None
    try:
        data = fashion_mnist(subset=args.subset)
        table = sweep(grid, data, folder=args.folder, workers=args.workers, device=args.device)
    except SweepError as failed:
        table, error = failed.table, failed
    _tell(args, table, names)
    if error is not None:
        raise error


def _tell(args: argparse.Namespace, table: "pd.DataFrame", names: list[str]) -> None:
    from bnlib.training.history import replace_file

    names = ["path_asked" if name == "path" else name for name in names]
    last = table.groupby(names, sort=False).tail(1)[[*names, *END]]
    steps = last["diverged_step"]
    last = last.assign(diverged_step=steps.astype(object).where(steps.notna(), "-"))  # na_rep is for floats alone
    if len(last):
        print(last.to_string(index=False, float_format="{:.4g}".format, na_rep="-"))
    if args.table is not None:
        text = table.to_csv(index=False, lineterminator="\n")
        print(message("command.written", path=replace_file(args.table, text)))
