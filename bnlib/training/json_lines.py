"""A history as JSON, one object a line, and back: what is read equals what was written, to the last digit.

{"kind": "run", "config": {...}, "data": "fashion-mnist", ..., "versions": {...}}
{"kind": "epoch", "epoch": 1, "loss": 0.7512345678901234, ...}
{"kind": "scores", "epoch": 1, "step": 235, ...}

Python writes a float by its shortest digits that read as the same float. Those that JSON lacks are the strings
"nan", "inf" and "-inf".
"""

import json
import math
from dataclasses import asdict, replace
from numbers import Integral
from pathlib import Path

from bnlib.language import message
from bnlib.training.config import TrainConfig
from bnlib.training.history import EpochRow, History
from bnlib.training.scoring import Scores

_NOT_IN_JSON = ("nan", "inf", "-inf")


def text(history: History) -> str:
    """The lines of a history."""
    run = {name: value for name, value in asdict(history).items() if name not in ("rows", "scores")}
    lines = [{"kind": "run", **run, "versions": dict(history.versions)}]
    lines += [{"kind": "epoch", **asdict(row)} for row in history.rows]
    lines += [{"kind": "scores", **asdict(scores)} for scores in history.scores]
    return "".join(json.dumps(_to_json(line), allow_nan=False) + "\n" for line in lines)


def read(path: Path) -> History:
    """The history of a file.

    Raises:
        OSError: the file cannot be read.
        ValueError: it holds something else, or what another version wrote.
    """
    parts = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines() or [""], start=1):
        try:
            parts.append(_part(line, first=number == 1))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ValueError(message("training.not_a_history", path=path, line=number)) from None
    head, *rest = parts
    rows = tuple(part for part in rest if isinstance(part, EpochRow))
    return replace(head, rows=rows, scores=tuple(part for part in rest if isinstance(part, Scores)))


def _part(line: str, first: bool) -> History | EpochRow | Scores:
    """What a line says; the first one alone is a history, as yet without rows."""
    facts = json.loads(line)
    kind = facts.pop("kind")
    if first != (kind == "run"):
        raise ValueError(kind)
    if first:
        config, versions = TrainConfig(**facts.pop("config")), tuple(facts.pop("versions").items())
        return History((), config, **facts, versions=versions)
    return {"epoch": EpochRow, "scores": Scores}[kind](**{name: _from_json(value) for name, value in facts.items()})


def _to_json(value: object) -> object:
    if isinstance(value, dict):
        return {name: _to_json(part) for name, part in value.items()}
    if isinstance(value, tuple):
        return [_to_json(part) for part in value]
    if isinstance(value, bool | str):
        return value
    if isinstance(value, Integral):
        return int(value)  # also where it is one of numpy's
    number = float(value)
    return number if math.isfinite(number) else repr(number)


def _from_json(value: object) -> object:
    if isinstance(value, list):
        return tuple(_from_json(part) for part in value)
    return float(value) if value in _NOT_IN_JSON else value
