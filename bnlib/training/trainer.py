"""The lecture's training loop (the mathematics of d2l.train_ch6), written so that the device never waits.

The data is moved to the device once and shuffled there; loss and hits stay there until somebody wants to see them.
Random numbers: the order of the examples comes from a generator of its own on the device, seeded by
`TrainConfig.seed`; torch's global generator is left to the model (dropout, say) and its initialization.
On a CPU, equal weights, an equal seed and an equal number of threads give equal histories to the last bit, time aside,
whether a run was stopped and resumed or not.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from bnlib.language import message
from bnlib.training.checkpoint import Checkpoints, check_resumable, read
from bnlib.training.config import LECTURE, TrainConfig
from bnlib.training.device import choose_device
from bnlib.training.distributed import World
from bnlib.training.divergence import is_broken
from bnlib.training.epoch import begin_epoch, end_epoch, play_back
from bnlib.training.fashion_mnist import FashionMNIST
from bnlib.training.history import EpochRow, History
from bnlib.training.interrupt import Interrupt
from bnlib.training.live import Live
from bnlib.training.progress import Progress
from bnlib.training.run import Run
from bnlib.training.scoring import normalizations, score
from bnlib.training.steps import Steps, make_steps


class TrainingWarning(UserWarning):
    """Training goes on, but not as asked for: a checkpoint wasn't written, or another path was taken."""


@dataclass(frozen=True)
class Moment:
    """What a callback is told after every step, gradients still in place, and after every epoch."""

    kind: Literal["step", "epoch"]
    epoch: int  # from 1
    step: int  # from 1, over the whole run
    model: nn.Module  # in training mode; whoever changes that restores it
    loss: Tensor  # 0-d: of the step's minibatch on the device, to be read before the next step, or the epoch's mean
    row: EpochRow | None = None  # of an epoch


def train(
    model: nn.Module,
    data: FashionMNIST,
    config: TrainConfig = LECTURE,
    *,
    device: str | torch.device | None = None,
    progress: bool | None = None,
    live: bool = False,
    callback: Callable[[Moment], None] | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    checkpoint_seconds: float = 10.0,
) -> History:
    """Train by minibatch SGD on the cross-entropy and score the test images after every epoch.

    Ctrl-C ends the run after the step it is in, saves, and returns what there is, with `History.interrupted` set. Where
    torch.distributed is initialized, the processes of the default group train one model together, each with its part
    of every batch; Ctrl-C then ends them as it ends any program. On a CPU it takes as many threads as torch does;
    on a shared machine fewer can be faster (`bnlib.training.threads` finds out), and the last digits differ.

    Args:
        model: from images (N, 1, 28, 28) to logits; changed in place, moved to the device, and at the end in
            prediction mode. It is not initialised anew: that happened when it was made.
        data: copied to the device if it is elsewhere.
        device: as in `choose_device`: None takes the fastest there is.
        progress: True, False, or None to show a bar in terminals and notebooks only.
        live: True to draw the learning curve below a notebook's cell while it grows; elsewhere it does nothing, so that
            the same code runs as a script (`History.curve` draws it afterwards).
        callback: called with a `Moment` after every step and every epoch.
        checkpoint: a file that holds, every few seconds and at the end, all that is needed to go on.
        resume: go on from that file if it is there; without it, an existing file is refused and not overwritten.
        checkpoint_seconds: between two writings of the file; 0 writes it after every step.

    Returns:
        A row per epoch. Training loss and accuracy are means over the epoch's examples, each taken in
        training mode just before its step; the test accuracy is taken in prediction mode.

    Raises:
        TypeError: a config that is none.
        ValueError: a device or path this machine lacks; no examples; a batch of one where BatchNorm1d needs two;
            `score_every` for a model without batch normalization that tracks statistics; `resume` without a
            checkpoint, or with one of another model or run.
        FileExistsError: a checkpoint that is there already, without `resume`.
        DivergedError: the loss was not finite, or exploded; on a CPU at once, elsewhere at the end of the epoch.
    """
    if not isinstance(config, TrainConfig):
        raise TypeError(message("training.not_a_config", kind=type(config).__name__))
    device, world = choose_device(device), World.here()
    check(model, data, config, world, device)
    model.to(device)
    run = Run(model, data.to(device), config)
    path = None if checkpoint is None else Path(checkpoint)
    _begin(run, path, resume)
    curve = Live(live and world.leads, config.epochs)
    saver = Checkpoints(path if world.leads else None, checkpoint_seconds, _warn)
    steps = make_steps(model, run.data, config, world, _warn)
    run.path = steps.path
    with Progress(progress if world.leads else False, config.epochs, run.examples) as bar, curve:
        curve.draw(run.rows)  # of a run that goes on
        with Interrupt(world.size == 1) as interrupt:
            while run.epoch <= config.epochs and not interrupt.asked:
                _epoch(run, steps, bar, saver, interrupt, callback)
                curve.draw(run.rows)
            saver.save(run.state(), last=True)
    model.to(memory_format=torch.contiguous_format).eval()
    return run.history()


def _epoch(run: Run, steps: Steps, bar, saver, interrupt: Interrupt, callback) -> None:
    """One epoch, or the rest of one; it ends early when an interrupt is asked for."""
    config, model = run.config, run.model
    at_start = begin_epoch(run, steps)
    free_to_read = run.device.type == "cpu"
    bar.begin(run.epoch, run.sums, run.done, min(run.done * config.batch_size, run.examples))
    for i in range(run.done, run.steps):
        loss = steps.run(i)
        run.done = i + 1
        bar.advance(len(steps.batches[i]))
        if free_to_read and is_broken(loss):
            play_back(run, steps, at_start, i)
        if callback:
            callback(Moment("step", run.epoch, run.step, model, loss))
        if config.score_every and run.step % config.score_every == 0:
            run.scores.append(score(model, run.data, config.batch_size, run.epoch, run.step))
        if saver.due():
            saver.save(run.state())
        if interrupt.asked:
            return
    row = end_epoch(run, steps, at_start)
    bar.end(row)
    if callback:
        callback(Moment("epoch", row.epoch, run.step, model, torch.tensor(row.loss), row))


def _begin(run: Run, path: Path | None, resume: bool) -> None:
    """Take up the checkpoint if there is one and it is wanted."""
    if path is None and resume:
        raise ValueError(message("training.resume_what"))
    if path is None or not path.exists():
        return
    if not resume:
        raise FileExistsError(message("training.checkpoint_exists", path=path))
    state = read(path)
    check_resumable(path, state, run.config, run.data.name, run.examples, str(run.device), run.norm)
    run.restore(state)
    was, now = state["threads"], torch.get_num_threads()
    if run.device.type == "cpu" and was != now:
        _warn(message("training.other_threads", was=was, now=now))


def check(model: nn.Module, data: FashionMNIST, config: TrainConfig, world: World, device: torch.device) -> None:
    """Refuse what would otherwise fail when the run begins, or in the middle of an epoch.

    Raises:
        ValueError: what `train` says.
    """
    if config.path == "graph" and device.type != "cuda":
        raise ValueError(message("training.graph_needs_cuda", device=device))
    train, test = len(data.train_labels), len(data.test_labels)
    for images, labels in ((data.train_images, train), (data.test_images, test)):
        if len(images) == 0 or len(images) != labels:
            raise ValueError(message("training.unpaired", images=len(images), labels=labels))
    if config.score_every and not normalizations(model):
        raise ValueError(message("training.nothing_to_score"))
    if any(isinstance(module, nn.BatchNorm1d) for module in model.modules()):
        # scoring by batch statistics isn't divided among processes
        for examples, processes in ((train, world.size), *([(test, 1)] if config.score_every else [])):
            if _leaves_one(examples, config.batch_size, processes):
                raise ValueError(message("training.batch_of_one", batch_size=config.batch_size, examples=examples))


def _leaves_one(examples: int, batch_size: int, processes: int) -> bool:
    """Whether some process gets a single example of a full batch or of the last one."""
    batches = min(batch_size, examples), examples % batch_size
    return any(part == 1 for batch in batches for part in (batch // processes, -(-batch // processes)))


def _warn(sentence: str) -> None:
    warnings.warn(sentence, TrainingWarning, stacklevel=4)
