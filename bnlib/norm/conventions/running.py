"""Each convention run: training steps and predictions as the framework does them, and how far they end apart."""

from collections.abc import Sequence

import torch
from torch import Tensor

from bnlib.norm.conventions.conversion import convert_momentum
from bnlib.norm.conventions.rows import CONVENTIONS, Convention, State, row_of, vectors_of
from bnlib.norm.normalization import wide
from bnlib.norm.statistics import along_channels, batch_mean_var, values_per_channel


def initial_state(convention: Convention | str, channels: int, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """What a new layer of `channels` channels holds, under the framework's own names."""
    row = row_of(convention)
    state = {name: torch.full((channels,), v, dtype=dtype) for name, v in zip(row.names, row.initial, strict=True)}
    return state | ({row.counter: torch.tensor(0)} if row.counter else {})


def train_step(
    convention: Convention | str, x: Tensor, state: State, momentum: float | None = None, eps: float | None = None
) -> tuple[Tensor, dict[str, Tensor]]:
    """One step in training as the framework does it.

        y = (x - mean) / sqrt(var + eps) * scale + shift        running <- a running + (1 - a) new

    with a = momentum where it weighs the old value, 1 - momentum where it weighs the new one; new is the batch's mean,
    and its variance var, times m / (m - 1) for PyTorch. mean and var are those of m = N * spatial values, var divides
    by m.

    Args:
        convention: a key of CONVENTIONS, or a row.
        x: in the framework's own layout, (N, C, *) or (N, *, C). Half precision is computed in float32.
        state: C values under each of the framework's names, (C,) or the lecture's (1, C) and (1, C, 1, 1).
        momentum, eps: in the framework's own meaning; None for its default.

    Returns:
        y in shape and dtype of x, and the state with new running statistics, without history. Nothing is changed in
        place.

    Raises:
        ValueError: an unknown name; names that are not the framework's; fewer than two axes; fewer than one value per
            channel, two for PyTorch.
        RuntimeError: a state of another number of channels.
    """
    row = row_of(convention)
    first = _channels_first(x, row)
    scale, shift, running_mean, running_var = _vectors(row, state, first)
    m, least = values_per_channel(first), 2 if row.running_var == "unbiased" else 1
    if m < least:
        raise ValueError(
            f"{row.name} in training expected at least {least} value(s) per channel, got x of shape {tuple(x.shape)} "
            f"with {m}. Use a larger batch, or predict."
        )
    mean, var = batch_mean_var(wide(first))  # (1, C, 1, ...)
    kept = var * m / (m - 1) if row.running_var == "unbiased" else var
    momentum = row.momentum if momentum is None else momentum
    old = momentum if row.momentum_weighs == "old" else 1 - momentum
    y = _normalize(first, mean, var, scale, shift, row.eps if eps is None else eps)
    moved = {row.names[2]: _moved(running_mean, mean, old), row.names[3]: _moved(running_var, kept, old)}
    counted = {row.counter: state[row.counter] + 1} if row.counter in state else {}
    return _own_layout(y, row), {**state, **moved, **counted}


def predict(convention: Convention | str, x: Tensor, state: State, eps: float | None = None) -> Tensor:
    """The output in prediction, by the running statistics; arguments and errors as in `train_step`, any batch size."""
    row = row_of(convention)
    first = _channels_first(x, row)
    scale, shift, mean, var = _vectors(row, state, first)
    return _own_layout(_normalize(first, mean, var, scale, shift, row.eps if eps is None else eps), row)


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
    momentum = convert_momentum(0.9, "lecture", row) if matched else None
    eps = 1e-5 if matched else None
    state = initial_state(row, x.shape[1], x.dtype)
    y = x
    for batch in batches:
        y, state = train_step(row, _own_layout(batch, row), state, momentum, eps)
    prediction = predict(row, _own_layout(x, row), state, eps)
    _, _, mean, var = vectors_of(row, state)
    return _channels_first(y, row), mean, var, _channels_first(prediction, row)


def _normalize(x: Tensor, mean: Tensor, var: Tensor, scale: Tensor, shift: Tensor, eps: float) -> Tensor:
    mean, var, scale, shift = (along_channels(wide(v).flatten(), x) for v in (mean, var, scale, shift))
    return ((wide(x) - mean) / torch.sqrt(var + eps) * scale + shift).to(x.dtype)


def _moved(running: Tensor, new: Tensor, old: float) -> Tensor:
    return (old * wide(running) + (1 - old) * new.detach().view_as(running)).to(running.dtype)


def _channels_first(x: Tensor, row: Convention) -> Tensor:
    if x.dim() < 2:
        raise ValueError(
            f"{row.name} got x of shape {tuple(x.shape)}; expected a batch axis and a channel axis. Add the missing "
            "one, for example with x.unsqueeze(0)."
        )
    return x.movedim(row.channel_axis, 1)


def _own_layout(x: Tensor, row: Convention) -> Tensor:
    return x.movedim(1, row.channel_axis)


def _vectors(row: Convention, state: State, x: Tensor) -> tuple[Tensor, ...]:
    """Scale, shift, mean and variance of a state that fits x (N, C, *)."""
    vectors = vectors_of(row, state)
    for name, vector in zip(row.names, vectors, strict=True):
        if vector.numel() != x.shape[1]:
            raise RuntimeError(
                f"{name} should contain {x.shape[1]} elements, one per channel, not {vector.numel()}. {row.name} has "
                f"its channels on axis {row.channel_axis} of x; move them with x.movedim if they lie elsewhere."
            )
    return vectors
