"""Widget 7, backward as projection: its numbers are those of bnlib's and torch's backward pass, with and without."""

import math
import random

import pytest
import torch
from traitlets import TraitError

import bnlib
from bnlib.learn import BackwardProjection

COMPUTED = ("position", "mean", "var", "normalized", "along_one", "along_x", "grad_input", "path_mean", "path_var")
SEEDS = range(12)


def state_of(seed: int) -> dict:
    draw = random.Random(seed)
    return {
        "samples": [draw.uniform(-5, 5) for _ in range(3)],
        "gradient": [draw.uniform(-3, 3) for _ in range(3)],
        "gamma": draw.uniform(-2, 2),
        "eps": 10 ** draw.uniform(-6, 0),
        "detached": seed % 2 == 1,
        "rate": draw.uniform(0.01, 0.5),
        "step": draw.choice([0, 1, 50, draw.randint(2, 49)]),
    }


def backward(x: torch.Tensor, state: dict) -> torch.Tensor:
    """What autograd finds: through bnlib's layer, or with statistics that it takes for constants."""
    x = x.clone().requires_grad_()
    gamma, g = (torch.tensor(state[name], dtype=torch.double) for name in ("gamma", "gradient"))
    if state["detached"]:
        mean, var = x.mean().detach(), x.var(correction=0).detach()
        y = gamma * (x - mean) / (var + state["eps"]).sqrt()
    else:
        y = bnlib.batch_norm(x[:, None], None, None, gamma.view(1), training=True, eps=state["eps"])[:, 0]
    return torch.autograd.grad((y * g).sum(), x)[0]


def walked(state: dict, steps: int) -> torch.Tensor:
    x = torch.tensor(state["samples"], dtype=torch.double)
    for _ in range(steps):
        x = x - state["rate"] * backward(x, state)
    return x


def close(found, expected) -> None:
    expected = torch.as_tensor(expected, dtype=torch.double)
    torch.testing.assert_close(torch.tensor(found, dtype=torch.double), expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_gradient_is_autograds_after_any_number_of_steps(seed):
    state = state_of(seed)
    widget, x = BackwardProjection(**state), walked(state, state["step"])
    close(widget.position, x)
    close(widget.grad_input, backward(x, state))
    close(widget.mean, x.mean())
    close(widget.var, x.var(correction=0))
    close(widget.normalized, bnlib.batch_norm(x[:, None], None, None, training=True, eps=state["eps"])[:, 0])


@pytest.mark.parametrize("seed", SEEDS)
def test_the_path_is_that_of_gradient_descent(seed):
    state = state_of(seed)
    widget, ends = BackwardProjection(**state), [walked(state, steps) for steps in (0, 1, 25, 50)]
    close([widget.path_mean[n] for n in (0, 1, 25, 50)], torch.stack([x.mean() for x in ends]))
    close([widget.path_var[n] for n in (0, 1, 25, 50)], torch.stack([x.var(correction=0) for x in ends]))
    assert len(widget.path_mean) == len(widget.path_var) == 51


def test_what_is_removed_points_along_1_and_x_hat_and_what_is_left_along_neither():
    widget = BackwardProjection(eps=1e-12)
    assert len(set(widget.along_one)) == 1
    ratios = [a / b for a, b in zip(widget.along_x, widget.normalized, strict=True)]
    assert ratios == pytest.approx([ratios[0]] * 3)
    assert math.fsum(widget.grad_input) == pytest.approx(0, abs=1e-12)
    along_x = math.fsum(a * b for a, b in zip(widget.grad_input, widget.normalized, strict=True))
    assert along_x == pytest.approx(0, abs=1e-11)
    assert math.hypot(*widget.grad_input) > 0.5


def test_detached_mean_and_variance_drift_and_otherwise_they_stay():
    whole, detached = BackwardProjection(), BackwardProjection(detached=True)
    assert detached.along_one == detached.along_x == [0.0] * 3
    assert whole.path_mean[-1] == pytest.approx(whole.path_mean[0], abs=1e-12)
    assert whole.path_var[-1] == pytest.approx(whole.path_var[0], rel=0.1)
    assert abs(detached.path_mean[-1] - detached.path_mean[0]) > 1
    assert detached.path_var[-1] > 3 * detached.path_var[0]


def test_equal_samples_have_no_direction_but_finite_numbers():
    widget = BackwardProjection(samples=[1.0, 1.0, 1.0])
    assert widget.normalized == [0.0] * 3 and all(map(math.isfinite, widget.path_var))


def test_computed_traits_follow_and_cannot_be_set():
    widget, seen = BackwardProjection(), []
    widget.observe(lambda change: seen.append(change.new), names="grad_input")
    widget.detached = True
    assert seen == [widget.grad_input]
    for trait in COMPUTED:
        with pytest.raises(TraitError):
            setattr(widget, trait, getattr(widget, trait))


WRONG = [
    ({"samples": [1.0, 2.0]}, "samples got .*; expected 3 numbers from -5 to 5"),
    ({"samples": [1.0, 2.0, 9.0]}, "samples got .*; expected 3 numbers from -5 to 5"),
    ({"gradient": [1.0, 2.0, float("nan")]}, "gradient got .*; expected 3 numbers from -3 to 3"),
    ({"step": 51}, "step got 51; expected a whole number from 0 to 50"),
    ({"step": 1.5}, "step got 1.5; expected a whole number"),
    ({"rate": 0.0}, "rate got 0.0; expected a number from 0.001 to 1"),
    ({"detached": 1}, "detached got 1; expected True or False"),
]


@pytest.mark.parametrize(("state", "sentence"), WRONG, ids=str)
def test_wrong_values_are_refused(state, sentence):
    with pytest.raises(TraitError, match=sentence):
        BackwardProjection(**state)


def test_the_picture_says_the_numbers():
    said = BackwardProjection().picture()
    assert "dx = (0.70, −1.17, 0.47)" in said and "the mean of x goes from 0.40 to 0.40" in said
    assert "Nothing is removed" in BackwardProjection(detached=True).picture()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_page_reckons_as_python_does(module_page, seed):
    state = state_of(seed)
    widget = BackwardProjection(**state)
    path = module_page("projection").evaluate("state => walk(state, state.detached)", state)
    close([point["mean"] for point in path], widget.path_mean)
    close([point["var"] for point in path], widget.path_var)
    close(path[state["step"]]["x"], widget.position)
    for name in ("normalized", "along_one", "along_x", "grad_input"):
        close(path[state["step"]][name], getattr(widget, name))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_button_finds_a_gradient_that_the_layer_undoes(module_page, seed):
    state = {**state_of(seed), "detached": False, "gamma": 1.0, "eps": 1e-5, "step": 0}
    gradient = module_page("projection").evaluate("state => undone(state)", state)
    widget = BackwardProjection(**{**state, "gradient": gradient})
    left = [g - a - b for g, a, b in zip(gradient, widget.along_one, widget.along_x, strict=True)]
    assert max(map(abs, left)) < 1e-4 < abs(math.fsum(gradient))
