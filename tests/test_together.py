"""Runs side by side in one process: each ends as it does alone, whatever becomes of the others."""

import signal
import warnings
from dataclasses import replace
from time import perf_counter

import pytest
import torch
from training_data import few

from bnlib.training import TrainConfig
from bnlib.training.many.grid import Plan
from bnlib.training.many.outcome import Failure, carry_out
from bnlib.training.many.together import EXAMPLES, side_by_side
from bnlib.training.sweep import SweepWarning, sweep

CPU = torch.device("cpu")
PLANS = [
    Plan("batch", TrainConfig(epochs=2, seed=3, path="eager")),
    Plan("batch", TrainConfig(epochs=3, lr=0.3, batch_size=100, path="eager", score_every=3)),
    Plan("none", TrainConfig(epochs=2, lr=1e30, path="eager")),
    Plan("torch", TrainConfig(epochs=1, batch_size=598, path="eager", precision="bfloat16")),
    Plan("none", TrainConfig(epochs=3, lr=1000.0, path="eager")),
    Plan("batch", TrainConfig(epochs=2, lr=1e38, path="eager", score_every=1)),
]
DIVERGED = {PLANS[2]: 2, PLANS[4]: 5, PLANS[5]: 2}  # and at which step: also in a later epoch, also while scored
CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here: no runs side by side on a GPU")


@pytest.fixture(scope="module")
def data():
    return few()


def timeless(outcome):
    rows = tuple(replace(row, seconds=0.0) for row in outcome.history.rows)
    return replace(outcome, history=replace(outcome.history, rows=rows))


def together(plans, data, device=CPU, group=8):
    examples, said = dict.fromkeys(plans, 0), []

    def advance(plan, number):
        examples[plan] += number

    return dict(side_by_side(plans, data, device, advance, said.append, group)), examples, said


@pytest.fixture(scope="module")
def alone(data):
    return {plan: timeless(carry_out(plan, data, CPU, lambda number: None)) for plan in PLANS}


@pytest.mark.parametrize("group", [1, 2, 6])
def test_each_run_ends_as_it_does_alone(data, alone, group):
    found, examples, said = together(PLANS, data, group=group)
    assert said == [] and {plan: timeless(outcome) for plan, outcome in found.items()} == alone
    assert {plan: outcome.diverged.step for plan, outcome in found.items() if outcome.diverged} == DIVERGED
    assert all(examples[plan] == plan.config.epochs * 600 for plan in PLANS if plan not in DIVERGED)
    scores = found[PLANS[1]].history.scores  # the last ones of the last step: they see its weights
    assert [score.step for score in scores] == [3, 6, 9, 12, 15, 18]


def test_steps_take_turns(data):
    """Three steps an epoch and two: a step of each, and the longer run goes on; in the next epoch again."""
    turns, plans = [], [PLANS[0], replace(PLANS[0], config=replace(PLANS[0].config, batch_size=300))]
    list(side_by_side(plans, data, CPU, lambda plan, number: turns.append((plans.index(plan), number)), print))
    assert turns == 2 * [(0, 256), (1, 300), (0, 256), (1, 300), (0, 88)]


def test_a_run_is_given_out_when_it_ends_and_another_takes_its_place(data):
    begun = []

    def advance(plan, number):
        if plan not in begun:
            begun.append(plan)

    runs = side_by_side([PLANS[0], PLANS[3], PLANS[1]], data, CPU, advance, print, group=2)
    assert next(runs)[0] == PLANS[3] and begun == [PLANS[0], PLANS[3]]
    assert [plan for plan, _ in runs] == [PLANS[0], PLANS[1]] and begun[2:] == [PLANS[1]]


def test_large_batches_do_not_run_together(data):
    """They would fill the memory, and one of them fills the device; one larger than the room has it for itself."""
    config = TrainConfig(epochs=2, path="eager", batch_size=EXAMPLES // 2)
    plans = [Plan("none", replace(config, seed=seed)) for seed in range(3)]
    plans.append(Plan("none", replace(config, batch_size=EXAMPLES + 1)))
    turns = []
    list(side_by_side(plans, data, CPU, lambda plan, number: turns.append(plans.index(plan)), print))
    assert turns == [0, 1, 0, 1, 2, 2, 3, 3]


def test_a_run_that_fails_leaves_the_others_alone(data, alone):
    """Three kinds of statistics where there are none, and a batch of one: `sweep` refuses both beforehand."""
    scored = Plan("none", TrainConfig(epochs=1, score_every=2, path="eager"))
    lonely = Plan("batch", TrainConfig(epochs=1, batch_size=599, path="eager"))
    found, examples, _ = together([scored, PLANS[0], lonely], data)
    assert isinstance(found[scored], Failure) and examples[scored] == 256  # the step before the one that failed
    assert isinstance(found[lonely], Failure) and "more than 1 value per channel" in found[lonely].reason
    assert timeless(found[PLANS[0]]) == alone[PLANS[0]]


def test_a_path_that_cannot_be_taken_is_told_where_the_runs_are_asked_for(data):
    plan = Plan("lecture", TrainConfig(epochs=1, path="kernels"))

    def warn(sentence):
        warnings.warn(sentence, UserWarning, stacklevel=3)

    with pytest.warns(UserWarning, match=r"The steps run eagerly instead\.") as told:
        found = dict(side_by_side([plan], data, CPU, lambda *_: None, warn))
    assert len(told) == 1 and told[0].filename == __file__ and found[plan].history.path == "eager"


def test_the_callers_random_numbers_go_on_between_the_runs_and_after_them(data):
    before = torch.get_rng_state()
    for _ in side_by_side(PLANS[2:5], data, CPU, lambda *_: None, print, group=2):
        assert torch.equal(before, torch.get_rng_state())
        torch.rand(1)
        before = torch.get_rng_state()
    assert torch.equal(before, torch.get_rng_state())


def test_ctrl_c_in_a_step_reaches_the_caller_and_ends_all_runs(data, keyboard):
    before, told = torch.get_rng_state(), []

    def interrupt(plan, number):
        told.append(plan)
        if len(told) == 4:
            signal.raise_signal(signal.SIGINT)

    runs = side_by_side(PLANS, data, CPU, interrupt, print)
    with pytest.raises(KeyboardInterrupt):
        next(runs)
    assert len(told) == 4 and list(runs) == [] and torch.equal(before, torch.get_rng_state())


@CUDA
def test_on_a_gpu_each_run_ends_as_it_does_alone(data):
    """More runs than streams and of different lengths, so that graphs go and come while others are at work."""
    device, config = torch.device("cuda"), TrainConfig(epochs=1, lr=0.1, batch_size=50)
    plans = [Plan(norm, replace(config, seed=seed, epochs=seed + 1)) for seed in range(4) for norm in ("batch", "none")]
    plans += [Plan("lecture", config), Plan("torch", replace(config, precision="bfloat16", score_every=10))]
    plans += [Plan("none", replace(config, lr=1e30, batch_size=256)), Plan("batch", replace(config, batch_size=256))]
    data = data.to(device)
    with torch.backends.cudnn.flags(deterministic=True):
        found, _, said = together(plans, data, device, group=4)
        alone = {plan: carry_out(plan, data, device, lambda number: None) for plan in plans}
    assert said == [] and found.keys() == alone.keys()
    for plan, outcome in found.items():
        assert outcome.diverged == alone[plan].diverged and outcome.history.path == alone[plan].history.path
        for row, other in zip(outcome.history.rows, alone[plan].history.rows, strict=True):
            assert row.loss == pytest.approx(other.loss, rel=1e-3)


@CUDA
def test_on_a_gpu_a_group_takes_clearly_less_time_than_its_runs_alone(data):
    device, data = torch.device("cuda"), data.to("cuda")
    plans = [Plan("batch", TrainConfig(epochs=20, batch_size=6, seed=seed)) for seed in range(8)]
    carry_out(plans[0], data, device, lambda number: None)  # what a process does once
    start = perf_counter()
    together(plans, data, device)
    between = perf_counter()
    for plan in plans:
        carry_out(plan, data, device, lambda number: None)
    assert between - start < 0.7 * (perf_counter() - between)


@CUDA
def test_a_sweep_on_a_gpu_takes_graphs_and_warns_where_it_was_called(data):
    table = sweep({"seed": range(10), "epochs": 1}, data, device="cuda")
    assert table.seed.tolist() == list(range(10)) and set(table.path) == {"CUDA graph"}
    with pytest.warns(SweepWarning, match="CUDA graph cannot follow") as told:
        sweep({"norm": "lecture", "path": "graph", "epochs": 1}, data, device="cuda")
    assert told[0].filename == __file__
