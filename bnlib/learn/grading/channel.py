"""Requests to a worker and its answers, under limits of time and size; whatever goes wrong ends the worker alone."""

import contextlib
import math
import os
import selectors
import signal
import subprocess
import time

from bnlib.language import message
from bnlib.learn.grading.wire import Malformed, dump, parse

LINE, ALL = 4 << 20, 256 << 20  # bytes of one message, and of all that a worker may say
_SAID = 1 << 16  # bytes of its error output that are read
_PATIENCE = 5.0  # seconds for a killed worker to be gone

ENDS = {128 + signal.SIGKILL: "killed", 128 + signal.SIGXCPU: "cpu"}  # exit status -> why


class NotIsolated(RuntimeError):  # noqa: N818 - a sentence for whoever typed the command
    """Strangers' code can't be kept apart on this machine."""


class Lost(Exception):  # noqa: N818 - an end of one worker, for its session alone
    """A worker is gone.

    why: "late", "killed", "cpu", "crashed", "flood" or "junk", each the name of a sentence. said: the last line of
    its error output.
    """

    def __init__(self, why: str, said: str = "") -> None:
        super().__init__(why, said)
        self.why, self.said = why, said


class Channel:
    """A started worker."""

    def __init__(self, process: subprocess.Popen) -> None:
        self._process, self._buffer, self._count = process, b"", 0
        self._end = math.inf
        for stream in (process.stdin, process.stdout, process.stderr):
            os.set_blocking(stream.fileno(), False)

    def limit(self, seconds: float) -> None:
        """From now on the worker has so many seconds for all that it is asked."""
        self._end = time.monotonic() + seconds

    def listen(self, seconds: float) -> dict[str, object]:
        """The next message.

        Raises:
            Lost: none came.
        """
        return self._exchange(b"", seconds)

    def ask(self, request: dict[str, object], seconds: float) -> dict[str, object]:
        """The answer to a request; what carries another number than the request's is no answer to it.

        Raises:
            Lost: none came.
        """
        number = os.urandom(16).hex()  # nobody can answer before the question was put
        reply = self._exchange(dump({**request, "id": number}), seconds)
        if reply.pop("id", None) != number:
            self._lose("junk")
        return reply

    def close(self) -> None:
        """End the worker with all its processes, and see to it that none is left.

        Raises:
            NotIsolated: one is left.
        """
        if self._process.stdout.closed:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired as error:
            raise NotIsolated(message("grade.outlived")) from error
        self._drain()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(BrokenPipeError):
                stream.close()

    def _drain(self) -> None:
        """Read to the end of the pipe: it comes when the last process that could write is gone."""
        end = time.monotonic() + _PATIENCE
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._process.stdout, selectors.EVENT_READ)
            while time.monotonic() < end:
                if waiting.select(0.1) and not os.read(self._process.stdout.fileno(), 1 << 16):
                    return
        raise NotIsolated(message("grade.outlived"))

    def _exchange(self, line: bytes, seconds: float) -> dict[str, object]:
        end = min(self._end, time.monotonic() + seconds)
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._process.stdout, selectors.EVENT_READ)
            if line:
                waiting.register(self._process.stdin, selectors.EVENT_WRITE)
            while b"\n" not in self._buffer:
                left = end - time.monotonic()
                if left <= 0:
                    self._lose("late")
                for key, _ in waiting.select(left):
                    if key.fileobj is self._process.stdout:
                        self._read()
                    else:
                        line = self._write(line)
                        if not line:
                            waiting.unregister(self._process.stdin)
        return self._message()

    def _message(self) -> dict[str, object]:
        line, self._buffer = self._buffer.split(b"\n", 1)
        try:
            return parse(line)
        except Malformed:
            self._lose("junk")

    def _read(self) -> None:
        part = os.read(self._process.stdout.fileno(), 1 << 16)
        if not part:
            self._lose()
        self._buffer += part
        self._count += len(part)
        if len(self._buffer) > LINE or self._count > ALL:
            self._lose("flood")

    def _write(self, line: bytes) -> bytes:
        try:
            return line[os.write(self._process.stdin.fileno(), line[:4096]) :]
        except BrokenPipeError:
            self._lose()

    def _lose(self, why: str = "") -> None:
        """End the worker, and say why; without a reason its exit status tells."""
        if not why:
            try:
                status = self._process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:  # it has closed its pipe and lives on
                status = 0
            why = ENDS.get(status, "crashed")
        said = b""
        with contextlib.suppress(BlockingIOError):
            said = os.read(self._process.stderr.fileno(), _SAID)
        self.close()
        raise Lost(why, said.decode("utf-8", "replace").strip().rpartition("\n")[2])
