"""An experiment in parts: side by side in processes, each finished part kept, so that a stopped run can go on.

An experiment says what its parts are and measures one of them; what it is made of, `bnlib.lab` says. A part is a
dictionary of plain values, such as {"norm": "batch", "seed": 0}, and stands at the head of each of its rows. LeNet is
so small that a part takes one thread: two parts side by side take hardly longer than one.
"""

import json
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import cache
from hashlib import sha256
from importlib import import_module
from itertools import product
from pathlib import Path
from types import ModuleType

import pandas as pd
from joblib import Parallel, delayed, parallel_config

from bnlib.language import current, set_language
from bnlib.training import FashionMNIST, fashion_mnist
from bnlib.training.progress import is_watched, tqdm
from bnlib.training.threads import threads, usable_cores

Part = dict[str, object]
Rows = list[dict[str, object]]


def grid(**values: Sequence) -> list[Part]:
    """Every combination of the values, the last name changing fastest."""
    return [dict(zip(values, combination, strict=True)) for combination in product(*values.values())]


def measure_here(experiment: ModuleType, data: FashionMNIST, config: object) -> pd.DataFrame:
    """The table of an experiment, part after part in this process."""
    parts = experiment.parts(config)
    return as_table(parts, [_one(experiment, part, data, config) for part in parts])


def measure_side_by_side(
    experiment: ModuleType,
    data: FashionMNIST,
    config: object,
    *,
    keep: Path,
    code: str,
    workers: int | None = None,
    progress: bool | None = None,
) -> tuple[pd.DataFrame, int]:
    """The table of an experiment, its parts spread over processes of one thread each.

    Args:
        data: the whole data set or the embedded subset: processes read it anew.
        keep: a folder for the finished parts; whoever calls again with the same experiment, configuration, data and
            code gets those from there. It is emptied when all are there.
        code: what tells this code from any other.
        workers: processes; None for one on each core this process may use.
        progress: True, False, or None to show a bar in terminals and notebooks only.

    Returns:
        The table, and the number of processes.

    Raises:
        Exception: what a part raises; the others that are finished are kept.
    """
    parts = experiment.parts(config)
    kept = Kept(keep, experiment.__name__, config, data.name, code)
    found = {number: rows for number, part in enumerate(parts) if (rows := kept.find(part)) is not None}
    missing = [number for number in range(len(parts)) if number not in found]
    workers = 1 if getattr(experiment, "ALONE", False) else min(workers or usable_cores(), max(1, len(missing)))
    with tqdm(
        total=len(parts),
        initial=len(found),
        desc=experiment.__name__.rpartition(".")[2],
        disable=not (is_watched() if progress is None else progress),
        unit="",
        dynamic_ncols=True,
    ) as bar:
        for number, rows in _measured(experiment, parts, missing, data, config, workers):
            kept.save(parts[number], rows)
            found[number] = rows
            bar.update()
    table = as_table(parts, [found[number] for number in range(len(parts))])
    kept.empty()
    return table, workers


def as_table(parts: Sequence[Part], rows: Sequence[Rows]) -> pd.DataFrame:
    """Rows of all parts, each headed by its part."""
    return pd.DataFrame([{**part, **row} for part, found in zip(parts, rows, strict=True) for row in found])


def _measured(
    experiment: ModuleType, parts: Sequence[Part], missing: Sequence[int], data: FashionMNIST, config: object, n: int
) -> Iterator[tuple[int, Rows]]:
    """The missing parts' rows with their numbers, as they are finished."""
    if n == 1:
        yield from ((number, _one(experiment, parts[number], data, config)) for number in missing)
        return
    subset = data.name != "fashion-mnist"
    with warnings.catch_warnings(), parallel_config(backend="loky", inner_max_num_threads=1):
        # a process that has grown is replaced when it has handed in its part: nothing is lost. Where warnings are
        # errors, this one would end the thread that replaces it, and the wait for the other parts would have no end
        warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)
        yield from Parallel(n, return_as="generator_unordered", pre_dispatch="2*n_jobs")(
            delayed(_elsewhere)(experiment.__name__, number, parts[number], config, subset, current())
            for number in missing
        )


def _elsewhere(module: str, number: int, part: Part, config: object, subset: bool, language: str) -> tuple[int, Rows]:
    set_language(language)
    return number, _one(import_module(module), part, _data(subset), config)


@cache
def _data(subset: bool) -> FashionMNIST:
    return fashion_mnist(subset=subset)


def _one(experiment: ModuleType, part: Part, data: FashionMNIST, config: object) -> Rows:
    if getattr(experiment, "ALONE", False):
        return experiment.measure(part, data, config)
    with threads(1):  # so that a part gives the same numbers, whatever measures it
        return experiment.measure(part, data, config)


class Kept:
    """Finished parts as files: one folder for each experiment, configuration, data and code."""

    def __init__(self, folder: Path, name: str, config: object, data: str, code: str) -> None:
        self.folder = folder / f"{name.rpartition('.')[2]}-{_digest([asdict(config), data, code])}"

    def find(self, part: Part) -> Rows | None:
        path = self._path(part)
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    def save(self, part: Part, rows: Rows) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / f".{_digest(part)}.{os.getpid()}"
        draft.write_text(json.dumps(rows), encoding="utf-8")
        os.replace(draft, self._path(part))  # a file is whole, or not there

    def empty(self) -> None:
        for path in self.folder.glob("*.json"):
            path.unlink()
        if self.folder.exists():
            self.folder.rmdir()

    def _path(self, part: Part) -> Path:
        return self.folder / f"{_digest(part)}.json"


def _digest(values: object) -> str:
    return sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:12]
