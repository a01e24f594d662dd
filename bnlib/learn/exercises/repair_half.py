"""Exercise: repair a normalization that gives NaN in half precision (chapter 06, case 9)."""

import torch
from torch.nn import functional as F

from bnlib.learn.exercise import Ask, CodeExercise, Inputs, Property, batch, need_shape
from bnlib.learn.show import unequal

ROUNDING = 2e-3  # of a right result in float16, in parts of the larger of it and 1


def ask(answer, inputs: Inputs):
    """Y as it is in exact numbers where it differs from them by no more than rounding, and its dtype."""
    X = inputs["X"]
    Y = need_shape("Y", answer(X, inputs["eps"]), X.shape)
    exact = F.batch_norm(X.double(), None, None, training=True, eps=inputs["eps"])
    near = (Y.double() - exact).abs() <= ROUNDING * exact.abs().clamp(min=1)
    return {"Y": torch.where(near, exact, Y.to(X.dtype).double()), "Y.dtype": str(Y.dtype)}


def given(*column: float, dtype: torch.dtype):
    return lambda generator: {"X": torch.tensor(column, dtype=dtype).unsqueeze(1), "eps": 1e-5}


def drawn(n: int, d: int, mean: float, spread: float, dtype: torch.dtype):
    def make(generator):
        return {"X": (mean + spread * batch(n, d, generator=generator)).to(dtype), "eps": 1e-5}

    return make


def normalize(X, eps):
    mean = X.sum(dim=0) / len(X)
    var = (X * X).sum(dim=0) / len(X) - mean * mean
    return (X - mean) / torch.sqrt(var + eps)


def right(X, eps):
    exact = X.float()
    mean = exact.mean(dim=0)
    var = ((exact - mean) ** 2).mean(dim=0)
    return ((exact - mean) / torch.sqrt(var + eps)).to(X.dtype)


def clamped(X, eps):
    mean = X.sum(dim=0) / len(X)
    var = (X * X).sum(dim=0) / len(X) - mean * mean
    return (X - mean) / torch.sqrt(var.nan_to_num(0).clamp(min=0) + eps)


def cast_too_late(X, eps):
    mean = X.sum(dim=0).float() / len(X)
    var = (X * X).sum(dim=0).float() / len(X) - mean * mean
    return ((X - mean) / torch.sqrt(var + eps)).to(X.dtype)


def statistics_in_half(X, eps):
    var, mean = torch.var_mean(X, dim=0, correction=0)
    return (X - mean) / torch.sqrt(var + eps)


def two_steps_in_half(X, eps):
    mean = X.mean(dim=0)
    var = ((X - mean) ** 2).mean(dim=0)
    return (X - mean) / torch.sqrt(var + eps)


def not_negative(X, eps):
    mean = X.sum(dim=0) / len(X)
    var = (X * X).sum(dim=0) / len(X) - mean * mean
    return (X - mean) / torch.sqrt(var.clamp(min=0) + eps)


def divided(X, by):
    """Computed in float32 as it should be, but divided by another function of the variance."""
    exact = X.float()
    return ((exact - exact.mean(dim=0)) / by(exact.var(dim=0, correction=0))).to(X.dtype)


def unbiased(X, eps):
    exact = X.float()
    return ((exact - exact.mean(dim=0)) / torch.sqrt(exact.var(dim=0) + eps)).to(X.dtype)


MISTAKES = {
    "unchanged": normalize,
    "bigger_eps": lambda X, eps: normalize(X, max(eps, 1e-3)),
    "nan_to_zero": lambda X, eps: normalize(X, eps).nan_to_num(0.0),
    "not_negative": not_negative,
    "clamped": clamped,
    "cast_too_late": cast_too_late,
    "statistics_in_half": statistics_in_half,
    "two_steps_in_half": two_steps_in_half,
    "bfloat16": lambda X, eps: right(X.bfloat16(), eps).to(X.dtype),
    "cancels": lambda X, eps: normalize(X.float(), eps).to(X.dtype),
    "cancels_not_negative": lambda X, eps: not_negative(X.float(), eps).to(X.dtype),
    "eps_outside": lambda X, eps: divided(X, lambda var: torch.sqrt(var) + eps),
    "no_eps": lambda X, eps: divided(X, torch.sqrt),
    "only_not_zero": lambda X, eps: divided(X, lambda var: torch.sqrt(var).clamp(min=1e-9)),
    "unbiased": unbiased,
    "returns_float32": lambda X, eps: right(X.float(), eps),
    "returns_half": lambda X, eps: right(X, eps).half(),
}


def zero_mean(ask: Ask, inputs: Inputs) -> str | None:
    mean = ask(inputs)["Y"].mean(0)
    return unequal("Y.mean(0)", torch.where(mean.abs() <= ROUNDING, 0.0, mean), torch.zeros_like(mean))


def like_float64(ask: Ask, inputs: Inputs) -> str | None:
    expected = F.batch_norm(inputs["X"].double(), None, None, training=True, eps=inputs["eps"])
    return unequal("Y", ask(inputs)["Y"], expected)


def dtype_kept(ask: Ask, inputs: Inputs) -> str | None:
    return unequal("Y.dtype", ask(inputs)["Y.dtype"], str(inputs["X"].dtype))


HALF, SINGLE = torch.float16, torch.float32

EXERCISE = CodeExercise(
    name="repair_half",
    chapter=6,
    call="normalize(X, eps)",
    ask=ask,
    inputs=(
        given(300, 304, dtype=HALF),
        given(100, 102, dtype=HALF),
        given(2000, 2001, dtype=HALF),
        given(0, 1000, dtype=HALF),
        given(5, 5, dtype=HALF),
        given(8000, 8002, dtype=SINGLE),
        given(5801, 5802, dtype=SINGLE),  # E[X^2] - E[X]^2 comes out as -4
        given(0, 0.004, dtype=SINGLE),  # a variance smaller than eps
        drawn(4, 3, mean=1000.0, spread=50.0, dtype=HALF),
        drawn(8, 2, mean=4000.0, spread=1.0, dtype=SINGLE),
    ),
    right=right,
    mistakes=MISTAKES,
    properties=(
        Property("zero_mean", zero_mean),
        Property("like_float64", like_float64),
        Property("dtype_kept", dtype_kept),
    ),
    start=normalize,
)
