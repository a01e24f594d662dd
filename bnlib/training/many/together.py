"""Several runs side by side in this process, for a device that one LeNet leaves idle most of the time.

Step i of each run of a group is launched in turn; on a GPU each run has a stream of its own, and each step is one CUDA
graph (see `steps`), so that their kernels can overlap. Nobody waits before the end of an epoch. How much that gains has
not been measured yet.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext

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

GROUP = 16  # not tuned: enough to fill a GPU with LeNets, few enough for their graphs' memory


def side_by_side(
    plans: Sequence[Plan],
    data: FashionMNIST,
    device: torch.device,
    advance: Callable[[Plan, int], None],
    warn: Callable[[str], None],
    group: int = GROUP,
) -> Iterator[tuple[Plan, Outcome | Failure]]:
    """Train what `carry_out` would train, with the same results, `group` runs at a time.

    Args:
        advance: called with a run and the examples it has moved on by.
        warn: called with a sentence where a run can't take the path that its plan names.

    Yields:
        Each run with what came of it, as they finish.
    """
    data, waiting, lanes = data.to(device), list(reversed(plans)), []
    before = random_state(device)  # the caller's random numbers go on as if nothing had been drawn
    try:
        while waiting or lanes:
            while waiting and len(lanes) < group:
                lanes.append(_Lane(waiting.pop(), data, device, warn))
            _epoch(lanes, advance)
            yield from [(lane.plan, lane.outcome) for lane in lanes if lane.outcome]
            lanes = [lane for lane in lanes if not lane.outcome]
    finally:
        restore_random_state(before, device)


class _Lane:
    """One run of a group: its model and its steps, where it is, and in the end what came of it.

    An error in it is its own outcome; the others go on.
    """

    def __init__(self, plan: Plan, data: FashionMNIST, device: torch.device, warn: Callable[[str], None]) -> None:
        self.plan, self.outcome, self.steps = plan, None, None
        self.stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        if self.stream is not None:
            self.stream.wait_stream(torch.cuda.current_stream(device))  # for the data
        self._attempt(self._prepare, data, device, warn)

    def begin(self) -> None:
        """Start an epoch."""
        self._attempt(self._begin)

    def step(self, i: int) -> int:
        """Launch step i, from 0; returns the number of its examples, 0 if there is no such step."""
        if self.outcome or i >= self.run.steps:
            return 0
        self._attempt(self._step, i)
        return len(self.steps.batches[i])

    def end(self) -> None:
        """Wait for the epoch and note it."""
        self._attempt(self._end)

    def _prepare(self, data: FashionMNIST, device: torch.device, warn: Callable[[str], None]) -> None:
        config = self.plan.config
        torch.manual_seed(config.seed)
        self.run = Run(LeNet(self.plan.norm).to(device), data, config)
        self.steps = make_steps(self.run.model, data, config, World(), warn)
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
