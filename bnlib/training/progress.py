"""The progress bar of a run: shown where somebody watches, silent in pipes and files."""

import sys

from tqdm.auto import tqdm

from bnlib.language import message
from bnlib.training.history import EpochRow


class Progress:
    """A bar over all examples of a run, with the numbers of the last finished epoch: no step waits for them.

    Args:
        shown: True, False, or None for yes where standard error is a terminal or this is a notebook.
        epochs, examples: of the run, and of one epoch.
    """

    def __init__(self, shown: bool | None, epochs: int, examples: int) -> None:
        self.epochs = epochs
        self.bar = tqdm(
            total=epochs * examples,
            disable=not (is_watched() if shown is None else shown),
            unit=message("training.unit"),
            unit_scale=True,
            dynamic_ncols=True,
        )

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *exception: object) -> None:
        self.bar.close()

    def begin(self, epoch: int) -> None:
        """Name the epoch that starts."""
        self.bar.set_description_str(message("training.epoch", epoch=epoch, epochs=self.epochs))

    def advance(self, examples: int) -> None:
        """Move on by one step; the bar redraws itself ten times a second at most."""
        self.bar.update(examples)

    def end(self, row: EpochRow) -> None:
        """Show the numbers of the epoch that ended."""
        numbers = message("training.numbers", loss=row.loss, train=row.train_accuracy, test=row.test_accuracy)
        self.bar.set_postfix_str(numbers)


def is_watched() -> bool:
    """Whether somebody sees a bar drawn now: in a notebook, or where standard error is a terminal."""
    return _in_notebook() or (sys.stderr is not None and sys.stderr.isatty())


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    return ipython is not None and getattr(ipython.get_ipython(), "kernel", None) is not None
