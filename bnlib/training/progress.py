"""The progress bar of a run: loss, accuracy, speed and time left, where somebody watches; silent in pipes and files.

No step waits for the bar. A step only counts; four times a second the bar looks at the running sums of the epoch, and
where they lie on a GPU it asks for a copy and shows it at the next look, by which time it has long arrived.
"""

import math
import sys
import warnings
from time import monotonic

import torch
from torch import Tensor
from tqdm import TqdmWarning
from tqdm.utils import disp_len

from bnlib.language import message
from bnlib.training.history import EpochRow

with warnings.catch_warnings():  # where a notebook lacks ipywidgets a bar of text will do, without tqdm's remark
    warnings.simplefilter("ignore", TqdmWarning)
    from tqdm.auto import tqdm

INTERVAL = 0.25  # seconds from one drawing to the next
SHORTEST = 4  # columns: a shorter bar gives way to a shorter text


class Progress:
    """A bar over all examples of a run, with loss and accuracy of the epoch so far and the last test accuracy.

    Args:
        shown: True, False, or None for yes where standard error is a terminal or this is a notebook.
        epochs, examples: of the run, and of one epoch.
    """

    def __init__(self, shown: bool | None, epochs: int, examples: int) -> None:
        self.shown = is_watched() if shown is None else shown
        self.epochs, self.examples = epochs, examples
        self.due = math.inf  # when to draw next
        self.bar: tqdm | None = None
        self.numbers: dict[str, float] = {}  # loss, train, test: the latest known

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, kind: type | None, *exception: object) -> None:
        if self.bar is not None:
            if kind is None:  # else the device may answer no more
                self._draw()
            self.bar.close()

    def begin(self, epoch: int, sums: Tensor | None = None, steps: int = 0, examples: int = 0) -> None:
        """Start an epoch, or go on with it.

        Args:
            epoch: from 1.
            sums: (steps of an epoch, 2), whose rows will hold the summed loss and the hits of each batch; on any
                device. None, and on devices other than CPU and CUDA: only the numbers of finished epochs are shown.
            steps, examples: of this epoch, done before.
        """
        self.epoch, self.steps, self.done, self.ended = epoch, steps, examples, False
        if not self.shown:
            return
        self.glance = Glance(sums)
        if self.bar is None:
            self.bar = tqdm(
                total=self.epochs * self.examples,
                initial=self._position(),
                bar_format=message("training.epoch", epoch=epoch, epochs=self.epochs) + " {percentage:3.0f}%|{bar}|",
                file=sys.stdout if in_notebook() else sys.stderr,  # a notebook paints standard error red
                unit="",
                unit_scale=True,
                dynamic_ncols=True,
                mininterval=0,  # when to draw is decided here
                miniters=1,
                smoothing=0.05,  # the mean over some five seconds: the scoring between epochs makes no jump
            )
            self.due = monotonic() + INTERVAL

    def advance(self, examples: int) -> None:
        """Count one step; draw if it is time."""
        self.steps += 1
        self.done += examples
        if monotonic() >= self.due:
            self._draw()

    def end(self, row: EpochRow) -> None:
        """Take over the numbers of the epoch that ended; draw if it is time."""
        self.numbers = {"loss": row.loss, "train": row.train_accuracy, "test": row.test_accuracy}
        self.ended = True  # a look under way comes too late
        if monotonic() >= self.due:
            self._draw()

    def _draw(self) -> None:
        seen = self.glance.look(self.steps, self.done)
        if seen and not self.ended:
            self.numbers.update(zip(("loss", "train"), seen, strict=True))
        facts = {**self.bar.format_dict, "n": self._position(), "ncols": None}
        columns = self.bar.ncols if isinstance(self.bar.ncols, int) else math.inf  # a notebook has room
        for layout in self._layouts():
            text = tqdm.format_meter(**{**facts, "bar_format": layout.replace("{bar}", "")})
            if disp_len(text) + SHORTEST * ("{bar}" in layout) <= columns:
                break
        self.bar.bar_format = layout
        if not self.bar.update(self._position() - self.bar.n):
            self.bar.refresh()
        self.due = monotonic() + INTERVAL

    def _position(self) -> int:
        return (self.epoch - 1) * self.examples + self.done

    def _layouts(self) -> list[str]:
        """What to write, from the most to the least; tqdm fills in the fields."""
        if self._position() < self.epochs * self.examples:
            clock, time = "{remaining}", message("training.bar_left", time="{remaining}")
        else:
            clock, time = "{elapsed}", message("training.bar_took", time="{elapsed}")
        comma, bar, epoch = message("training.comma"), "{percentage:3.0f}%|{bar}| ", f"{self.epoch}/{self.epochs}"
        long = message("training.epoch", epoch=self.epoch, epochs=self.epochs)
        done = message("training.bar_done", done="{n_fmt}", total="{total_fmt}")
        numbers = [message(f"training.bar_{name}", value=value) for name, value in self.numbers.items()]
        few = comma.join(numbers[:2])
        return [
            f"{long} {bar}" + comma.join([done, time, "{rate_noinv_fmt}", *numbers]),
            f"{long} {bar}" + comma.join([time, "{rate_noinv_fmt}", *numbers]),
            f"{epoch} {bar}" + comma.join([clock, "{rate_noinv_fmt}", *numbers]),
            f"{epoch} {bar}" + comma.join([clock, *numbers]),
            f"{epoch} {clock} {few}",
            few or clock,
        ]


class Glance:
    """Mean loss and accuracy of an epoch so far, read from its sums without waiting for the device."""

    def __init__(self, sums: Tensor | None) -> None:
        self.sums, self.kind = sums, "" if sums is None else sums.device.type
        if self.kind == "cuda":
            self.landed = torch.empty(2, pin_memory=True)
            self.event = torch.cuda.Event()
            self.asked = 0  # examples that the copy under way covers; 0 for none

    def look(self, steps: int, examples: int) -> tuple[float, float] | None:
        """The means over so many steps and examples; on a GPU those that an earlier look asked for; or None."""
        if self.kind == "cpu" and examples:
            return tuple((self.sums[:steps].sum(0) / examples).tolist())
        return self._ask(steps, examples) if self.kind == "cuda" else None

    def _ask(self, steps: int, examples: int) -> tuple[float, float] | None:
        seen = None
        if self.asked and self.event.query():
            seen = tuple((self.landed / self.asked).tolist())
            self.asked = 0
        if examples and not self.asked:
            self.landed.copy_(self.sums[:steps].sum(0), non_blocking=True)
            self.event.record(torch.cuda.current_stream(self.sums.device))
            self.asked = examples
        return seen


def is_watched() -> bool:
    """Whether somebody sees a bar drawn now: in a notebook, or where standard error is a terminal."""
    return in_notebook() or (sys.stderr is not None and sys.stderr.isatty())


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and getattr(ipython.get_ipython(), "kernel", None) is not None
