"""Runs side by side in one process: each ends as it does alone, whatever becomes of the others."""

from dataclasses import replace
from time import perf_counter

import pytest
import torch
from training_data import few

from bnlib.training import TrainConfig
from bnlib.training.many.grid import Plan
from bnlib.training.many.outcome import Failure, carry_out
from bnlib.training.many.together import side_by_side
from bnlib.training.sweep import sweep

CPU = torch.device("cpu")
PLANS = [
    Plan("batch", TrainConfig(epochs=2, seed=3, path="eager")),
    Plan("batch", TrainConfig(epochs=3, lr=0.3, batch_size=100, path="eager", score_every=4)),
    Plan("none", TrainConfig(epochs=2, lr=1e30, path="eager")),  # diverges
    Plan("torch", TrainConfig(epochs=1, batch_size=598, path="eager")),
]


@pytest.fixture(scope="module")
def data():
    return few()


def timeless(outcome):
    rows = tuple(replace(row, seconds=0.0) for row in outcome.history.rows)
    return replace(outcome, history=replace(outcome.history, rows=rows))


def together(plans, data, device=CPU, group=16):
    examples, said = dict.fromkeys(plans, 0), []

    def advance(plan, number):
        examples[plan] += number

    return dict(side_by_side(plans, data, device, advance, said.append, group)), examples, said


@pytest.mark.parametrize("group", [1, 2, 4])
def test_each_run_ends_as_it_does_alone(data, group):
    found, examples, said = together(PLANS, data, group=group)
    assert said == [] and found.keys() == set(PLANS)
    for plan in PLANS:
        assert timeless(found[plan]) == timeless(carry_out(plan, data, CPU, lambda number: None))
        assert found[plan].diverged or examples[plan] == plan.config.epochs * 600
    assert found[PLANS[2]].diverged.step >= 1 and len(found[PLANS[1]].history.scores) == 4


def test_runs_are_given_out_as_they_finish(data):
    order = [plan for plan, _ in side_by_side(PLANS[:2] + PLANS[3:], data, CPU, lambda *_: None, print)]
    assert order == [PLANS[3], PLANS[0], PLANS[1]]


def test_a_run_that_fails_leaves_the_others_alone(data):
    """Three kinds of statistics where there are none, and a batch of one: `sweep` refuses both beforehand."""
    scored = Plan("none", TrainConfig(epochs=1, score_every=2, path="eager"))
    lonely = Plan("batch", TrainConfig(epochs=1, batch_size=599, path="eager"))
    found, _, _ = together([scored, PLANS[0], lonely], data)
    assert isinstance(found[scored], Failure)
    assert isinstance(found[lonely], Failure) and "more than 1 value per channel" in found[lonely].reason
    assert timeless(found[PLANS[0]]) == timeless(carry_out(PLANS[0], data, CPU, lambda number: None))


def test_a_path_that_cannot_be_taken_is_told(data):
    plan = Plan("lecture", TrainConfig(epochs=1, path="kernels"))
    found, _, said = together([plan], data)
    assert found[plan].history.path == "eager" and len(said) == 1 and said[0].endswith("The steps run eagerly instead.")


def test_the_callers_random_numbers_go_on_as_before(data):
    before = torch.get_rng_state()
    together(PLANS[3:], data)
    assert torch.equal(before, torch.get_rng_state())


def test_ctrl_c_reaches_the_caller(data):
    before = torch.get_rng_state()

    def interrupt(plan, number):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(side_by_side(PLANS, data, CPU, interrupt, print))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device: runs side by side on a GPU")
def test_on_a_gpu_a_group_ends_as_alone_and_sooner(data):
    device, config = torch.device("cuda"), TrainConfig(epochs=20, batch_size=20)
    plans = [Plan("batch", replace(config, seed=seed)) for seed in range(8)]
    here = data.to(device)
    alone, start = {}, perf_counter()
    for plan in plans:
        alone[plan] = carry_out(plan, here, device, lambda number: None)
    between = perf_counter()
    found, _, _ = together(plans, here, device)
    end = perf_counter()
    for plan in plans:
        rows = zip(found[plan].history.rows, alone[plan].history.rows, strict=True)
        assert all(row.loss == pytest.approx(other.loss, rel=1e-3) for row, other in rows)
    assert end - between < between - start
    table = sweep({"seed": list(range(8)), "epochs": 1}, data, device="cuda")
    assert set(table.path) == {"CUDA graph"}
