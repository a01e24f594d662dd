"""Checkpoints: everything a run needs to go on as if nothing had happened, in one file that is replaced whole.

A checkpoint is a dictionary of tensors, numbers and strings, which `torch.load(path, weights_only=True)` reads: loading
one runs no code of whoever wrote it.
"""

import os
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from glob import escape
from io import BytesIO
from pathlib import Path

import torch
from torch import Tensor, nn

from bnlib.language import message
from bnlib.training.config import TrainConfig
from bnlib.training.lenet import NORMS, LeNet

FORMAT = 1  # of the dictionary; raised when an older reader would misread it


class Checkpoints:
    """The checkpoint file of a run, written every few seconds.

    A disk that is full or a folder that can't be written is reported once, and the training goes on: the file there is
    from before stays as it was, and the next attempt may succeed.

    Args:
        path: the file, or None to keep nothing.
        seconds: between two checkpoints; 0 writes after every step.
        report: called with a sentence when writing fails.
    """

    def __init__(self, path: Path | None, seconds: float, report: Callable[[str], None]) -> None:
        self.path, self.seconds, self.report = path, seconds, report
        self.last = time.monotonic()
        self.failure = ""
        if path is not None:
            # of a run that was killed while writing; digits, as ".run.*" is also how a draft of run.pt begins
            for draft in path.parent.glob(f".{escape(path.name)}.[0-9]*.draft"):
                with suppress(OSError):  # a folder that can't be written is reported when it is written to
                    draft.unlink()

    def due(self) -> bool:
        """Whether it is time for the next one."""
        return self.path is not None and time.monotonic() - self.last >= self.seconds

    def save(self, state: dict, last: bool = False) -> bool:
        """Write the state; returns whether it lies in the file now. No attempt follows the last one."""
        if self.path is None:
            return False
        try:
            write(self.path, state)
        except OSError as error:
            reason = error.strerror or str(error)
            if last or reason != self.failure:
                key = "training.never_saved" if last else "training.not_saved"
                self.report(message(key, path=self.path, reason=reason))
            self.failure = reason
        else:
            self.failure = ""
        self.last = time.monotonic()
        return not self.failure


def write(path: Path, state: dict) -> None:
    """Write a checkpoint so that whoever reads meets the old file or the new one, whole, even after a power cut.

    Raises:
        OSError: it can't be written; an older file is unharmed.
    """
    content = BytesIO()  # in memory first: torch's writer turns the system's errors into long ones of its own
    torch.save({"format": FORMAT, **state}, content)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        with open(draft, "wb") as file:
            file.write(content.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def read(path: str | Path) -> dict:
    """The dictionary of a checkpoint, its tensors on the CPU.

    Raises:
        FileNotFoundError: there is none.
        OSError: it can't be read.
        ValueError: the file is something else, damaged, or from another version.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(message("training.no_checkpoint", path=path))
    content = path.read_bytes()  # what the system refuses is told apart from what the content is
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about the pickle protocol of what is no pickle
            state = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
    except Exception:  # of a dozen types; their messages run over many lines and advise to load without weights_only
        state = None
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise ValueError(message("training.not_a_checkpoint", path=path))
    return state


def load_model(path: str | Path) -> LeNet:
    """The LeNet of a checkpoint, on the CPU and in prediction mode.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no checkpoint, or one of another model.
    """
    state = read(path)
    if state["norm"] not in NORMS:
        raise ValueError(message("training.not_a_lenet", path=path))
    model = LeNet(state["norm"], num_classes=len(state["model"]["linear3.bias"]))
    restore_model(model, state)
    return model.eval()


def model_state(model: nn.Module, device: str | torch.device = "cpu") -> dict:
    """A copy, on a device, of what a model has learned: parameters, buffers, and tensors that are neither, such as the
    moving averages of the lecture's layer, which state_dict() forgets."""
    return {
        "norm": model.norm if isinstance(model, LeNet) else "",
        "model": {name: t.detach().to(device, copy=True) for name, t in model.state_dict().items()},
        "plain": {name: t.detach().to(device, copy=True) for name, t in _plain(model).items()},
    }


def restore_model(model: nn.Module, state: dict) -> None:
    """Put a state of `model_state` into a model of the same architecture, in place.

    Raises:
        ValueError: names or shapes differ.
    """
    try:
        model.load_state_dict(state["model"])
    except RuntimeError:  # torch lists every name
        raise ValueError(message("training.other_model")) from None
    for name, tensor in state["plain"].items():
        owner, _, attribute = name.rpartition(".")
        module = model.get_submodule(owner)
        setattr(module, attribute, tensor.to(next(module.parameters(), tensor).device))


def check_resumable(
    path: Path, state: dict, config: TrainConfig, data: str, examples: int, device: str, norm: str
) -> None:
    """Refuse to go on with other mathematics than the run began with; more epochs are welcome, fewer are past.

    Raises:
        ValueError: what differs, and how.
    """
    now = {**asdict(config), "data": data, "examples": examples, "device": device.partition(":")[0], "norm": norm}
    was = {**state["config"], **{name: state[name] for name in ("data", "examples", "device", "norm")}}
    was["device"] = was["device"].partition(":")[0]  # orders drawn on a CPU and on a GPU differ
    for name in now:
        if name != "epochs" and was[name] != now[name]:
            raise ValueError(
                message("training.other_run", path=path, name=name, was=repr(was[name]), now=repr(now[name]))
            )
    begun = state["epoch"] if state["done"] else state["epoch"] - 1
    if begun > config.epochs:
        raise ValueError(message("training.fewer_epochs", path=path, begun=begun, epochs=config.epochs))


def random_state(device: torch.device) -> dict[str, Tensor]:
    """The state of torch's global generators, from which dropout draws, of the CPU and of the device."""
    states = {"cpu": torch.get_rng_state()}
    if device.type != "cpu":
        states["device"] = getattr(torch, device.type).get_rng_state()
    return states


def restore_random_state(states: dict[str, Tensor], device: torch.device) -> None:
    torch.set_rng_state(states["cpu"])
    if device.type != "cpu":
        getattr(torch, device.type).set_rng_state(states["device"])


def _plain(model: nn.Module) -> dict[str, Tensor]:
    return {
        f"{name}.{attribute}".removeprefix("."): value
        for name, module in model.named_modules()
        for attribute, value in vars(module).items()
        if isinstance(value, Tensor)
    }
