"""Inputs and outcomes as JSON and back. What comes back from a worker was written by a stranger: all of it is checked.

A tensor is {"dtype", "shape", "data"} with the numbers in one flat list; what JSON has no number for is "nan", "inf"
or "-inf". A complex one is {"complex"} with the tensor of its two parts.
"""

import json
import math
from collections.abc import Mapping

import torch
from torch import Tensor

from bnlib.learn.exercise import Inputs
from bnlib.learn.outcome import Failure, Outcome

DTYPES = {
    name: getattr(torch, name)
    for name in ("float16", "bfloat16", "float32", "float64", "uint8", "int8", "int16", "int32", "int64", "bool")
}
COMPLEX = {"complex64": "float32", "complex128": "float64"}  # dtype -> that of its real and imaginary parts
NUMBERS, NAMES, LETTERS, AXES = 100_000, 200, 2_000, 8  # the most that one outcome may hold of each
_WORDS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}

# the failures that an outcome may tell of, with the fields of their sentences; no other kind gets through, least of
# all one that means success
FAILURES = {
    "raises": {"error", "message"},
    "late": {"seconds"},
    "nothing": {"name"},
    "missing": {"name"},
    "type": {"name", "got", "expected"},
    "shape": {"name", "got", "expected"},
}


class Malformed(ValueError):
    """What came does not follow the protocol."""


def encode(value: object) -> object:
    """A value for JSON.

    Raises:
        TypeError: for what is neither a tensor nor a number, a truth value, words, None, nor a list or tuple of those.
    """
    if isinstance(value, Tensor):
        name = str(value.dtype).removeprefix("torch.")
        if name in COMPLEX:
            return {"complex": encode(torch.view_as_real(value.detach().resolve_conj()))}
        if name not in DTYPES:
            raise TypeError(f"no JSON for a tensor of {value.dtype}")
        data = [_number(number) for number in value.detach().cpu().flatten().tolist()]
        return {"dtype": name, "shape": list(value.shape), "data": data}
    if isinstance(value, float):
        return _number(value)
    if value is None or isinstance(value, (bool, int, str)):
        return {"words": value} if isinstance(value, str) else value
    if isinstance(value, (list, tuple)):
        return {"list": [encode(each) for each in value], "tuple": isinstance(value, tuple)}
    raise TypeError(f"no JSON for a {type(value).__name__}")


def _number(number: float | int | bool) -> object:
    if isinstance(number, float) and not math.isfinite(number):
        return "nan" if number != number else "inf" if number > 0 else "-inf"
    return number


def decode(value: object, depth: int = 3) -> object:
    """The value again.

    Raises:
        Malformed: it was not written by `encode`, or is too large.
    """
    if value is None or isinstance(value, (bool, float)) or (isinstance(value, int) and abs(value) < 1 << 63):
        return value
    if isinstance(value, str) and value in _WORDS:
        return _WORDS[value]
    if isinstance(value, dict):
        if value.keys() == {"words"}:
            return text(value["words"])
        if value.keys() == {"list", "tuple"} and depth and isinstance(value["list"], list):
            items = [decode(each, depth - 1) for each in value["list"]]
            return tuple(items) if value["tuple"] is True else items
        if value.keys() == {"complex"} and depth:
            parts = decode(value["complex"], 0)
            if (
                not isinstance(parts, Tensor)
                or parts.shape[-1:] != (2,)
                or str(parts.dtype)[6:] not in COMPLEX.values()
            ):
                raise Malformed("a complex tensor has no two parts")
            return torch.view_as_complex(parts)
        if value.keys() == {"dtype", "shape", "data"}:
            return _tensor(**value)
    raise Malformed("a value is neither a tensor nor a number, a truth value or words")


def _tensor(dtype: object, shape: object, data: object) -> Tensor:
    whole = isinstance(shape, list) and len(shape) <= AXES and all(type(n) is int and 0 <= n <= NUMBERS for n in shape)
    if not isinstance(dtype, str) or dtype not in DTYPES or not whole or not isinstance(data, list):
        raise Malformed("a tensor has no proper dtype, shape or data")
    if len(data) > NUMBERS or len(data) != math.prod(shape):
        raise Malformed("a tensor has not as many numbers as its shape says")
    floating, kinds = DTYPES[dtype].is_floating_point, (bool if dtype == "bool" else int,)
    kinds = (float, int, str) if floating else kinds
    if not all(type(number) in kinds and (type(number) is not str or number in _WORDS) for number in data):
        raise Malformed(f"a tensor of {dtype} holds something else")
    numbers = [_WORDS[number] if type(number) is str else number for number in data]
    try:
        return torch.tensor(numbers, dtype=DTYPES[dtype], device="cpu").reshape(shape)
    except (OverflowError, RuntimeError, ValueError) as error:  # a number that the dtype cannot hold
        raise Malformed(f"a tensor of {dtype} holds a number too large for it") from error


def text(value: object) -> str:
    """Words of a stranger's, fit to be printed: no control characters, no halves of characters, not too long.

    Raises:
        Malformed: it is not a string.
    """
    if not isinstance(value, str):
        raise Malformed("there is something else where words should be")
    whole = value[:LETTERS].encode("utf-8", "replace").decode("utf-8")
    return "".join(letter if letter.isprintable() else " " for letter in whole)


def encode_mapping(values: Mapping[str, object]) -> dict[str, object]:
    return {name: encode(value) for name, value in values.items()}


def decode_mapping(values: object) -> Inputs:
    """Inputs, or what was seen, by name.

    Raises:
        Malformed: see `decode`.
    """
    if not isinstance(values, dict) or len(values) > NAMES:
        raise Malformed("there is something else where values by name should be")
    return {text(name): decode(value) for name, value in values.items()}


def encode_outcome(outcome: Outcome) -> dict[str, object]:
    failure = outcome.failure
    told = failure and {"kind": failure.kind, "values": dict(failure.values), "line": failure.line}
    return {"seen": encode_mapping(outcome.seen), "failure": told, "changed": list(outcome.changed)}


def decode_outcome(values: object, inputs: Inputs) -> Outcome:
    """What came of a question, as a worker tells it.

    Args:
        values: from JSON.
        inputs: of the question.

    Raises:
        Malformed: anything in it is not as `encode_outcome` writes it.
    """
    if not isinstance(values, dict) or values.keys() != {"seen", "failure", "changed"}:
        raise Malformed("there is something else where an outcome should be")
    changed = values["changed"]
    if not isinstance(changed, list) or not all(isinstance(name, str) and name in inputs for name in changed):
        raise Malformed("there are no such inputs that could have changed")
    failure = None if values["failure"] is None else _failure(values["failure"])
    seen = {} if failure else decode_mapping(values["seen"])
    if not failure and not seen:
        raise Malformed("an outcome tells nothing")
    return Outcome(seen, failure, tuple(changed))


def _failure(told: object) -> Failure:
    if not isinstance(told, dict) or told.keys() != {"kind", "values", "line"} or not isinstance(told["values"], dict):
        raise Malformed("there is something else where a failure should be")
    kind = told["kind"]
    if not isinstance(kind, str) or FAILURES.get(kind) != told["values"].keys():
        raise Malformed("there is no such failure")
    return Failure(kind, {name: text(value) for name, value in told["values"].items()}, text(told["line"]))


def dump(message: object) -> bytes:
    """A message as one line."""
    return json.dumps(message, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def parse(line: bytes) -> dict[str, object]:
    """The message of a line.

    Raises:
        Malformed: it is no JSON object.
    """
    try:
        message = json.loads(line, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:  # no UTF-8, no JSON, a number of thousands of digits, a deep nest
        raise Malformed("a line is no JSON") from error
    if not isinstance(message, dict):
        raise Malformed("a line is no JSON object")
    return message


def _no_constant(name: str) -> None:
    raise Malformed(f"{name} is no JSON")
