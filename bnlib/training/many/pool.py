"""Runs in processes of one thread each, every one started afresh by a command line.

Not by multiprocessing: forking a process whose torch has threads can hang, and spawning imports the caller's main
module anew, which a notebook doesn't have and in which a script without `if __name__ == "__main__"` would sweep again.
All decisions are the main thread's; a thread for each worker forwards what it says.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from bnlib.language import current, message
from bnlib.training.fashion_mnist import FashionMNIST
from bnlib.training.many.grid import Plan
from bnlib.training.many.outcome import Failure, Outcome, from_json
from bnlib.training.many.shared import SharedData

TRIES = 2  # of a run whose worker dies or raises
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TORCHINDUCTOR_COMPILE_THREADS"), "1"
)
# -P and the caller's own path: the child finds the modules that the caller finds. Ctrl-C is the caller's to handle.
COMMAND = (
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); import json, sys; "
    "sys.path[:] = json.loads(sys.argv[1]); from bnlib.training.many.worker import main; main()"
)


class WorkerError(RuntimeError):
    """No process can be started."""


class Worker:
    """A process, the run it is at, and how many of that run's examples it has reported.

    Args:
        setting: its first line of input.
        handles: open files it inherits.
        events: where (worker, what it says) is put, and (worker, None) when it is gone.
    """

    def __init__(self, setting: dict, handles: tuple[int, ...], events: queue.SimpleQueue) -> None:
        self.plan: Plan | None = None
        self.counted, self.ready, self.reason = 0, False, ""
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", COMMAND, json.dumps([place for place in sys.path if isinstance(place, str)])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            encoding="utf-8",
            env={**os.environ, **ONE_THREAD},
            pass_fds=handles,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self.reader = threading.Thread(target=self._forward, args=(events,), daemon=True)
        self.reader.start()
        self._tell(setting)

    def begin(self, plan: Plan) -> None:
        self.plan, self.counted = plan, 0
        self._tell(plan.settings())

    def close(self) -> str:
        """End it, however it is, and wait for that; returns in words why it died, had it died before."""
        self.process.kill()
        status = self.process.wait()
        self.reader.join()
        with suppress(OSError):  # what it did not read any more
            self.process.stdin.close()
        self.process.stdout.close()
        with self.errors:
            self.errors.seek(0)
            said = self.errors.read().decode(errors="replace").strip().rpartition("\n")[2]
        status = signal.Signals(-status).name if status < 0 else status
        return self.reason or message("sweep.died", status=status) + (f" ({said})" if said else "")

    def _tell(self, values: dict) -> None:
        with suppress(OSError):  # it died: its end is told as an event
            print(json.dumps(values), file=self.process.stdin, flush=True)

    def _forward(self, events: queue.SimpleQueue) -> None:
        for line in self.process.stdout:
            with suppress(ValueError):  # a line cut short
                events.put((self, json.loads(line)))
        events.put((self, None))


class Pool:
    """The workers of a sweep; a context in which iterating yields each run with what came of it.

    Args:
        workers: processes at a time.
        advance: called with a run and the examples it has moved on by; negative where it begins again.
        report: called with a sentence when a worker warns.
    """

    def __init__(
        self,
        plans: Sequence[Plan],
        data: FashionMNIST,
        workers: int,
        advance: Callable[[Plan, int], None],
        report: Callable[[str], None],
    ) -> None:
        self.waiting, self.left, self.size = deque(plans), len(plans), min(workers, len(plans))
        self.advance, self.report = advance, report
        self.tried: Counter[Plan] = Counter()
        self.crew: list[Worker] = []
        self.false_starts = 0
        self.events: queue.SimpleQueue = queue.SimpleQueue()
        self.shared = SharedData(data)

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *exception: object) -> None:
        for worker in self.crew:  # all of them, before waiting for any
            worker.process.kill()
        for worker in self.crew:
            worker.close()
        self.shared.__exit__()

    def __iter__(self) -> Iterator[tuple[Plan, Outcome | Failure]]:
        while len(self.crew) < self.size:
            self._hire()
        while self.left:
            worker, said = self._next()
            match said:
                case None:
                    yield from self._gone(worker)
                case {"ready": _}:
                    worker.ready, self.false_starts = True, 0
                    self._give(worker)
                case {"examples": examples}:
                    worker.counted += examples
                    self.advance(worker.plan, examples)
                case {"warning": sentence}:
                    self.report(sentence)
                case {"failed": reason}:
                    worker.reason = reason
                case {"outcome": outcome}:
                    plan, worker.plan = worker.plan, None
                    self.left -= 1
                    self._give(worker)  # before the caller writes its file
                    yield plan, from_json(outcome)

    def _next(self) -> tuple[Worker, dict | None]:
        while True:  # with a timeout: Windows lets no Ctrl-C through to a wait without
            with suppress(queue.Empty):
                return self.events.get(timeout=0.5)

    def _hire(self) -> None:
        setting = {"language": current(), "data": self.shared.where}
        self.crew.append(Worker(setting, self.shared.handles, self.events))

    def _give(self, worker: Worker) -> None:
        if self.waiting:
            worker.begin(self.waiting.popleft())

    def _gone(self, worker: Worker) -> Iterator[tuple[Plan, Failure]]:
        """A worker died: its run begins again in a new one, or has failed."""
        self.crew.remove(worker)
        reason = worker.close()
        if not worker.ready:
            self.false_starts += 1
            if self.false_starts == TRIES:
                raise WorkerError(message("sweep.no_worker", reason=reason))
        if worker.plan is not None:
            plan = worker.plan
            self.advance(plan, -worker.counted)
            self.tried[plan] += 1
            if self.tried[plan] < TRIES:
                self.waiting.appendleft(plan)
            else:
                self.left -= 1
                yield plan, Failure(reason)
        if self.waiting:
            self._hire()
