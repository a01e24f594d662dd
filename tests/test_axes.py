"""Widget 2, which numbers share statistics: companions, numbers and γ are those of torch's layers and of bnlib's."""

import random

import pytest
import torch
from torch import nn
from traitlets import TraitError

from bnlib import norm
from bnlib.learn import SharedStatistics

KINDS = [("batch_2d", 2), ("batch_1d", 2), ("layer", 2), ("instance", 2), ("group", 1), ("group", 2), ("group", 4)]
each_kind = pytest.mark.parametrize(("kind", "groups"), KINDS)


def layer(kind: str, groups: int, library=nn) -> nn.Module:
    made = {
        "batch_2d": lambda: library.BatchNorm2d(4),
        "batch_1d": lambda: library.BatchNorm1d(4),
        "layer": lambda: library.LayerNorm((4, 2, 2)),
        "instance": lambda: library.InstanceNorm2d(4),
        "group": lambda: library.GroupNorm(groups, 4),
    }
    return made[kind]().double()


def drawn(kind: str, groups: int, seed: int) -> dict:
    """A state: random numbers, one of them pointed at."""
    draw = random.Random(seed)
    values = [draw.uniform(-99, 99) for _ in range(48)]
    cell = {
        "sample": draw.randrange(3),
        "channel": draw.randrange(4),
        "row": draw.randrange(2),
        "column": draw.randrange(2),
    }
    return {"kind": kind, "groups": groups, "values": values, **cell}


def block(widget) -> torch.Tensor:
    x = torch.tensor(widget.values, dtype=torch.double).view(3, 4, 2, 2)
    return x[:, :, 0, 0] if widget.kind == "batch_1d" else x


def pointed(widget) -> tuple[int, ...]:
    return (widget.sample, widget.channel, widget.row, widget.column)[: block(widget).dim()]


@each_kind
@pytest.mark.parametrize("library", [nn, norm], ids=["torch", "bnlib"])
@pytest.mark.parametrize("seed", range(4))
def test_output_is_the_layers(kind, groups, library, seed):
    widget = SharedStatistics(**drawn(kind, groups, seed))
    truth = layer(kind, groups, library)(block(widget))[pointed(widget)].item()
    assert widget.output == pytest.approx(truth, rel=1e-9, abs=1e-9)


@each_kind
@pytest.mark.parametrize("seed", range(4))
def test_companions_are_all_that_the_output_depends_on(kind, groups, seed):
    widget = SharedStatistics(**drawn(kind, groups, seed))
    x = block(widget).clone().requires_grad_()
    layer(kind, groups)(x)[pointed(widget)].backward()
    assert widget.companions == x.grad.nonzero().tolist()
    numbers = x.detach()[x.grad != 0]
    assert widget.count == len(numbers)
    assert widget.mean == pytest.approx(numbers.mean().item(), rel=1e-9, abs=1e-9)
    assert widget.var == pytest.approx(numbers.var(correction=0).item(), rel=1e-9)


@each_kind
@pytest.mark.parametrize("seed", range(4))
def test_gamma_is_the_one_that_scales_the_output(kind, groups, seed):
    widget, made = SharedStatistics(**drawn(kind, groups, seed)), layer(kind, groups)
    assert (made.weight is None) == (widget.gamma == []) == (kind == "instance")
    if made.weight is not None:
        made(block(widget))[pointed(widget)].backward()
        assert [widget.gamma] == made.weight.grad.nonzero().tolist()


def test_how_many_share_a_mean():
    widget, counts = SharedStatistics(), []
    for kind, groups in KINDS:
        widget.kind, widget.groups = kind, groups
        counts.append(widget.count)
    assert counts == [12, 3, 16, 4, 16, 8, 4]


def test_traits_can_be_observed_and_computed_ones_not_set():
    widget, seen = SharedStatistics(), []
    widget.observe(lambda change: seen.append(change.new), names="companions")
    widget.channel = 3
    assert seen == [widget.companions] and all(channel == 3 for _, channel, _, _ in widget.companions)
    for name in ("companions", "count", "mean", "var", "output", "gamma"):
        with pytest.raises(TraitError):
            setattr(widget, name, getattr(widget, name))


WRONG = [
    ({"kind": "batch"}, "kind got 'batch'; expected one of 'batch_2d', 'batch_1d', 'layer', 'instance', 'group'"),
    ({"groups": 3}, "groups got 3; expected one of 2, 1, 4"),
    ({"values": [0.0] * 47}, "expected 48 numbers from -99 to 99"),
    ({"values": [100.0] * 48}, "expected 48 numbers from -99 to 99"),
    ({"sample": 3}, "sample got 3; expected a whole number from 0 to 2"),
    ({"row": 0.5}, "row got 0.5; expected a whole number from 0 to 1"),
]


@pytest.mark.parametrize(("state", "sentence"), WRONG, ids=lambda one: str(one)[:30])
def test_wrong_values_are_refused(state, sentence):
    with pytest.raises(TraitError, match=sentence):
        SharedStatistics(**state)


@each_kind
def test_the_picture_says_the_formula_and_marks_each_number(kind, groups):
    widget = SharedStatistics(kind=kind, groups=groups, values=list(range(48)))
    picture = widget.picture()
    output = f"{widget.output:.2f}".replace("-", "−")
    assert f"/ √({widget.var:.2f} + 1e-5) = {output}" in picture
    assert f"{widget.count} of {12 if kind == 'batch_1d' else 48} numbers" in picture
    own, shared, every = (picture.count(mark) for mark in ('stroke-width="4"', 'fill="#e8f1f8"', "<tspan"))
    assert (own, shared, every) == (1, 1, 12 if kind == "batch_1d" else 48)
    shared_path = picture.split('fill="#e8f1f8"')[0].rsplit('d="', 1)[1]
    assert shared_path.count("M") == widget.count


@each_kind
@pytest.mark.parametrize("seed", range(4))
def test_the_page_reckons_as_python_does(module_page, kind, groups, seed):
    state = drawn(kind, groups, seed)
    widget = SharedStatistics(**state)
    found = module_page("axes").evaluate("state => reckon(state)", state)
    places = torch.arange(48).view(3, 4, 2, 2)
    assert found["members"] == [places[(*cell, 0, 0)[:4]].item() for cell in widget.companions]
    numbers = [found["mean"], found["variance"], found["output"]]
    assert numbers == pytest.approx([widget.mean, widget.var, widget.output], rel=1e-10, abs=1e-10)
