"""Ctrl-C that waits for the end of a step, so that what is saved is the state between two steps."""

import signal
import threading
from types import FrameType


class Interrupt:
    """While this context lasts, the first Ctrl-C sets `asked`; a second one raises KeyboardInterrupt at once.

    In other threads than the main one, which get no signals, where Ctrl-C is ignored, and if not `wanted`, it changes
    nothing.
    """

    def __init__(self, wanted: bool = True) -> None:
        self.asked, self.wanted = False, wanted

    def __enter__(self) -> "Interrupt":
        self.before = None
        here = self.wanted and threading.current_thread() is threading.main_thread()
        if here and callable(signal.getsignal(signal.SIGINT)):
            self.before = signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *exception: object) -> None:
        if self.before is not None:
            signal.signal(signal.SIGINT, self.before)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
