"""Widget: a small block of numbers, N x C x H x W; point at one and see which others share its mean and variance."""

import math
import random
from itertools import product

from traitlets import Float, Int, List

from bnlib.learn.traits import Choice, Numbers, Switch, Whole
from bnlib.learn.widget import CourseWidget, fixed

SHAPE = (3, 4, 2, 2)  # N, C, H, W, as in axes.js
EPS = 1e-5  # that of the layers, in torch and here
_draw = random.Random(28)
VALUES = tuple(_draw.randint(0, 9) for _ in range(math.prod(SHAPE)))


class SharedStatistics(CourseWidget):
    """A block of 3 samples, 4 channels and 2 x 2 positions, of which one number is pointed at.

        output = (x - mean) / √(var + ε)

    with ε = 1e-5; mean and var (biased) are those of the numbers that share them with x. Which these are depends on the
    normalization alone: the same formula over other axes.

    Traits:
        kind: "batch_2d", "batch_1d", "layer", "instance" or "group", as torch's layers BatchNorm2d, BatchNorm1d,
            LayerNorm (over C, H and W), InstanceNorm2d and GroupNorm. For "batch_1d" the block is N x C: the numbers
            at row 0 and column 0.
        groups: 1, 2 or 4, for "group" alone.
        values: the 48 numbers in the order of x.flatten(), each from -99 to 99.
        sample, channel, row, column: the number that is pointed at, from 0. shown: whether it is marked with those that
            share its mean, as it is once a reader has pointed at one.
        companions: the indices of all that share its mean, itself included; count: how many. mean, var, output.
            gamma: the index of its γ in the layer's weight, empty where the layer has none. All computed, read-only.

    Raises:
        TraitError: a value outside of its bounds, which the message names.
    """

    name = "axes"

    kind = Choice("batch_2d", "batch_1d", "layer", "instance", "group")
    groups = Choice(2, 1, 4)
    values = Numbers(VALUES, -99, 99, least=len(VALUES), most=len(VALUES))
    sample = Whole(1, 0, SHAPE[0] - 1)
    channel = Whole(2, 0, SHAPE[1] - 1)
    row = Whole(0, 0, SHAPE[2] - 1)
    column = Whole(1, 0, SHAPE[3] - 1)
    shown = Switch(False)

    companions = List(List(Int()), read_only=True)
    count = Int(read_only=True)
    mean = Float(read_only=True)
    var = Float(read_only=True)
    output = Float(read_only=True)
    gamma = List(Int(), read_only=True)

    def _cells(self) -> list[tuple[int, ...]]:
        """The indices of the block, (n, c) or (n, c, h, w)."""
        return list(product(*map(range, SHAPE[:2] if self.kind == "batch_1d" else SHAPE)))

    def _cell(self) -> tuple[int, ...]:
        """The index that is pointed at."""
        index = (self.sample, self.channel, self.row, self.column)
        return index[:2] if self.kind == "batch_1d" else index

    def _value(self, cell: tuple[int, ...]) -> float:
        n, c, h, w = (*cell, 0, 0)[:4]
        return self.values[((n * SHAPE[1] + c) * SHAPE[2] + h) * SHAPE[3] + w]

    def _shares(self, cell: tuple[int, ...]) -> bool:
        """Whether a number has the same mean as that which is pointed at."""
        same_sample, same_channel = cell[0] == self.sample, cell[1] == self.channel
        if self.kind in ("batch_1d", "batch_2d"):
            return same_channel
        if self.kind == "group":
            size = SHAPE[1] // self.groups
            return same_sample and cell[1] // size == self.channel // size
        return same_sample and (same_channel or self.kind == "layer")

    def _compute(self) -> None:
        companions = [cell for cell in self._cells() if self._shares(cell)]
        numbers = [self._value(cell) for cell in companions]
        mean = math.fsum(numbers) / len(numbers)
        var = math.fsum((x - mean) ** 2 for x in numbers) / len(numbers)
        cell = self._cell()
        self.set_trait("companions", [list(one) for one in companions])
        self.set_trait("count", len(companions))
        self.set_trait("mean", mean)
        self.set_trait("var", var)
        self.set_trait("output", (self._value(cell) - mean) / math.sqrt(var + EPS))
        self.set_trait("gamma", {"layer": list(cell[1:]), "instance": []}.get(self.kind, [self.channel]))

    def picture(self) -> str:
        """The block with the number and its companions marked, and the formula."""
        cells, wide = self._cells(), 2 if self.kind == "batch_1d" else 1  # a number without positions fills its square
        own, shared, others, words = "", "", "", []
        for n, c, h, w in [(*cell, 0, 0)[:4] for cell in cells]:
            cell = (n, c, h, w)[: len(cells[0])]
            x, y = 10 + 90 * c + 36 * w, 10 + 82 * n + 36 * h
            square = f"M{x} {y}h{36 * wide}v{36 * wide}h-{36 * wide}z"
            own += square if cell == self._cell() else ""
            shared += square if self._shares(cell) else ""
            others += square
            words.append(f'<tspan x="{x + 18 * wide}" y="{y + 18 * wide + 5}">{self._value(cell):g}</tspan>')
        index = ", ".join(map(str, self._cell()))
        part = self.say("part", count=self.count, all=len(cells))
        mean = f"({fixed(self.mean)})" if self.mean < 0 else fixed(self.mean)
        title = (
            f"{self.say('kind')}{self.marks['colon']}{self.say(self.kind)}{self.marks['semicolon']}"
            f"x[{index}]{self.marks['colon']}{part}{self.marks['semicolon']}"
            f"x̂ = ({self._value(self._cell()):g} − {mean}) / √({fixed(self.var)} + 1e-5) = {fixed(self.output)}"
        )
        return (
            f'<svg viewBox="0 0 362 256" role="img" aria-label="{title}" style="max-width:362px;background:#fff">'
            f'<g fill="none"><path d="{others}" stroke="#aaa"/>'
            f'<path d="{shared}" fill="#e8f1f8" stroke="#0072b2" stroke-width="2"/>'
            f'<path d="{own}" stroke="#b34700" stroke-width="4"/></g>'
            f'<text font-size="14" text-anchor="middle">{"".join(words)}</text></svg><p>{title}</p>'
        )
