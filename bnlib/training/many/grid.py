"""From a grid to the list of its runs: what can't be a run is refused here, before anything starts."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from itertools import product
from numbers import Integral, Real

from bnlib.language import message
from bnlib.training.config import LECTURE, TrainConfig
from bnlib.training.lenet import NORMS

NAMES = ("norm", *TrainConfig.__dataclass_fields__)  # what a grid may name

Grid = Mapping[str, object] | Sequence[Mapping[str, object]]


@dataclass(frozen=True)
class Plan:
    """A run of a sweep before it is carried out: LeNet's normalization and the configuration of its training.

    Raises:
        ValueError: an unknown normalization.
    """

    norm: str = "batch"
    config: TrainConfig = LECTURE

    def __post_init__(self) -> None:
        if not isinstance(self.norm, str) or self.norm not in NORMS:
            raise ValueError(message("training.norm_unknown", norm=self.norm, known=", ".join(NORMS)))

    def settings(self) -> dict[str, object]:
        """All that a grid may name, with this run's values."""
        return {"norm": self.norm, **asdict(self.config)}

    def words(self, names: Iterable[str]) -> str:
        """The run in words, by what the grid names: "norm=batch lr=0.1"."""
        settings = self.settings()
        return " ".join(f"{name}={settings[name]}" for name in names)


def expand(grid: Grid) -> tuple[list[str], list[Plan]]:
    """The names that a grid mentions and its runs, both in the grid's order.

    Args:
        grid: names with a value or several: {"lr": [0.1, 1.0], "seed": range(3), "epochs": 2} holds every combination,
            6 runs, of which the last name changes fastest; or a sequence of such grids, one after another. Whatever a
            grid doesn't name is as in the lecture.

    Raises:
        TypeError: something that is no mapping.
        ValueError: an unknown name, no run at all, a run that is there twice, a value that can't be.
    """
    parts = [grid] if isinstance(grid, Mapping) or not _is_several(grid) else list(grid)
    names = {name: None for part in parts for name in _checked(part)}  # each once, in order
    plans: dict[Plan, None] = {}
    for part in parts:
        values = [list(value) if _is_several(value) else [value] for value in part.values()]
        for combination in product(*values):
            plan = _plan(dict(zip(part, combination, strict=True)))
            if plan in plans:
                raise ValueError(message("sweep.repeated", run=plan.words(names)))
            plans[plan] = None
    if not plans:
        raise ValueError(message("sweep.empty", known=", ".join(NAMES)))
    return list(names), list(plans)


def _checked(part: object) -> Mapping[str, object]:
    if not isinstance(part, Mapping):
        raise TypeError(message("sweep.no_grid", got=repr(part), known=", ".join(NAMES)))
    for name, value in part.items():
        if name not in NAMES:
            raise ValueError(message("sweep.unknown", name=repr(name), known=", ".join(NAMES)))
        if _is_several(value) and len(value) == 0:
            raise ValueError(message("sweep.no_value", name=name))
    if not part:
        raise ValueError(message("sweep.empty", known=", ".join(NAMES)))
    return part


def _is_several(value: object) -> bool:
    """Whether it is a list, a range, an array ...; a set is not, as it has no order."""
    return isinstance(value, Iterable) and hasattr(value, "__len__") and not isinstance(value, str | Set | Mapping)


def _plan(values: dict[str, object]) -> Plan:
    values = {name: _plain(name, value) for name, value in values.items()}
    norm = values.pop("norm", "batch")
    return Plan(norm, TrainConfig(**values))


def _plain(name: str, value: object) -> object:
    """Python's own number or string, so that 1, 1.0 and numpy's are one run; the rest is left to be refused."""
    kind = str if name == "norm" else type(getattr(LECTURE, name))
    fits = {int: Integral, float: Real, str: str}[kind]
    return kind(value) if isinstance(value, fits) else value
