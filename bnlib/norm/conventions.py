"""How the lecture, d2l-en, PyTorch, Keras, Flax and ONNX differ: one table, of which each row can be run.

In training all of them compute (x - mean) / sqrt(var + eps) * scale + shift with the mean and the biased variance of
the batch. They differ in what they keep for prediction, in the value that `momentum` weighs, in eps, in the axis of
the channels, in names, and in how they know whether they are training. Only PyTorch keeps the unbiased variance, and
so it alone refuses a batch of one value per channel; the others return the shift for it, and take its variance for 0.

What the rows leave out, because it is arithmetic or an option and no convention:
- Keras and Flax compute the variance as E[x²] - E[x]², which float32 loses far from zero; the rows don't.
- A Keras layer with trainable=False predicts, even when called with training=True.
- Keras within TensorFlow 2 had a fused kernel for images that kept the unbiased variance
  (https://github.com/tensorflow/tensorflow/issues/55545): replace(CONVENTIONS["Keras"], running_var="unbiased").
- d2l-en prints code for four frameworks; the row is PyTorch's. Its JAX code weighs the old value by 0.9, its MXNet
  code has eps 1e-12.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from bnlib.norm.normalization import wide
from bnlib.norm.statistics import along_channels, batch_mean_var, values_per_channel

State = Mapping[str, Tensor]


@dataclass(frozen=True)
class Convention:
    """One row of the table; a row of your own, say dataclasses.replace(CONVENTIONS["Keras"], eps=1e-5), runs as well.

    momentum, eps: the defaults.
    momentum_weighs: "old" or "new", which of the two values in the moving average momentum multiplies.
    running_var: "biased" (divides by m) or "unbiased" (divides by m - 1): what is kept for prediction.
    channel_axis: 1 for (N, C, *), -1 for (N, *, C).
    mode: how the framework knows whether it trains.
    names: its names for scale γ, shift β, running mean and running variance. Linen keeps the first two in the
        collection "params", the others in "batch_stats".
    source: where this can be looked up.
    counter: its name for the number of training steps, where it counts them.
    initial: what the four of `names` start from; an ONNX node has nothing of its own, it is handed these.
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
    counter: str = ""
    initial: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 1.0)


# fmt: off
_ROWS = (
    #          name      momentum weighs eps   running_var  axis  mode
    Convention("lecture", 0.9,  "old", 1e-5, "biased",      1,  "torch.is_grad_enabled()",
               ("gamma", "beta", "moving_mean", "moving_var"),
               "batch_norm in the lecture notes and in https://zh.d2l.ai, section 7.5"),
    Convention("d2l-en",  0.1,  "new", 1e-5, "biased",      1,  "torch.is_grad_enabled()",
               ("gamma", "beta", "moving_mean", "moving_var"),
               "batch_norm, BatchNorm in https://d2l.ai/chapter_convolutional-modern/batch-norm.html, 1.0.3"),
    Convention("PyTorch", 0.1,  "new", 1e-5, "unbiased",    1,  "module.training",
               ("weight", "bias", "running_mean", "running_var"),
               "https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm2d.html, 2.13",
               "num_batches_tracked"),
    Convention("Keras",   0.99, "old", 1e-3, "biased",     -1,  "call argument training",
               ("gamma", "beta", "moving_mean", "moving_variance"),
               "https://keras.io/api/layers/normalization_layers/batch_normalization, 3.15; code of ops.moments"),
    Convention("Flax",    0.99, "old", 1e-5, "biased",     -1,  "use_running_average",
               ("scale", "bias", "mean", "var"),
               "linen.BatchNorm, nnx.BatchNorm in https://flax.readthedocs.io, 0.12; code of _compute_stats"),
    Convention("ONNX",    0.9,  "old", 1e-5, "biased",      1,  "attribute training_mode",
               ("scale", "B", "input_mean", "input_var"),
               "https://onnx.ai/onnx/operators/onnx__BatchNormalization.html, version 15"),
)
# fmt: on
CONVENTIONS = {row.name: row for row in _ROWS}


def initial_state(convention: Convention | str, channels: int, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """What a new layer of `channels` channels holds, under the framework's own names."""
    row = _row(convention)
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
    row = _row(convention)
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
    row = _row(convention)
    first = _channels_first(x, row)
    scale, shift, mean, var = _vectors(row, state, first)
    return _own_layout(_normalize(first, mean, var, scale, shift, row.eps if eps is None else eps), row)


def convert_momentum(momentum: float, source: Convention | str, target: Convention | str) -> float:
    """The same moving average in another framework's meaning: 1 - momentum where they weigh different values."""
    same = _row(source).momentum_weighs == _row(target).momentum_weighs
    return momentum if same else 1 - momentum


def variance_factor(source: Convention | str, target: Convention | str, values: int) -> float:
    """What the target keeps of a batch's variance, over what the source keeps: m / (m - 1), (m - 1) / m, or 1.

    Exact for one step of m = `values` values per channel. So where every step is seen, the target's running variance
    U follows from the source's B exactly, with a the weight of the old value:

        U_t = a U_(t-1) + factor_t (B_t - a B_(t-1))

    Raises:
        ValueError: fewer than 2 values, where one of them is unbiased.
    """
    kept = _row(source).running_var, _row(target).running_var
    if kept[0] == kept[1]:
        return 1.0
    if values < 2:
        raise ValueError(f"An unbiased variance needs at least 2 values per channel; got values={values}.")
    return values / (values - 1) if kept[1] == "unbiased" else (values - 1) / values


def convert(
    state: State,
    source: Convention | str,
    target: Convention | str,
    values: int | None = None,
    initial_share: float = 0.0,
) -> dict[str, Tensor]:
    """A layer's tensors under another framework's names.

    Scale, shift and running mean mean the same everywhere. The running variance doesn't: it is an average of terms
    that each carry a factor m / (m - 1) for PyTorch and none for the others, and the terms and their m are not stored.
    - values=None leaves it as it is. Then the target predicts what the source predicts, exactly, if it is given the
      source's eps (Keras' is 100 times the others'). That is what one wants of finished weights.
    - values=m gives what the target would have kept on the same data. This is exact if all steps had m values per
      channel, and a share s of the initial variance v is still in the average: var <- s v + factor (var - s v).
    - Steps of unequal m can't be converted afterwards; `variance_factor` has the formula for each step.

    Args:
        state: the source's names, as in `train_step`; a counter of steps may be there, and is left behind.
        values: m, the values per channel of each training step.
        initial_share: s = a**steps, with a the weight of the old value; (1 - momentum) ** num_batches_tracked in
            PyTorch.

    Returns:
        New tensors (C,), without history, under the target's names. For the lecture's and d2l's layers view them as
        (1, C) or (1, C, 1, 1); a torch layer loads them and keeps its own counter.

    Raises:
        ValueError: an unknown framework, names that are not the source's, or fewer than 2 values.
    """
    given, wanted = _row(source), _row(target)
    scale, shift, mean, var = (v.detach().flatten().clone() for v in _named(given, state))
    if values is not None:
        rest = initial_share * given.initial[3]
        var = rest + variance_factor(given, wanted, values) * (var - rest)
    return dict(zip(wanted.names, (scale, shift, mean, var), strict=True))


def table() -> list[dict[str, str]]:
    """CONVENTIONS as rows of strings, for printing."""
    return [
        {f.name: " ".join(map(str, v)) if isinstance(v := getattr(row, f.name), tuple) else str(v) for f in fields(row)}
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
    momentum = convert_momentum(0.9, "lecture", row) if matched else None
    eps = 1e-5 if matched else None
    state = initial_state(row, x.shape[1], x.dtype)
    y = x
    for batch in batches:
        y, state = train_step(row, _own_layout(batch, row), state, momentum, eps)
    prediction = predict(row, _own_layout(x, row), state, eps)
    _, _, mean, var = _named(row, state)
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
    vectors = _named(row, state)
    for name, vector in zip(row.names, vectors, strict=True):
        if vector.numel() != x.shape[1]:
            raise RuntimeError(
                f"{name} should contain {x.shape[1]} elements, one per channel, not {vector.numel()}. {row.name} has "
                f"its channels on axis {row.channel_axis} of x; move them with x.movedim if they lie elsewhere."
            )
    return vectors


def _named(row: Convention, state: State) -> tuple[Tensor, ...]:
    if set(state) - {row.counter} != set(row.names):
        raise ValueError(f"A state with the names {sorted(state)} came; {row.name} has {sorted(row.names)}.")
    return tuple(state[name] for name in row.names)


def _row(convention: Convention | str) -> Convention:
    if isinstance(convention, Convention):
        return convention
    if convention not in CONVENTIONS:
        known = ", ".join(map(repr, CONVENTIONS))
        raise ValueError(f"There is no convention {convention!r}; expected one of {known}.")
    return CONVENTIONS[convention]
