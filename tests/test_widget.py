"""The widget's Python side: its numbers are torch's, its traits guard themselves, its stored output is lean."""

import json
import re
from html import unescape
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F
from traitlets import TraitError

import bnlib
from bnlib import language
from bnlib.learn import NormalizeBatch

MODULE = Path(bnlib.__file__).parent / "learn" / "normalize.js"


@pytest.fixture(autouse=True)
def english():
    yield
    language.set_language("en")


def stored_state(widget) -> dict:
    return json.loads(unescape(re.search(r'data-state="([^"]*)"', widget.stored_html())[1]))


@pytest.mark.parametrize("samples", [[-4.0, -1.0, 0.5, 2.0, 5.0], [3.0, 3.0], [1e3, 1e3 + 1, 1e3 + 3]])
@pytest.mark.parametrize("mode", ["training", "prediction"])
def test_outputs_equal_torch(samples, mode):
    widget = NormalizeBatch(samples=samples, gamma=1.5, beta=-0.5, eps=0.1, mode=mode, moving_mean=1.0, moving_var=4.0)
    x = torch.tensor(samples, dtype=torch.double).view(-1, 1)
    moving = torch.tensor([1.0]).double(), torch.tensor([4.0]).double()
    gamma, beta = torch.tensor([1.5]).double(), torch.tensor([-0.5]).double()
    truth = F.batch_norm(x, *moving, gamma, beta, training=mode == "training", eps=0.1)
    torch.testing.assert_close(torch.tensor(widget.outputs).double().view(-1, 1), truth, rtol=1e-6, atol=1e-9)


def test_one_sample_moves_all_outputs_in_training_and_its_own_in_prediction():
    widget = NormalizeBatch()
    for mode, moved in (("training", 5), ("prediction", 1)):
        widget.mode = mode
        before = list(widget.outputs)
        widget.samples = [*widget.samples[:-1], widget.samples[-1] + 1]
        assert sum(a != b for a, b in zip(before, widget.outputs, strict=True)) == moved


def test_traits_can_be_observed():
    widget, seen = NormalizeBatch(), []
    widget.observe(lambda change: seen.append(change.new), names="outputs")
    widget.gamma = 2.0
    assert seen == [widget.outputs]
    with pytest.raises(TraitError):
        widget.outputs = [0.0]


WRONG = [
    ({"samples": []}, "expected 1 to 12 finite numbers"),
    ({"samples": [0.0] * 13}, "expected 1 to 12 finite numbers"),
    ({"samples": [float("nan")]}, "expected 1 to 12 finite numbers"),
    ({"eps": 0.0}, "eps got 0.0; expected a number above 0"),
    ({"moving_var": -1.0}, "moving_var got -1.0; expected a number not below 0"),
    ({"gamma": float("inf")}, "gamma got inf; expected a finite number"),
    ({"mode": "testing"}, "training.*prediction"),
]


@pytest.mark.parametrize(("state", "sentence"), WRONG, ids=str)
def test_wrong_values_are_refused(state, sentence):
    with pytest.raises(TraitError, match=sentence):
        NormalizeBatch(**state)


def test_output_holds_a_live_view_and_a_picture():
    data, _ = NormalizeBatch()._repr_mimebundle_()
    assert {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"} <= set(data)
    assert 'role="img"' in data["text/html"] and "-4.00 → -1.50" in data["text/html"]


def test_stored_output_is_the_same_each_time_and_lean():
    first, second = NormalizeBatch().stored_html(), NormalizeBatch().stored_html()
    assert first == second
    assert len(first.encode()) + MODULE.stat().st_size <= 30_000


@pytest.mark.parametrize("code", ["en", "zh"])
def test_speaks_the_language_it_was_made_in(code):
    language.set_language(code)
    widget = NormalizeBatch()
    language.set_language("en")
    state = stored_state(widget)
    assert state["lang"] == code
    assert state["strings"]["prediction"] == {"en": "prediction", "zh": "预测"}[code]
    assert set(state["strings"]) == set(widget.string_names)


def test_module_is_one_export_and_asks_for_nothing():
    text = MODULE.read_text(encoding="utf-8")
    assert len(re.findall(r"(?m)^export ", text)) == 1 and "export default {" in text
    assert not re.search(r"(?m)^import |https?://(?!www\.w3\.org/2000/svg)|\beval\(|innerHTML", text)
    used = set(re.findall(r"say\.(\w+)", text)) | set(re.findall(r"say\[(\w+)\]", text)) - {"mode", "name"}
    assert used <= set(NormalizeBatch.string_names)
