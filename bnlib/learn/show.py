"""Inputs and results as they are printed for a learner: short, the same in every language."""

import torch
from torch import Tensor

from bnlib.learn.exercise import Inputs
from bnlib.learn.outcome import same

WHOLE = 16  # numbers that a tensor may have to be printed whole
ROUNDING = 1e-6  # what is left of a 0 in float32


def show(value: object) -> str:
    """A tensor as nested lists, or by its shape and first numbers, with a word where it is in half precision; a number
    with four digits.
    """
    if isinstance(value, Tensor):
        half = ".half()" if value.dtype == torch.float16 else ""
        if value.numel() <= WHOLE:
            return f"{_nested(value.detach().cpu().tolist())}{half}"
        first = ", ".join(_number(x) for x in value.detach().flatten()[:3].tolist())
        return f"{tuple(value.shape)}{half}: {first}, …"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _number(value)
    return str(value)


def show_inputs(inputs: Inputs) -> str:
    """All inputs, by name: "X = [[1], [3]], eps = 0.25"."""
    return ", ".join(f"{name} = {show(value)}" for name, value in inputs.items())


def show_difference(name: str, got: object, expected: object) -> tuple[str, str]:
    """What came and what should have come; of large tensors, the number that is farthest off."""
    alike = isinstance(got, Tensor) and isinstance(expected, Tensor) and got.shape == expected.shape
    if alike and got.numel() > WHOLE:
        off = (got.double() - expected.double()).abs().nan_to_num(torch.inf, torch.inf)
        place = tuple(int(i) for i in torch.unravel_index(off.argmax(), off.shape))
        at = f"{name}[{', '.join(map(str, place))}]"
        return f"{at} = {_number(got[place].item())}", f"{at} = {_number(expected[place].item())}"
    return f"{name} = {show(got)}", f"{name} = {show(expected)}"


def unequal(code: str, got: object, expected: object) -> str | None:
    """None if both are the same up to rounding, else what contradicts it: "normalized.mean(0) = [0.5] ≠ [0]"."""
    if same(got, expected):
        return None
    shown, right = show_difference(code, got, expected)
    return f"{shown} ≠ {right.partition(' = ')[2]}"


def _nested(value: object) -> str:
    return f"[{', '.join(_nested(item) for item in value)}]" if isinstance(value, list) else _number(value)


def _number(value: object) -> str:
    if isinstance(value, (bool, complex)):
        return str(value)
    return "0" if abs(value) < ROUNDING else f"{value:.4g}"
