"""One notebook in workers: its cells are run, then its answers asked, in a new worker where one was lost."""

import time
from dataclasses import dataclass

from bnlib.learn.exercise import Inputs
from bnlib.learn.grading.channel import Channel, Lost
from bnlib.learn.grading.sandbox import Sandbox
from bnlib.learn.grading.submission import Source, Trouble
from bnlib.learn.grading.wire import NAMES, Malformed, decode, decode_outcome, encode_mapping, text
from bnlib.learn.outcome import Outcome

WORKERS = 4  # for one notebook; each that is lost costs what it was lost by: a cell, or an exercise
TOLD = 20  # troubles of one notebook
_GRACE = 3.0  # seconds beyond a limit that a worker keeps by itself


@dataclass(frozen=True)
class Given:
    """What a worker tells of an answer.

    misfit: the type of one that is of a wrong type, else "". plain: an answer to a question, words or a number.
    """

    misfit: str
    plain: list[str] | float | None

    @classmethod
    def decode(cls, told: object) -> "Given":
        """Raises Malformed for what a worker does not send."""
        if not isinstance(told, dict) or told.keys() != {"misfit", "plain"}:
            raise Malformed("there is something else where an answer should be")
        plain = decode(told["plain"])
        words = isinstance(plain, list) and len(plain) <= NAMES and all(isinstance(word, str) for word in plain)
        if not (words or plain is None or isinstance(plain, float)):
            raise Malformed("an answer is neither words nor a number")
        return cls(text(told["misfit"]), plain)


class Session:
    """A notebook that was run: what it answered, by exercise, and what went wrong."""

    def __init__(self, sandbox: Sandbox, source: Source) -> None:
        self._sandbox, self._source, self._left = sandbox, source, WORKERS
        self._end = time.monotonic() + sandbox.limits.wall
        self._channel: Channel | None = None
        self._costly: dict[int, Trouble] = {}  # cells that a worker was lost by: they are not run again
        self._raised: list[Trouble] = []
        self._meddled = False  # whether the notebook has changed functions of the checker
        self.answers: dict[str, Given] = {}
        self._start()

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def troubles(self) -> list[Trouble]:
        """What went wrong in cells: the first of it, and how much more there was."""
        meddled = [Trouble("in_file", {"file": self._source.file}, "changes_checker")] if self._meddled else []
        told = [*meddled, *self._costly.values(), *self._raised]
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
            self._meddled |= reply.get("changed") is not False
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
            reply = self._channel.ask({"do": "answers"}, _GRACE)
            self._meddled |= reply.get("changed") is not False
            told = reply.get("answers")
            if not isinstance(told, dict) or len(told) > NAMES:
                raise Malformed("there is something else where the answers' names should be")
            self.answers = {text(name): Given.decode(one) for name, one in told.items()}
        except (Lost, Malformed) as error:
            why = error.why if isinstance(error, Lost) else "junk"
            self._raised.append(Trouble("in_file", {"file": self._source.file}, why))
            self.answers = {}
            self.close()
            self._left = 0
