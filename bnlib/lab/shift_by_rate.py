"""Does batch normalization raise or lower the shift of the deep linear network? The first steps, at three rates.

Over its 10,000 steps `deep_linear` mixes three things: both networks descending, the plain one overshooting at the edge
of what it can bear, and the normalized one having arrived, where nothing moves any more. Here both still descend.
"""

from dataclasses import dataclass, replace

from bnlib.lab import deep_linear
from bnlib.lab.parts import Part, Rows, grid
from bnlib.training import FashionMNIST


@dataclass(frozen=True)
class Config:
    """lrs: for squared errors summed over samples and outputs."""

    norms: tuple[str, ...] = ("none", "batch")
    lrs: tuple[float, ...] = (1e-8, 1e-7, 1e-6)
    seeds: tuple[int, ...] = (0, 1, 2)
    steps: int = 200
    every: int = 20  # steps between two measured ones


FULL = Config()
QUICK = Config(lrs=(1e-7, 1e-6), steps=100)


def parts(config: Config) -> list[Part]:
    """A network with and without normalization for each rate and seed."""
    return grid(norm=config.norms, lr=config.lrs, seed=config.seeds)


def measure(part: Part, data: FashionMNIST, config: Config) -> Rows:
    """Train one network; the images are not used.

    Returns:
        The rows of `deep_linear`: step, loss, layer, gradient, shift, cosine.
    """
    plan = replace(deep_linear.FULL, lr=part["lr"], steps=config.steps, every=config.every)
    return deep_linear.measure({"norm": part["norm"], "seed": part["seed"]}, data, plan)
