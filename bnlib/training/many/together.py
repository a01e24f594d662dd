"""Several runs side by side in this process, for a device that one LeNet leaves idle most of the time.

Step i of each run of a group is launched in turn; on a GPU each run has a stream of its own, and each step is one CUDA
graph (see `steps`), so that their kernels can overlap. Nobody waits before the end of an epoch, unless to score. How
much that gains has not been measured yet.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress

import torch

from bnlib.training.checkpoint import random_state, restore_random_state
from bnlib.training.distributed import World
from bnlib.training.divergence import DivergedError
from bnlib.training.epoch import begin_epoch, end_epoch
from bnlib.training.fashion_mnist import FashionMNIST
from bnlib.training.lenet import LeNet
from bnlib.training.many.grid import Plan
from bnlib.training.many.outcome import Divergence, Failure, Outcome, in_words
from bnlib.training.run import Run
from bnlib.training.scoring import score
from bnlib.training.steps import make_steps

GROUP = 8  # runs at a time: CUDA feeds a GPU through 8 queues unless told otherwise (CUDA_DEVICE_MAX_CONNECTIONS)
EXAMPLES = 8192  # of a step, over all runs, for each of which LeNet keeps 46 KB; larger batches keep a GPU busy alone


def side_by_side(
    plans: Sequence[Plan],
    data: FashionMNIST,
    device: torch.device,
    advance: Callable[[Plan, int], None],
    warn: Callable[[str], None],
    group: int = GROUP,
) -> Iterator[tuple[Plan, Outcome | Failure]]:
    """Train what `carry_out` would train, with the same results, up to `group` runs at a time.

    Args:
        advance: called with a run and the examples it has moved on by.
        warn: called with a sentence where a run can't take the path that its plan names.

    Yields:
        Each run with what came of it, as they finish. `EpochRow.seconds` are those of the whole group's epoch.
    """
    data, waiting, lanes = data.to(device), deque(plans), []
    streams = [torch.cuda.Stream(device) if device.type == "cuda" else None for _ in range(group)]
    try:
        while waiting or lanes:
            with _callers_random_numbers_kept(device):
                while waiting and streams and _fits(waiting[0], lanes):
                    lanes.append(_Lane(waiting.popleft(), streams.pop(), data, device))
                    for sentence in lanes[-1].said:
                        warn(sentence)
                _epoch(lanes, advance)
            done = [lane for lane in lanes if lane.outcome]
            lanes = [lane for lane in lanes if not lane.outcome]
            for lane in done:
                lane.close()
                streams.append(lane.stream)
            yield from [(lane.plan, lane.outcome) for lane in done]
    finally:
        for lane in lanes:
            lane.close()


@contextmanager
def _callers_random_numbers_kept(device: torch.device) -> Iterator[None]:
    """Let torch's global generators go on afterwards as if nothing had been drawn."""
    before = random_state(device)
    try:
        yield
    finally:
        restore_random_state(before, device)


def _fits(plan: Plan, lanes: "Sequence[_Lane]") -> bool:
    """Whether a run may join; one that finds none may always."""
    examples = sum(lane.plan.config.batch_size for lane in lanes)
    return not lanes or examples + plan.config.batch_size <= EXAMPLES


class _Lane:
    """One run of a group: its model and its steps, where it is, and in the end what came of it.

    An error in it is its own outcome; the others go on.

    said: sentences about a path that could not be taken.
    """

    def __init__(self, plan: Plan, stream: torch.cuda.Stream | None, data: FashionMNIST, device: torch.device) -> None:
        self.plan, self.stream, self.outcome, self.said = plan, stream, None, []
        if stream is not None:
            stream.wait_stream(torch.cuda.current_stream(device))  # for the data
        self._attempt(self._prepare, data, device)

    def begin(self) -> None:
        """Start an epoch."""
        self._attempt(self._begin)

    def step(self, i: int) -> int:
        """Launch step i, from 0; returns the number of its examples, 0 if there is no such step."""
        if self.outcome or i >= self.run.steps:
            return 0
        self._attempt(self._step, i)
        return 0 if self.outcome else len(self.steps.batches[i])

    def end(self) -> None:
        """Wait for the epoch and note it."""
        self._attempt(self._end)

    def close(self) -> None:
        """Let the device come to an end with it, and give back its memory and its graph.

        Before the next run takes its stream: a graph that goes takes along what cuBLAS keeps for the stream.
        """
        if self.stream is not None:
            with suppress(RuntimeError):  # after an error on the device, which is the outcome already
                self.stream.synchronize()
        self.run = self.steps = self.at_start = None

    def _prepare(self, data: FashionMNIST, device: torch.device) -> None:
        config = self.plan.config
        torch.manual_seed(config.seed)
        self.run = Run(LeNet(self.plan.norm).to(device), data, config)
        self.steps = make_steps(self.run.model, data, config, World(), self.said.append)
        self.run.path = self.steps.path

    def _begin(self) -> None:
        self.at_start = begin_epoch(self.run, self.steps)

    def _step(self, i: int) -> None:
        run, every = self.run, self.plan.config.score_every
        self.steps.run(i)
        run.done = i + 1
        if every and run.step % every == 0:
            run.scores.append(score(run.model, run.data, self.plan.config.batch_size, run.epoch, run.step))

    def _end(self) -> None:
        run = self.run
        try:
            end_epoch(run, self.steps, self.at_start)
        except DivergedError as error:
            step = (error.epoch - 1) * run.steps + error.step
            self.outcome = Outcome(error.history, Divergence(error.epoch, step, error.layer))
            return
        if run.epoch > self.plan.config.epochs:
            self.outcome = Outcome(run.history())

    def _attempt(self, act: Callable[..., None], *arguments) -> None:
        if self.outcome:
            return
        try:
            with nullcontext() if self.stream is None else torch.cuda.stream(self.stream):
                act(*arguments)
        except Exception as error:
            self.outcome = Failure(in_words(error))


def _epoch(lanes: Sequence[_Lane], advance: Callable[[Plan, int], None]) -> None:
    """One epoch of each run; those with smaller batches have more steps and go on when the others are through."""
    for lane in lanes:
        lane.begin()
    i, launched = 0, True
    while launched:
        launched = False
        for lane in lanes:
            if examples := lane.step(i):
                launched = True
                advance(lane.plan, examples)
        i += 1
    for lane in lanes:
        lane.end()
