"""The device to train on: the fastest one this machine has, or the one asked for, or a clear refusal."""

import torch

from bnlib.language import message


def choose_device(device: str | torch.device | None = None) -> torch.device:
    """The device to compute on.

    Args:
        device: None or "auto" for the first there is of cuda, mps, cpu; otherwise a device or its name, such
            as "cpu" or "cuda:1".

    Raises:
        ValueError: a name that means nothing, or a device this machine lacks.
    """
    if device is None or device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if _has_mps() else "cpu")
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError):  # torch's own message lists twenty backends over several lines
        chosen = None
    if chosen is None or not _is_here(chosen):
        available = ", ".join(_available())
        raise ValueError(message("training.device_missing", device=str(device), available=available))
    return chosen


def _is_here(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()
    return device.type == "cpu" or (device.type == "mps" and _has_mps())


def _available() -> list[str]:
    gpus = [f"cuda:{i}" for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    return ["cpu", *(["mps"] if _has_mps() else []), *gpus]


def _has_mps() -> bool:
    return torch.backends.mps.is_available()
