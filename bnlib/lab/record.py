"""Run an experiment, record its table with its provenance, and read recorded tables back."""

import json
import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from bnlib.language import message

if TYPE_CHECKING:
    from bnlib.training import FashionMNIST

# The experiments by name, each with the module that measures it.
EXPERIMENTS = {
    name: f"bnlib.lab.{name}"
    for name in (
        "gradients_by_depth",
        "shallow_network",
        "order_of_layers",
        "bias_before_normalization",
        "scale_invariance",
        "input_percentiles",
        "deep_linear",
        "shift_by_rate",
        "noisy_normalization",
        "loss_along_step",
        "learning_rate_frontier",
        "moving_statistics",
        "statistics_lag",
        "lag_by_layer",
        "statistics_series",
        "lag_remedies",
        "training_speed",
        "statistics_noise",
        "noise_on_logits",
        "ghost_gap",
        "population_normalization",
        "dropout_grid",
        "variance_shift",
        "batch_uncertainty",
        "weight_decay",
        "small_batches",
        "normalized_layers",
        "gamma_and_beta",
    )
}

RESULTS = Path(__file__).parent / "results"
WORK = Path("lab_results")  # in the working directory: what is no recorded result, and finished parts


def load(name: str) -> pd.DataFrame:
    """The recorded table of an experiment.

    Raises:
        ValueError: no experiment of that name.
        FileNotFoundError: an experiment that has not been recorded.
    """
    _known(name)
    path = RESULTS / f"{name}.csv"
    if not path.exists():
        raise FileNotFoundError(message("lab.unrecorded", path=path, name=name))
    return pd.read_csv(path)


def provenance(name: str) -> dict:
    """How the recorded table was measured: configuration, data, device, versions, date (UTC), seconds, revision."""
    _known(name)
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def measure(name: str, data: "FashionMNIST", *, quick: bool = True) -> pd.DataFrame:
    """The table of an experiment, measured now in this process, for a page that shows it live; nothing is written.

    Args:
        name: a key of EXPERIMENTS.
        data: what to measure on: all of Fashion-MNIST, the subset, or a slice.
        quick: the experiment's small configuration, which shows the same effect in sign.

    Raises:
        ValueError: no experiment of that name.
    """
    from bnlib.lab.parts import measure_here

    experiment = import_module(_known(name))
    return measure_here(experiment, data, experiment.QUICK if quick else experiment.FULL)


def run(
    name: str,
    *,
    quick: bool = False,
    subset: bool = False,
    folder: Path | None = None,
    workers: int | None = None,
    progress: bool | None = None,
) -> Path:
    """Measure an experiment and write NAME.csv and NAME.json.

    Its parts are spread over processes. Stopped and started again, it goes on: finished parts wait in
    lab_results/parts in the working directory, and are used by the same code on the same data alone.

    Args:
        name: a key of EXPERIMENTS.
        quick: the experiment's small configuration, which shows the same effect in sign.
        subset: the embedded 6,000 images instead of the whole data set.
        folder: where to write. By default a full run replaces the recorded result, and a quick or subset one goes
            to the folder lab_results of the working directory, since it is no replacement for it.
        workers: processes; None for one on each core this process may use.
        progress: True, False, or None to show a bar in terminals and notebooks only.

    Returns:
        The path of the table.

    Raises:
        ValueError: no experiment of that name.
        RuntimeError: the whole data set is not to be had and `subset` is False.
        OSError: the folder can't be made or written, before anything is measured.
    """
    import torch  # needed to measure, not to read a table

    from bnlib.lab.parts import measure_side_by_side
    from bnlib.training import fashion_mnist

    experiment = import_module(_known(name))
    config = experiment.QUICK if quick else experiment.FULL
    if folder is None:
        folder = WORK if quick or subset else RESULTS
    alone = getattr(experiment, "ALONE", False)
    data = fashion_mnist("auto" if alone else None, subset=subset)
    _check_place(folder)
    _check_place(WORK)
    start, revision = time.perf_counter(), _revision()
    how = {"keep": WORK / "parts", "code": _code(), "workers": workers, "progress": progress}
    table, processes = measure_side_by_side(experiment, data, config, **how)
    facts = {**_provenance(name, config, data), "processes": processes}
    facts |= {"threads": torch.get_num_threads() if alone else 1, "seconds": round(time.perf_counter() - start)}
    facts["revision"] = revision
    text = StringIO()
    table.to_csv(text, index=False, lineterminator="\n", float_format="%.6g")
    _write(folder / f"{name}.json", json.dumps(facts, indent=2) + "\n")
    return _write(folder / f"{name}.csv", text.getvalue())


def run_all(*, quick: bool = False, subset: bool = False, workers: int | None = None) -> Iterator[Path]:
    """Measure every experiment as `run` does, one after the other; the paths of the tables, as they are written.

    Stopped and started again with the same code, it goes on where it was: experiments that were finished are left out.
    """
    listed = WORK / "parts" / f"all{'-quick' * quick}{'-subset' * subset}-{_code()}.json"
    finished = json.loads(listed.read_text(encoding="utf-8")) if listed.exists() else []
    for name in EXPERIMENTS:
        if name in finished:
            continue
        path = run(name, quick=quick, subset=subset, workers=workers)
        finished.append(name)
        listed.parent.mkdir(parents=True, exist_ok=True)
        _write(listed, json.dumps(finished))
        yield path
    listed.unlink(missing_ok=True)


def _check_place(folder: Path) -> None:
    """Make the folder, or be refused now rather than after half an hour of measuring."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        error.filename = str(folder)  # not the temporary file
        raise


def _known(name: str) -> str:
    if name not in EXPERIMENTS:
        raise ValueError(message("lab.unknown", name=name, known=", ".join(EXPERIMENTS)))
    return EXPERIMENTS[name]


def _provenance(name: str, config, data) -> dict:
    import torch

    device = data.train_images.device
    on_gpu = device.type == "cuda"
    return {
        "experiment": name,
        "config": asdict(config),
        "data": data.name,
        "device": torch.cuda.get_device_name(device) if on_gpu else f"{device.type}, {_processor()}",
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = (
        [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        if info.exists()
        else []
    )
    return f"{names[0] if names else platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def _revision() -> str:
    """The commit of the code that measured, with a plus sign where files had been changed since; empty if installed."""
    here = Path(__file__).parent

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=here, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    commit = git("rev-parse", "--short=12", "HEAD")
    changed = git("status", "--porcelain", "--", "..", ":(exclude)results")  # recording one changes no other
    return commit + ("+" if commit and changed else "")


def _code() -> str:
    """A digest of the package's code as it stands here, committed or not: what finished parts were measured by."""
    package = Path(__file__).parent.parent
    found = sha256()
    for path in sorted(path for kind in ("py", "cpp", "h") for path in package.rglob(f"*.{kind}")):
        found.update(f"{path.relative_to(package)}\n".encode() + path.read_bytes())
    return found.hexdigest()[:12]


def _write(path: Path, text: str) -> Path:
    """Write by renaming, so that a reader never meets half a file."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, path)
    return path
