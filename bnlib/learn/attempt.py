"""One call of a learner's answer that can do no harm to the notebook: a time limit, and every failure as a value."""

import ctypes
import io
import signal
import threading
from collections.abc import Callable
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass

SECONDS = 5.0
_AGAIN = 0.05  # an answer may catch the first interruption: it is sent until the answer gives up


class TimeLimit(BaseException):
    """Raised inside an answer that runs too long; not an Exception, so that `except Exception` lets it through."""


@dataclass(frozen=True)
class Attempt:
    """What came of a call: its value, or the exception that ended it.

    late: the time limit ended it. error: what it raised, else None.
    """

    value: object = None
    error: BaseException | None = None
    late: bool = False

    @property
    def returned(self) -> bool:
        return self.error is None and not self.late


def attempt(call: Callable[[], object], seconds: float = SECONDS) -> Attempt:
    """Call something that may raise, exit or never end. What it prints is dropped.

    Python code and what waits (sleep, input) are ended by the limit in the main thread of Linux and macOS; elsewhere
    Python code alone. A single long step within a library ends when it ends.

    Args:
        call: without arguments.
        seconds: that it may take.

    Raises:
        KeyboardInterrupt: the reader's own Ctrl-C, nothing else.
    """
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), _limit(seconds):
            value = call()
    except TimeLimit:
        return Attempt(late=True)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # also SystemExit: `exit()` in an answer must not end the kernel
        return Attempt(error=error)
    return Attempt(value)


@contextmanager
def _limit(seconds: float):
    """Raise TimeLimit in this thread once the time is over, again and again until the block is left."""
    by_signal = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    with _by_signal(seconds) if by_signal else _by_thread(seconds):
        yield


@contextmanager
def _by_signal(seconds: float):
    def ring(number, stack):
        raise TimeLimit

    before = signal.signal(signal.SIGALRM, ring)
    left = signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
    try:
        yield
    finally:
        _surely(lambda: signal.setitimer(signal.ITIMER_REAL, *left))  # somebody else's alarm, most often none
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _by_thread(seconds: float):
    done = threading.Event()
    thread = ctypes.c_ulong(threading.get_ident())

    def watch() -> None:
        wait = seconds
        while not done.wait(wait):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(TimeLimit))
            wait = _AGAIN

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        _surely(done.set)
        _surely(watcher.join)
        _surely(lambda: ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, None))  # what was sent and has not arrived


def _surely(step: Callable[[], object]) -> None:
    """Take a step to its end, though the last interruption may arrive in the midst of it."""
    while True:
        try:
            step()
            return
        except TimeLimit:
            continue
