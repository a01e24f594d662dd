"""One call of a learner's answer that can do no harm to the notebook: a time limit, and every failure as a value."""

import ctypes
import functools
import io
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass

SECONDS = 5.0
_AGAIN = 0.05  # seconds after which an answer that has caught the interruption is interrupted once more

_send = ctypes.pythonapi.PyThreadState_SetAsyncExc


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
    Python code alone. A single long step within a library ends when it ends. An answer that catches the interruption
    (`except BaseException: pass` in a loop) is interrupted again just where it has dropped it, outside of that `try`.
    What can't be ended without harm to the notebook goes on: an answer that catches the interruptions and keeps every
    one of them in a list, or calls itself each time until the recursion is too deep. To leave it behind in a thread
    would let it go on changing torch while other cells run.

    Args:
        call: without arguments.
        seconds: that it may take.

    Raises:
        KeyboardInterrupt: the reader's own Ctrl-C, and not one that the answer raises.
    """
    limit = _Limit()
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            try:
                limit.start(seconds)
                value = call()
            finally:
                limit.here.value = 0  # nothing more is sent, and what was sent and has not arrived is taken back:
                _send(limit.thread, None)  # neither statement can be interrupted before it is done
                limit.stop()
    except limit.kind:
        return Attempt(late=True)
    except TimeLimit:  # that of an attempt around this one
        raise
    except BaseException as error:  # also SystemExit: `exit()` in an answer must not end the kernel
        if isinstance(error, KeyboardInterrupt) and limit.pressed:
            raise
        return Attempt(error=error)
    return Attempt(value)


class _Limit:
    """The time of one attempt in the thread that makes it.

    kind: of TimeLimit, its own. thread: the number of the thread. here: the same while the attempt goes on, then 0.
    pressed: whether the reader has pressed Ctrl-C, which reaches the main thread alone.
    """

    def __init__(self) -> None:
        self.thread = ctypes.c_ulong(threading.get_ident())
        self.here = ctypes.c_ulong(self.thread.value)
        self.kind = type(TimeLimit.__name__, (TimeLimit,), {})
        self.kind.__del__ = self._again()
        self._main = threading.current_thread() is threading.main_thread()
        self._signals = self._main and hasattr(signal, "setitimer")
        self._ctrl_c = signal.getsignal(signal.SIGINT)
        self.pressed = False
        self._trace = sys.gettrace()

    def start(self, seconds: float) -> None:
        """Raise the limit's kind in this thread once the time is over, again and again until `here` is 0."""
        if self._main and callable(self._ctrl_c):
            signal.signal(signal.SIGINT, self._press)
        (self._by_signal if self._signals else self._by_thread)(seconds)

    def stop(self) -> None:
        """Put back what `start` has changed."""
        if sys.gettrace() is not self._trace:
            sys.settrace(self._trace)
        if self._signals:
            signal.setitimer(signal.ITIMER_REAL, *self._left)  # somebody else's alarm, most often none
            signal.signal(signal.SIGALRM, self._before)
        else:
            self._done.set()
            self._watcher.join()
        if self._main and callable(self._ctrl_c):
            signal.signal(signal.SIGINT, self._ctrl_c)

    def _press(self, number, stack) -> None:
        self.pressed = True
        self._ctrl_c(number, stack)

    def _by_signal(self, seconds: float) -> None:
        def ring(number, stack):
            if self.here.value:
                raise self.kind

        self._before = signal.signal(signal.SIGALRM, ring)
        self._left = signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)

    def _by_thread(self, seconds: float) -> None:
        self._done = threading.Event()

        def watch() -> None:
            wait = seconds
            while not self._done.wait(wait):
                _send(self.here, ctypes.py_object(self.kind))
                wait = _AGAIN

        self._watcher = threading.Thread(target=watch, daemon=True)
        self._watcher.start()

    def _again(self) -> Callable:
        """What an interruption does when it is dropped, by whoever has caught it: it sends the next one.

        Without a step in Python between the two, the next one arrives right behind the `except`. In Python 3.12 a jump
        back to the head of a loop raises as if it stood within the loop's `try`; there a trace raises before the jump.
        """
        if sys.version_info[:2] != (3, 12):
            return staticmethod(functools.partial(_send, self.here, ctypes.py_object(self.kind)))

        def again(dropped) -> None:
            if self.here.value and (frame := sys._getframe(1)).f_code is not again.__code__:
                frame.f_trace_opcodes, frame.f_trace = True, trace
                sys.settrace(trace)

        def trace(frame, event, argument):
            if self.here.value and frame.f_code is not again.__code__:
                raise self.kind

        return again
