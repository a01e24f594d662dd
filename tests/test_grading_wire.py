"""What passes between grader and worker: the same on both sides, and nothing believed that a stranger has written."""

import json
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bnlib.learn.grading import wire
from bnlib.learn.grading.wire import Malformed
from bnlib.learn.outcome import Failure, Outcome, same

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
WORDS = {"raises": ("error", "message"), "shape": ("name", "got", "expected")}


def over(value):
    return wire.decode(json.loads(wire.dump(wire.encode(value))))


@pytest.mark.parametrize("dtype", wire.DTYPES.values(), ids=str)
def test_a_tensor_arrives_as_it_was(dtype):
    tensor = torch.tensor([[0, 1, 1], [1, 0, 7]]).to(dtype)
    if dtype.is_floating_point:
        tensor = (tensor / 3).clone()
        tensor[0, 0], tensor[0, 1], tensor[1, 0] = math.nan, math.inf, -math.inf
    came = over(tensor)
    assert came.dtype == dtype and came.shape == tensor.shape
    assert torch.equal(came.nan_to_num(5), tensor.nan_to_num(5)) and same(came, tensor)


def test_a_tensor_arrives_where_another_device_is_the_usual_one():
    with torch.device("meta"):
        assert over(torch.ones(2, device="cpu")).tolist() == [1, 1]


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128], ids=str)
@pytest.mark.parametrize("shape", [(), (2,), (0, 3)])
def test_a_complex_tensor_arrives_as_it_was(dtype, shape):
    tensor = torch.full(shape, 1 - 2j, dtype=dtype)
    for sent in (tensor, tensor.conj()):
        came = over(sent)
        assert came.dtype == dtype and came.shape == tensor.shape and torch.equal(came, sent)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1, 1, 1), (2, 3, 4, 5)])
def test_a_shape_arrives_as_it_was(shape):
    assert torch.equal(over(torch.ones(shape)), torch.ones(shape))


@pytest.mark.parametrize("value", [None, True, False, 0, -3, 0.1, 1e308, "inf", "words", "", (2, 3), [1.5, (1, "a")]])
def test_a_value_arrives_as_it_was(value):
    came = over(value)
    assert came == value and type(came) is type(value)


def test_no_number_arrives_as_none():
    assert math.isnan(over(math.nan)) and over(math.inf) == math.inf and over(-math.inf) == -math.inf


@pytest.mark.parametrize("value", [{1: 2}, object(), 1j, torch.ones(2).to(torch.float8_e4m3fn), b"x", print])
def test_what_json_has_no_word_for_is_refused(value):
    with pytest.raises(TypeError, match="no JSON for a"):
        wire.encode(value)


@pytest.mark.parametrize("kind", WORDS)
def test_an_outcome_arrives_as_it_was(kind):
    inputs = {"X": torch.ones(2), "eps": 0.1}
    failed = Outcome({}, Failure(kind, dict.fromkeys(WORDS[kind], "说"), "3: x"), ("X",))
    assert wire.decode_outcome(json.loads(wire.dump(wire.encode_outcome(failed))), inputs) == failed
    seen = Outcome({"y": 2.0, "mode": "batch", "ok": True})
    assert wire.decode_outcome(json.loads(wire.dump(wire.encode_outcome(seen))), inputs) == seen


GOOD = {"seen": {"y": 1.0}, "failure": None, "changed": []}
TENSOR = {"dtype": "float32", "shape": [2], "data": [1.0, 2.0]}
BAD = {
    "a kind that means success": {"failure": {"kind": "passed", "values": {}, "line": ""}},
    "a kind that only the grader finds": {"failure": {"kind": "mistake", "values": {}, "line": ""}},
    "no kind": {"failure": {"kind": ["raises"], "values": {}, "line": ""}},
    "a sentence without its fields": {"failure": {"kind": "raises", "values": {"error": "x"}, "line": ""}},
    "fields that are no words": {"failure": {"kind": "nothing", "values": {"name": {"a": 1}}, "line": ""}},
    "a line that is no words": {"failure": {"kind": "nothing", "values": {"name": "a"}, "line": 3}},
    "something that changed and was not there": {"changed": ["Y"]},
    "changed that is no list": {"changed": "X"},
    "seen that is no mapping": {"seen": [1]},
    "nothing": {"seen": {}},
    "too many things seen": {"seen": {str(i): 1.0 for i in range(wire.NAMES + 1)}},
    "a number without end": {"seen": {"y": 10**400}},
    "a string that stands for nothing": {"seen": {"y": "huge"}},
    "another dtype": {"seen": {"y": {**TENSOR, "dtype": "complex64"}}},
    "a complex tensor with three parts": {"seen": {"y": {"complex": {**TENSOR, "shape": [3], "data": [1.0] * 3}}}},
    "a complex tensor of whole numbers": {"seen": {"y": {"complex": {**TENSOR, "dtype": "int64", "data": [1, 2]}}}},
    "a complex tensor of words": {"seen": {"y": {"complex": {"words": "x"}}}},
    "a dtype that is no name": {"seen": {"y": {**TENSOR, "dtype": ["float32"]}}},
    "too few numbers": {"seen": {"y": {**TENSOR, "shape": [3]}}},
    "a negative shape": {"seen": {"y": {**TENSOR, "shape": [-2]}}},
    "a shape of truth values": {"seen": {"y": {**TENSOR, "shape": [True, 2]}}},
    "a shape without end": {"seen": {"y": {**TENSOR, "shape": [1 << 40, 0], "data": []}}},
    "a shape with too many axes": {"seen": {"y": {**TENSOR, "shape": [2] + [1] * wire.AXES}}},
    "numbers that are words": {"seen": {"y": {**TENSOR, "data": [1.0, "2"]}}},
    "numbers in lists": {"seen": {"y": {**TENSOR, "data": [1.0, [2.0]]}}},
    "fractions in whole numbers": {"seen": {"y": {**TENSOR, "dtype": "int64"}}},
    "a number too large for its dtype": {"seen": {"y": {**TENSOR, "dtype": "int8", "data": [1, 999]}}},
    "a number too large for any dtype": {"seen": {"y": {**TENSOR, "data": [1.0, 10**400]}}},
    "an entry too many": {"seen": {"y": {**TENSOR, "class": "os"}}},
    "lists in lists in lists": {"seen": {"y": wire.encode([[[[[1]]]]])}},
}


@pytest.mark.parametrize("name", BAD)
def test_what_no_honest_worker_says_is_refused(name):
    wire.decode_outcome(GOOD, {"X": 1})
    with pytest.raises(Malformed):
        wire.decode_outcome({**GOOD, **BAD[name]}, {"X": 1})


@given(JSON)
def test_whatever_comes_is_decoded_or_refused(value):
    for decode in (wire.decode, wire.decode_mapping, lambda v: wire.decode_outcome(v, {}), wire.text):
        try:
            decode(value)
        except Malformed:
            continue


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\xff\xfe",
        b"[1]",
        b"3",
        b"{",
        b'{"a": NaN}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 90_000,
    ],
)
def test_a_line_that_is_no_message_is_refused(line):
    with pytest.raises(Malformed):
        wire.parse(line)


@pytest.mark.parametrize(
    ("words", "shown"),
    [("a\x1b[31mb", "a [31mb"), ("a\nb\x00c", "a b c"), ("\ud800x", "?x"), ("\u202eabc", " abc"), ("均值", "均值")],
)
def test_words_are_fit_to_be_printed(words, shown):
    assert wire.text(words) == shown
    assert len(wire.text("x" * 10_000)) == wire.LETTERS
