"""What an epoch of training begins and ends with, for one run alone and for several side by side."""

from typing import NoReturn

import torch

from bnlib.training.divergence import DivergedError, first_layer_affected, is_broken
from bnlib.training.history import EpochRow
from bnlib.training.run import Run
from bnlib.training.scoring import evaluate
from bnlib.training.steps import Steps


def begin_epoch(run: Run, steps: Steps) -> dict:
    """Draw the order of the examples and put the model into training mode.

    Returns:
        The run's state, from which an epoch that diverges is played back.
    """
    steps.begin(run.begin_epoch(), run.sums, run.done)
    run.sums = steps.sums
    run.model.train()
    return run.state(run.device)


def end_epoch(run: Run, steps: Steps, at_start: dict) -> EpochRow:
    """Read the epoch's sums, for which Python waits for the device, score the test images, and note the row.

    Raises:
        DivergedError: a step's loss was not finite, or exploded.
    """
    sums = run.sums.cpu().double()
    sizes = torch.tensor([len(batch) for batch in steps.batches])
    broken = is_broken(sums[:, 0] / sizes).nonzero()
    if len(broken):
        play_back(run, steps, at_start, broken[0].item())
    loss, hits = (sums.sum(0) / run.examples).tolist()
    return run.end_epoch(loss, hits, evaluate(run.model, run.data.test_images, run.data.test_labels))


def play_back(run: Run, steps: Steps, at_start: dict, i: int) -> NoReturn:
    """Take the epoch's steps again up to just before step i, which diverged, and find the layer.

    Raises:
        DivergedError: always.
    """
    loss = run.sums[i, 0].item() / len(steps.batches[i])
    first = at_start["done"]
    run.restore(at_start)
    steps.begin(run.begin_epoch(), run.sums, first)
    for k in range(first, i):
        steps.run(k)
    run.done = i
    layer = first_layer_affected(run.model, run.data.train_images[steps.batches[i]])
    raise DivergedError(run.epoch, i + 1, loss, run.config.lr, layer, run.history())
