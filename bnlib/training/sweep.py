"""Many runs: over learning rates, seeds, normalizations, whatever a configuration names; one table in the end.

On a CPU every run is one process on one thread: LeNet is so small that two threads spend more time waiting for each
other than they save, while two runs side by side take hardly longer than one.
"""

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from bnlib.language import message
from bnlib.training.device import choose_device
from bnlib.training.distributed import World
from bnlib.training.fashion_mnist import FashionMNIST, fashion_mnist
from bnlib.training.kernels import reason_against
from bnlib.training.lenet import LeNet
from bnlib.training.many.grid import Grid, Plan, expand
from bnlib.training.many.outcome import Failure, Outcome, columns, rows
from bnlib.training.many.pool import Pool
from bnlib.training.many.results import Results
from bnlib.training.many.together import side_by_side
from bnlib.training.progress import in_notebook, is_watched, tqdm
from bnlib.training.threads import usable_cores
from bnlib.training.trainer import check

if TYPE_CHECKING:  # pandas is imported when a table is made
    import pandas as pd


class SweepWarning(UserWarning):
    """The sweep goes on, but a run failed, a file was not used or not written, or a worker had something to say."""


class SweepError(RuntimeError):
    """Runs failed; the others are done.

    table: as `sweep` would have returned it, without the failed runs.
    failures: the reason of each, by the run in words.
    """

    def __init__(self, table: "pd.DataFrame", failures: dict[str, str]) -> None:
        self.table, self.failures = table, failures
        super().__init__(message("sweep.failed", number=len(failures), runs=message("sweep.between").join(failures)))


def sweep(
    grid: Grid,
    data: FashionMNIST | None = None,
    *,
    folder: str | Path | None = None,
    workers: int | None = None,
    device: str | torch.device | None = None,
    progress: bool | None = None,
) -> "pd.DataFrame":
    """Train LeNet once for each combination of a grid; equal to `torch.manual_seed(seed)`, `LeNet(norm)` and `train`.

    On a CPU the runs are spread over processes, and each is the same to the last bit as by hand on one thread. Where a
    C++ compiler is present they take the path "kernels", unless the grid names another one. Ctrl-C ends the processes
    at once; what was finished is in the folder. On a GPU several runs are trained side by side in this process, each
    with the arithmetic it has alone; seconds are then those of an epoch of all of them.

    Args:
        grid: names with a value or several, such as {"norm": ["none", "batch"], "lr": [0.1, 1.0], "epochs": 2}: any
            field of `TrainConfig`, and norm as in `LeNet`. Or a sequence of such grids.
        data: None for Fashion-MNIST, as `fashion_mnist()` finds it.
        folder: keeps a small file for each finished run, with the scores if `score_every` asked for them. Called
            again, only what is missing is run, and runs of other grids in the folder are left alone. None writes
            nothing.
        workers: processes on a CPU; None for one on each core this process may use.
        device: as in `choose_device`: None takes the fastest there is.
        progress: True, False, or None to show a bar in terminals and notebooks only.

    Returns:
        One row per run and epoch, in the grid's order: what the grid names, epoch, loss, train_accuracy,
        test_accuracy, seconds, path (the one taken), data, diverged_step. A run that diverged keeps its finished
        epochs, or has one row without numbers; diverged_step, counted over the whole run, is missing for the others.

    Raises:
        ValueError, TypeError: a grid or a run that can't be, before anything starts.
        OSError: the folder can't be made or written, before anything starts.
        SweepError: in the end, where runs failed (in processes, twice): by an exception, or because the process died.
        WorkerError: a RuntimeError: no process can be started.
    """
    import pandas  # noqa: F401 - rather missed now than after the last run

    device = choose_device(device)
    names, plans = expand(grid)
    plans = _on_the_loops(plans) if device.type == "cpu" and "path" not in names else plans
    if workers is not None and (not isinstance(workers, Integral) or workers < 1):
        raise ValueError(message("training.not_whole", name="workers", value=workers, least=1))
    data = fashion_mnist() if data is None else data
    _check_all(plans, data, device)
    results = None if folder is None else Results(folder, data, device, _warn)
    found: dict[Plan, Outcome | Failure] = {} if results is None else dict(results.find(plans))
    missing = [plan for plan in plans if plan not in found]
    with _bar(plans, missing, len(data.train_labels), progress) as bar:
        with _outcomes(missing, data, device, workers or usable_cores(), bar.advance) as outcomes:
            for plan, outcome in outcomes:
                found[plan] = outcome
                bar.finish(plan)
                if isinstance(outcome, Failure):
                    _warn(message("sweep.failed_run", run=plan.words(names), reason=outcome.reason), level=3)
                elif results is not None:
                    results.save(plan, outcome)
    return _table(names, plans, found)


@contextmanager
def _outcomes(
    plans: Sequence[Plan], data: FashionMNIST, device: torch.device, workers: int, advance: Callable[[Plan, int], None]
) -> Iterator[Iterator[tuple[Plan, Outcome | Failure]]]:
    """Each run with what came of it, in whatever order they finish; leaving the context ends what still runs."""
    if not plans:
        yield iter(())
    elif device.type == "cpu":
        with Pool(plans, data, workers, advance, _warn) as pool:
            yield iter(pool)
    else:
        with closing(side_by_side(plans, data, device, advance, _warn)) as outcomes:
            yield outcomes


class _Bar:
    """A bar over the examples of all runs, with the number of finished runs."""

    def __init__(self, bar: tqdm, runs: int, finished: int, totals: dict[Plan, int]) -> None:
        self.bar, self.runs, self.finished, self.totals = bar, runs, finished, totals
        self.counted = dict.fromkeys(totals, 0)
        self._name()

    def advance(self, plan: Plan, examples: int) -> None:
        self.counted[plan] += examples
        self.bar.update(examples)

    def finish(self, plan: Plan) -> None:
        """Count a run as done, also one that diverged early."""
        self.advance(plan, self.totals[plan] - self.counted[plan])
        self.finished += 1
        self._name()

    def _name(self) -> None:
        self.bar.set_description_str(message("sweep.runs", finished=self.finished, runs=self.runs))


@contextmanager
def _bar(plans: Sequence[Plan], missing: Sequence[Plan], examples: int, shown: bool | None) -> Iterator[_Bar]:
    totals = {plan: plan.config.epochs * examples for plan in plans}
    finished = len(plans) - len(missing)
    done = message("training.bar_done", done="{n_fmt}", total="{total_fmt}")
    left = message("training.bar_left", time="{remaining}")
    numbers = message("training.comma").join([done, left, "{rate_noinv_fmt}"])
    with tqdm(
        total=sum(totals.values()),
        initial=sum(totals.values()) - sum(totals[plan] for plan in missing),
        disable=not (is_watched() if shown is None else shown),
        bar_format="{desc} {percentage:3.0f}%|{bar}| " + numbers,
        file=sys.stdout if in_notebook() else sys.stderr,  # as for a single run
        unit="",
        unit_scale=True,
        dynamic_ncols=True,
        smoothing=0,  # the mean speed: what several processes report comes in bursts
    ) as bar:
        yield _Bar(bar, len(plans), finished, totals)


def _on_the_loops(plans: Sequence[Plan]) -> list[Plan]:
    """The runs with LeNet's C++ loops as their path where these fit; one sentence where they don't."""
    with torch.random.fork_rng([]):
        reasons = {norm: reason_against(LeNet(norm)) for norm in dict.fromkeys(plan.norm for plan in plans)}
    for sentence in dict.fromkeys(filter(None, reasons.values())):
        _warn(sentence + message("training.instead_eager"), level=4)
    fit = [reasons[plan.norm] is None and plan.config.precision == "float32" for plan in plans]
    return [
        replace(plan, config=replace(plan.config, path="kernels" if fits else "eager"))
        for plan, fits in zip(plans, fit, strict=True)
    ]


def _check_all(plans: Sequence[Plan], data: FashionMNIST, device: torch.device) -> None:
    """Refuse now what a run would refuse when its turn comes."""
    with torch.random.fork_rng([]):
        models = {norm: LeNet(norm) for norm in dict.fromkeys(plan.norm for plan in plans)}
    for plan in plans:
        check(models[plan.norm], data, plan.config, World(), device)


def _table(names: list[str], plans: Sequence[Plan], found: dict[Plan, Outcome | Failure]) -> "pd.DataFrame":
    import pandas as pd

    done = {plan: found[plan] for plan in plans if isinstance(found[plan], Outcome)}
    lines = [row for plan, outcome in done.items() for row in rows(plan, outcome, names)]
    table = pd.DataFrame(lines, columns=columns(names)).astype({"diverged_step": "Int64"})
    failures = {plan.words(names): found[plan].reason for plan in plans if plan not in done}
    if failures:
        raise SweepError(table, failures)
    return table


def _warn(sentence: str, level: int = 4) -> None:
    warnings.warn(sentence, SweepWarning, stacklevel=level)  # the line of whoever called `sweep`
