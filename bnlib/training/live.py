"""The learning curve of a run, drawn in a notebook while it grows.

Two kinds of outputs do it. In the first the curve grows, replaced in place, so that nothing flickers; at the end the
finished figure follows with its data, and the first is emptied. A notebook then holds one figure, in messages of its
own, which tools that run notebooks again and compare outputs (nbval) see whole: what replaces an output they don't see.
"""

from collections.abc import Callable, Sequence
from time import monotonic
from typing import TYPE_CHECKING

from bnlib.language import message
from bnlib.training.history import EpochRow
from bnlib.training.progress import in_notebook

if TYPE_CHECKING:
    from IPython.display import DisplayHandle

    from bnlib.drawing import Drawing

PATIENCE = 10  # seconds of training from one drawing to the next, for each second that a drawing takes
_EMPTY = {"text/html": ""}  # of a type that every front end shows: an output without any might not be replaced


class Live:
    """A learning curve below the cell that trains. Outside of notebooks, where nothing can be drawn, it does nothing.

    Args:
        shown: whether it is wanted.
        epochs: of the run.

    Raises:
        ModuleNotFoundError: it is wanted in a notebook, and matplotlib is not installed.
    """

    def __init__(self, shown: bool, epochs: int) -> None:
        self.shown, self.epochs = shown and in_notebook(), epochs
        self.rows: tuple[EpochRow, ...] = ()
        self.due = 0.0  # when to draw next
        self.growing: DisplayHandle | None = None
        if self.shown:
            self._learning_curve = _learning_curve()

    def __enter__(self) -> "Live":
        return self

    def __exit__(self, *exception: object) -> None:
        if self.growing is not None:
            from IPython.display import display

            display(self._drawing())  # with its data
            self.growing.update(_EMPTY, raw=True)

    def draw(self, rows: Sequence[EpochRow]) -> None:
        """Show the epochs that are finished, unless they end faster than a drawing pays."""
        self.rows = tuple(rows)
        start = monotonic()
        if not self.shown or not rows or start < self.due:
            return
        if self.growing is None:
            from IPython.display import display

            self.growing = display(_EMPTY, raw=True, display_id=True)
        self.growing.update(self._drawing().picture(), raw=True)
        self.due = start + (1 + PATIENCE) * (monotonic() - start)

    def _drawing(self) -> "Drawing":
        return self._learning_curve(self.rows, self.epochs)


def _learning_curve() -> Callable[[Sequence[EpochRow], int], "Drawing"]:
    """Import matplotlib, for whoever wants to see, and before an epoch that a failure would lose."""
    try:
        from bnlib.training.curve import learning_curve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        raise ModuleNotFoundError(message("training.matplotlib_missing"), name="matplotlib") from None
    return learning_curve
