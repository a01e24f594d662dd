"""A process that carries out runs for a sweep, one after another, on one thread.

Both ends of the talk are lines of JSON. In: first the setting (language, where the data is), then the settings of one
run at a time. Out: {"ready": true}; while a run goes on {"examples": since the last line} and {"warning": sentence};
then {"outcome": ...}, or {"failed": sentence}, after which the process ends. It also ends, at once, when its input
does: so none outlives the process that asked.
"""

import json
import os
import queue
import sys
import threading
import time
import warnings

import torch

from bnlib.language import set_language
from bnlib.training.config import TrainConfig
from bnlib.training.many.grid import Plan
from bnlib.training.many.outcome import carry_out, in_words, to_json
from bnlib.training.many.shared import attach

SECONDS = 0.1  # between two reports of progress


class _Talk:
    """What goes out: through a handle of its own, so that whatever else prints cannot disturb the lines."""

    def __init__(self) -> None:
        self.out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        self.examples, self.last = 0, time.monotonic()

    def say(self, **values: object) -> None:
        try:
            print(json.dumps(values), file=self.out, flush=True)
        except OSError:  # nobody is left to hear it
            os._exit(1)

    def advance(self, examples: int) -> None:
        self.examples += examples
        now = time.monotonic()
        if now - self.last >= SECONDS:
            self.say(examples=self.examples)
            self.examples, self.last = 0, now

    def warn(self, warning: Warning | str, *_: object) -> None:
        self.say(warning=str(warning))


def main() -> None:
    """Work until the input ends."""
    talk = _Talk()
    setting = json.loads(sys.stdin.readline() or "null")
    if setting is None:
        return
    orders: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(orders,), daemon=True).start()
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    set_language(setting["language"])
    warnings.showwarning = talk.warn
    data = attach(setting["data"])
    talk.say(ready=True)
    while True:
        settings = json.loads(orders.get())
        plan = Plan(settings.pop("norm"), TrainConfig(**settings))
        talk.examples = 0
        try:
            outcome = carry_out(plan, data, "cpu", talk.advance)
        except Exception as error:
            talk.say(failed=in_words(error))
            return
        talk.say(outcome=to_json(outcome))


def _listen(orders: queue.SimpleQueue) -> None:
    for line in sys.stdin:
        orders.put(line)
    os._exit(0)  # in the middle of whatever the main thread does: nobody waits for it any more
