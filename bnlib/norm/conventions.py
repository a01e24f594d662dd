"""How the lecture, d2l-en, PyTorch, Keras, Flax and ONNX differ: one table, of which each row can be run.

All compute the same output in training: (x - mean) / sqrt(var + eps) * scale + shift with the batch's mean and biased
variance. They differ in what they keep for prediction, in the value that `momentum` weighs, in eps, in the axis of
the channels, and in how they know whether they are training.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import torch
from torch import Tensor

from bnlib.norm.statistics import batch_mean_var


@dataclass(frozen=True)
class Convention:
    """One row of the table.

    momentum, eps: the defaults.
    momentum_weighs: "old" or "new", which of the two values in the moving average momentum multiplies.
    running_var: "biased" (divides by m) or "unbiased" (divides by m - 1): what is kept for prediction.
    channel_axis: 1 for (N, C, *), -1 for (N, *, C).
    mode: how the framework knows whether it trains.
    names: its names for scale γ, shift β, running mean and running variance.
    source: where this can be looked up.
    """

    name: str
    momentum: float
    momentum_weighs: str
    eps: float
    running_var: str
    channel_axis: int
    mode: str
    names: tuple[str, str, str, str]
    source: str


class State(NamedTuple):
    """What a layer holds, each (C,): scale γ, shift β, and the running statistics."""

    scale: Tensor
    shift: Tensor
    mean: Tensor
    var: Tensor


CONVENTIONS = {
    row.name: row
    for row in (
        Convention(
            "lecture",
            0.9,
            "old",
            1e-5,
            "biased",
            1,
            "torch.is_grad_enabled()",
            ("gamma", "beta", "moving_mean", "moving_var"),
            "zh.d2l.ai, section 7.5; bnlib.lecture",
        ),
        Convention(
            "d2l-en",
            0.1,
            "new",
            1e-5,
            "biased",
            1,
            "torch.is_grad_enabled()",
            ("gamma", "beta", "moving_mean", "moving_var"),
            "d2l.ai, section 8.5",
        ),
        Convention(
            "PyTorch",
            0.1,
            "new",
            1e-5,
            "unbiased",
            1,
            "module.training",
            ("weight", "bias", "running_mean", "running_var"),
            "torch.nn.BatchNorm2d, 2.13",
        ),
        Convention(
            "Keras",
            0.99,
            "old",
            1e-3,
            "biased",
            -1,
            "call argument training",
            ("gamma", "beta", "moving_mean", "moving_variance"),
            "keras.layers.BatchNormalization, 3.15",
        ),
        Convention(
            "Flax",
            0.99,
            "old",
            1e-5,
            "biased",
            -1,
            "use_running_average",
            ("scale", "bias", "mean", "var"),
            "flax.linen.BatchNorm and flax.nnx.BatchNorm, 0.12",
        ),
        Convention(
            "ONNX",
            0.9,
            "old",
            1e-5,
            "biased",
            1,
            "attribute training_mode",
            ("scale", "B", "input_mean", "input_var"),
            "onnx.ai/onnx/operators, BatchNormalization-15",
        ),
    )
}


def initial_state(channels: int, dtype: torch.dtype = torch.float32) -> State:
    """The state that all six start from: scale 1, shift 0, mean 0, variance 1."""
    zeros, ones = torch.zeros(channels, dtype=dtype), torch.ones(channels, dtype=dtype)
    return State(ones, zeros, zeros.clone(), ones.clone())


def train_step(
    name: str, x: Tensor, state: State, momentum: float | None = None, eps: float | None = None
) -> tuple[Tensor, State]:
    """One step in training as the named framework does it.

    Args:
        name: a key of CONVENTIONS.
        x: in the framework's own layout, (N, C, *) or (N, *, C); at least two values per channel.
        momentum, eps: in the framework's own meaning; None for its default.

    Returns:
        The output in the layout of x, and the state with new running statistics; nothing is changed in place.

    Raises:
        ValueError: an unknown name.
    """
    row = _row(name)
    momentum = row.momentum if momentum is None else momentum
    old = momentum if row.momentum_weighs == "old" else 1 - momentum
    channels_first = _channels_first(x, row)
    mean, var = (s.flatten() for s in batch_mean_var(channels_first))
    y = _normalize(channels_first, State(state.scale, state.shift, mean, var), row.eps if eps is None else eps)
    m = channels_first.numel() // len(mean)
    kept = var * m / (m - 1) if row.running_var == "unbiased" else var
    running = old * state.mean + (1 - old) * mean, old * state.var + (1 - old) * kept
    return _own_layout(y, row), state._replace(mean=running[0], var=running[1])


def predict(name: str, x: Tensor, state: State, eps: float | None = None) -> Tensor:
    """The output in prediction as the named framework gives it; arguments and errors as in `train_step`."""
    row = _row(name)
    return _own_layout(_normalize(_channels_first(x, row), state, row.eps if eps is None else eps), row)


def convert_momentum(momentum: float, source: str, target: str) -> float:
    """The same moving average in another framework's meaning: a = 1 - p where they weigh different values."""
    same = _row(source).momentum_weighs == _row(target).momentum_weighs
    return momentum if same else 1 - momentum


def convert(state: dict[str, Tensor], source: str, target: str) -> dict[str, Tensor]:
    """A layer's tensors under another framework's names.

    Scale, shift and running mean mean the same everywhere. So does the running variance, but for a factor of
    m / (m - 1) in what each batch of m values added to it; m is not stored, so it can't be corrected afterwards, and is
    left as it is. Take the source's eps along: Keras' is 100 times the others'.

    Args:
        state: the source's names; tensors (C,), or the (1, C) and (1, C, 1, 1) of the lecture and d2l.

    Returns:
        The target's names and the same values, each (C,).

    Raises:
        ValueError: an unknown framework, or names that are not the source's.
    """
    names = _row(source).names
    if set(state) != set(names):
        raise ValueError(f"convert got the names {sorted(state)}; {source} has {sorted(names)}.")
    return {new: state[old].flatten() for old, new in zip(names, _row(target).names, strict=True)}


def table() -> list[dict[str, str]]:
    """CONVENTIONS as rows of strings, for printing."""
    return [
        {f.name: " ".join(v) if isinstance(v := getattr(row, f.name), tuple) else f"{v}" for f in fields(row)}
        for row in CONVENTIONS.values()
    ]


def compare(batches: Sequence[Tensor], x: Tensor, *, matched: bool) -> list[dict[str, float | str]]:
    """Train every convention on the same batches, and measure how far it ends from PyTorch's.

    Args:
        batches: (N, C, *) each, one step each.
        x: (N, C, *), on which all predict in the end.
        matched: momentum and eps of the lecture for all (0.9 on the old value, 1e-5) instead of each one's defaults.

    Returns:
        For each convention its name and the largest absolute difference to PyTorch's: output (of the last training
        step), mean and var (the running statistics), prediction.
    """
    ended = {name: _run(row, batches, x, matched) for name, row in CONVENTIONS.items()}
    columns = ("output", "mean", "var", "prediction")
    return [
        {"name": name}
        | {c: (a - b).abs().max().item() for c, a, b in zip(columns, results, ended["PyTorch"], strict=True)}
        for name, results in ended.items()
    ]


def _run(row: Convention, batches: Sequence[Tensor], x: Tensor, matched: bool) -> tuple[Tensor, ...]:
    momentum = convert_momentum(0.9, "lecture", row.name) if matched else None
    eps = 1e-5 if matched else None
    state = initial_state(x.shape[1], x.dtype)
    y = x
    for batch in batches:
        y, state = train_step(row.name, _own_layout(batch, row), state, momentum, eps)
    prediction = predict(row.name, _own_layout(x, row), state, eps)
    return _channels_first(y, row), state.mean, state.var, _channels_first(prediction, row)


def _normalize(x: Tensor, state: State, eps: float) -> Tensor:
    scale, shift, mean, var = (v.view(1, -1, *(1,) * (x.dim() - 2)) for v in state)
    return (x - mean) / torch.sqrt(var + eps) * scale + shift


def _channels_first(x: Tensor, row: Convention) -> Tensor:
    return x.movedim(row.channel_axis, 1)


def _own_layout(x: Tensor, row: Convention) -> Tensor:
    return x.movedim(1, row.channel_axis)


def _row(name: str) -> Convention:
    if name not in CONVENTIONS:
        raise ValueError(f"There is no convention {name!r}; expected one of {', '.join(map(repr, CONVENTIONS))}.")
    return CONVENTIONS[name]
