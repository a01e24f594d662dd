"""One notebook in workers: its cells are run, then its answers asked, in a new worker where one was lost."""

import time

from bnlib.learn.exercise import Inputs
from bnlib.learn.grading.channel import Channel, Lost
from bnlib.learn.grading.sandbox import Sandbox
from bnlib.learn.grading.submission import Source, Trouble
from bnlib.learn.grading.wire import NAMES, Malformed, decode_outcome, encode_mapping, text
from bnlib.learn.outcome import Outcome

WORKERS = 4  # for one notebook; each that is lost costs what it was lost by: a cell, or an exercise
TOLD = 20  # troubles of one notebook
_GRACE = 3.0  # seconds beyond a limit that a worker keeps by itself


class Session:
    """A notebook that was run: what it answered, and what went wrong.

    answers: exercise -> the type of what was given where it can't be called, else "".
    """

    def __init__(self, sandbox: Sandbox, source: Source) -> None:
        self._sandbox, self._source, self._left = sandbox, source, WORKERS
        self._end = time.monotonic() + sandbox.limits.wall
        self._channel: Channel | None = None
        self._costly: dict[int, Trouble] = {}  # cells that a worker was lost by: they are not run again
        self._raised: list[Trouble] = []
        self.answers: dict[str, str] = {}
        self._start()

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def troubles(self) -> list[Trouble]:
        """What went wrong in cells: the first of it, and how much more there was."""
        told = [*self._costly.values(), *self._raised]
        more = [Trouble("in_file", {"file": self._source.file}, "more", {"count": len(told) - TOLD})]
        return told if len(told) <= TOLD else told[:TOLD] + more

    def look_at(self, exercise: str, inputs: Inputs) -> Outcome:
        """Ask the answer to an exercise.

        Raises:
            Lost: the worker is gone, and with it this exercise; others may still be asked.
        """
        if self._channel is None:
            self._start()
        if self._channel is None or exercise not in self.answers:
            raise Lost("given_up")
        request = {"do": "ask", "exercise": exercise, "inputs": encode_mapping(inputs)}
        try:
            reply = self._channel.ask(request, self._sandbox.limits.ask + _GRACE)
            return decode_outcome(reply.get("outcome"), inputs)
        except Malformed as error:
            self.close()
            raise Lost("junk") from error
        except Lost:
            self._channel = None  # it has been closed
            raise

    def close(self) -> None:
        """End the worker."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _start(self) -> None:
        """Run the cells in new workers, each time without those that have cost one, until a worker is left."""
        while self._left and self._channel is None:
            self._left -= 1
            self._channel = self._sandbox.start()
            self._channel.limit(self._end - time.monotonic())  # all workers of a notebook share its time
            self._raised = []
            for number, source in self._source.cells:
                if number not in self._costly and not self._run(number, source):
                    break
            else:
                self._collect()

    def _run(self, number: int, source: str) -> bool:
        """Run a cell; False if it has cost the worker."""
        place = {"file": self._source.file, "number": number}
        try:
            request = {"do": "cell", "number": number, "source": source}
            self._hear(self._channel.ask(request, self._sandbox.limits.cell + _GRACE), place)
        except (Lost, Malformed) as error:
            why = error.why if isinstance(error, Lost) else "junk"
            self._costly[number] = Trouble("in_cell", place, why)
            self.close()
            return False
        return True

    def _hear(self, reply: dict[str, object], place: dict[str, object]) -> None:
        if reply.keys() != {"trouble", "error", "message"}:
            raise Malformed("an answer to a cell has other fields")
        if reply["trouble"] == "late":
            self._raised.append(Trouble("in_cell", place, "late"))
        elif reply["trouble"]:
            told = {"error": text(reply["error"]), "message": text(reply["message"])}
            self._raised.append(Trouble("in_cell", place, "cell_raised", told))

    def _collect(self) -> None:
        """Ask which exercises were answered."""
        try:
            kinds = self._channel.ask({"do": "answers"}, _GRACE).get("answers")
            if not isinstance(kinds, dict) or len(kinds) > NAMES:
                raise Malformed("there is something else where the answers' names should be")
            self.answers = {text(name): text(kind) for name, kind in kinds.items()}
        except (Lost, Malformed) as error:
            why = error.why if isinstance(error, Lost) else "junk"
            self._raised.append(Trouble("in_file", {"file": self._source.file}, why))
            self.answers = {}
            self.close()
            self._left = 0
