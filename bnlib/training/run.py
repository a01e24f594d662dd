"""How far a run of training has come: all that is needed to go on with it."""

import math
import time
from dataclasses import asdict

import torch
from torch import Tensor, nn

from bnlib.training.checkpoint import model_state, random_state, restore_model, restore_random_state
from bnlib.training.config import TrainConfig
from bnlib.training.fashion_mnist import FashionMNIST
from bnlib.training.history import EpochRow, History
from bnlib.training.lenet import LeNet
from bnlib.training.scoring import Scores


class Run:
    """A model, its data and its configuration, and where in the run we are.

    epoch, done: the epoch that runs, from 1, and how many of its steps are done.
    steps, examples: of one epoch.
    sums: (steps, 2) on the device, summed loss and hits of each batch of the epoch, over all processes.
    rows, scores: what is finished.
    norm: the normalization of a LeNet; "" for another model.
    """

    def __init__(self, model: nn.Module, data: FashionMNIST, config: TrainConfig) -> None:
        self.model, self.data, self.config = model, data, config
        self.device = data.train_labels.device
        self.examples = len(data.train_labels)
        self.steps = math.ceil(self.examples / config.batch_size)
        self.epoch, self.done = 1, 0
        self.sums = torch.zeros(self.steps, 2, device=self.device)
        self.rows: list[EpochRow] = []
        self.scores: list[Scores] = []
        self.path = ""  # how the steps run, in words
        self.norm = model.norm if isinstance(model, LeNet) else ""
        self._order = torch.Generator(self.device).manual_seed(config.seed)
        self._order_before = self._order.get_state()  # at the start of the epoch
        self._seconds = 0.0  # spent in this epoch before the last stop

    @property
    def step(self) -> int:
        """Steps done, over the whole run."""
        return (self.epoch - 1) * self.steps + self.done

    def begin_epoch(self) -> Tensor:
        """The order of the examples in this epoch, (examples,) on the device: the same again after a stop."""
        self._since = time.perf_counter() - self._seconds
        self._order.set_state(self._order_before)
        return torch.randperm(self.examples, generator=self._order, device=self.device)

    def end_epoch(self, loss: float, accuracy: float, test_accuracy: float) -> EpochRow:
        """Note the epoch's numbers and go on to the next one."""
        self.rows.append(EpochRow(self.epoch, loss, accuracy, test_accuracy, time.perf_counter() - self._since))
        self.epoch, self.done, self._seconds = self.epoch + 1, 0, 0.0
        self._order_before = self._order.get_state()
        return self.rows[-1]

    def state(self, device: str | torch.device = "cpu") -> dict:
        """All of it as tensors (on `device`), numbers and strings; `restore` goes on from it."""
        return {
            "config": asdict(self.config),
            "data": self.data.name,
            "examples": self.examples,
            "device": str(self.device),
            "path": self.path,
            "threads": torch.get_num_threads(),
            "torch": str(torch.__version__),
            "epoch": self.epoch,
            "done": self.done,
            "seconds": time.perf_counter() - self._since if self.done else 0.0,
            "order": self._order_before,
            "sums": self.sums.to(device, copy=True),
            "rows": [asdict(row) for row in self.rows],
            "scores": [asdict(scores) for scores in self.scores],
            "random": random_state(self.device),
            **model_state(self.model, device),
        }

    def restore(self, state: dict) -> None:
        """Go back, or forward, to where a state of this run was taken."""
        restore_model(self.model, state)
        restore_random_state(state["random"], self.device)
        self.epoch, self.done, self._seconds = state["epoch"], state["done"], state["seconds"]
        self._order_before = state["order"]
        self.sums = state["sums"].to(self.device)
        self.rows = [EpochRow(**row) for row in state["rows"]]
        self.scores = [Scores(**{**scores, "lags": tuple(scores["lags"])}) for scores in state["scores"]]

    def history(self) -> History:
        """What there is to tell of it."""
        finished = len(self.rows) == self.config.epochs
        facts = (self.config, self.data.name, str(self.device), self.examples, self.path)
        return History(tuple(self.rows), *facts, tuple(self.scores), interrupted=not finished, norm=self.norm)
