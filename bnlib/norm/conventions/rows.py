"""The rows of the table: what each framework keeps, what its momentum weighs, and what it calls things."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from torch import Tensor

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

# The rows by the name of the framework, in the order of the table.
CONVENTIONS = {row.name: row for row in _ROWS}


def table() -> list[dict[str, str]]:
    """CONVENTIONS as rows of strings, for printing."""
    return [
        {f.name: " ".join(map(str, v)) if isinstance(v := getattr(row, f.name), tuple) else str(v) for f in fields(row)}
        for row in CONVENTIONS.values()
    ]


def row_of(convention: Convention | str) -> Convention:
    """The row of a name, or the row itself; ValueError for a name without a row."""
    if isinstance(convention, Convention):
        return convention
    if convention not in CONVENTIONS:
        known = ", ".join(map(repr, CONVENTIONS))
        raise ValueError(f"There is no convention {convention!r}; expected one of {known}.")
    return CONVENTIONS[convention]


def vectors_of(row: Convention, state: State) -> tuple[Tensor, ...]:
    """A state's scale, shift, running mean and running variance; ValueError if the names are not the framework's."""
    if set(state) - {row.counter} != set(row.names):
        raise ValueError(f"A state with the names {sorted(state)} came; {row.name} has {sorted(row.names)}.")
    return tuple(state[name] for name in row.names)
