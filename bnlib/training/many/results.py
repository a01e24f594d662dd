"""The folder of a sweep: one small JSON file for each finished run, from which the next sweep takes what it needs."""

import hashlib
import json
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

import torch

import bnlib
from bnlib.language import message
from bnlib.training.fashion_mnist import FashionMNIST
from bnlib.training.history import replace_file
from bnlib.training.many.grid import Plan
from bnlib.training.many.outcome import Outcome, from_json, to_json
from bnlib.training.many.shared import TENSORS

FORMAT = 1  # of the files; raised when an older reader would misread one


class Results:
    """The results of runs on one data set and one kind of device, each in a file named after its run.

    Args:
        folder: made if it isn't there.
        report: called with a sentence about files that are there and not used, or can't be written.

    Raises:
        OSError: the folder can't be made or written.
    """

    def __init__(
        self, folder: str | Path, data: FashionMNIST, device: torch.device, report: Callable[[str], None]
    ) -> None:
        self.folder, self.report = Path(folder), report
        self.folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=self.folder).close()  # refused now rather than after the first run
        self.facts = {
            "format": FORMAT,
            "data": data.name,
            "data_sha256": digest(data),
            "device": device.type,
            "versions": {"bnlib": bnlib.__version__, "torch": str(torch.__version__)},
        }

    def path(self, plan: Plan) -> Path:
        """The file of a run: a few words for people, then a digest of all its settings."""
        settings = plan.settings()
        exact = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
        return self.folder / f"{plan.norm}-lr{plan.config.lr:g}-seed{plan.config.seed}-{exact}.json"

    def find(self, plans: Iterable[Plan]) -> dict[Plan, Outcome]:
        """What is there already; files that don't fit are named, once for each reason, and left for now."""
        found: dict[Plan, Outcome] = {}
        refused: dict[str, list[str]] = defaultdict(list)
        for plan in plans:
            path = self.path(plan)
            try:
                found[plan] = self._read(path, plan)
            except FileNotFoundError:
                pass
            except _Unfit as unfit:
                refused[str(unfit)].append(path.name)
        for reason, files in refused.items():
            between = message("data.between_names")
            self.report(message("sweep.not_used", files=between.join(files), folder=self.folder, reason=reason))
        return found

    def save(self, plan: Plan, outcome: Outcome) -> None:
        """Write a run's file whole or not at all; if the disk refuses, that is reported and nothing else lost."""
        path = self.path(plan)
        content = {**self.facts, "settings": plan.settings(), **to_json(outcome)}
        try:
            replace_file(path, json.dumps(content, indent=1) + "\n")
        except OSError as error:
            self.report(message("sweep.not_saved", path=path, reason=error.strerror or error))

    def _read(self, path: Path, plan: Plan) -> Outcome:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            outcome = from_json(content)
            facts = {name: content[name] for name in self.facts}
            whole = content["settings"] == plan.settings() and outcome.history.config == plan.config
            if outcome.diverged is None and len(outcome.history.rows) != plan.config.epochs:
                whole = False
        except FileNotFoundError:
            raise
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            whole = False
        if not whole:
            raise _Unfit(message("sweep.damaged"))
        for name, now in self.facts.items():
            if facts[name] != now:
                raise _Unfit(message(f"sweep.other_{name.partition('_')[0]}", was=_words(facts[name]), now=_words(now)))
        return outcome


class _Unfit(Exception):
    """A file that is there but can't be used; its message says why."""


def digest(data: FashionMNIST) -> str:
    """The SHA-256 of a data set's content, whatever its name and device."""
    found = hashlib.sha256()
    for name in TENSORS:
        tensor = getattr(data, name).cpu().contiguous()
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        found.update(tensor.numpy().data)
    return found.hexdigest()


def _words(fact: object) -> str:
    if isinstance(fact, dict):
        return " ".join(f"{name} {version}" for name, version in fact.items())
    return str(fact)[:12]
