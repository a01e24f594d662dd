"""Widget 8, the playground: its steps in the page are torch's, with the same weights and batches, in float64."""

import json
import math
import random

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from traitlets import TraitError

import bnlib
from bnlib.learn import Playground
from bnlib.learn.playground import ACTIVATIONS

DEFAULT = {name: trait.default() for name, trait in Playground.class_traits(state=True).items()} | {"batch_size": 32}

# In these, rounding stays small for 200 steps. In others, as in wide and deep sigmoid networks with the layer, it grows
# until two runs of torch itself have nothing in common (test_rounding_can_grow); those are compared step by step.
CALM = [
    {},
    {"depth": 1, "width": 2, "batch_size": 2, "lr": 0.1},
    {"depth": 2, "activation": "relu", "initialization": "large", "batch_size": 16, "points": "gaussians", "lr": 0.02},
    {"depth": 3, "width": 16, "activation": "relu", "initialization": "kaiming", "batch_size": 256, "lr": 0.2},
    {"depth": 4, "activation": "tanh", "points": "spirals", "batch_size": 64, "lr": 0.1},
    {"depth": 5, "width": 32, "activation": "relu", "points": "spirals", "lr": 0.1},
    {"depth": 6, "activation": "relu", "initialization": "small", "points": "xor", "lr": 0.2},
]


def drawn(count: int) -> list[dict]:
    """Settings drawn once and for all: a failing one has a number and comes again."""
    dice, limits = random.Random(8), Playground().limits
    return [
        {
            name: dice.choice(limit)
            if isinstance(limit, list)
            else dice.choice([0.01, 0.1, 0.5, 2.0])
            if name == "lr"
            else dice.randint(limit["min"], limit["max"])
            for name, limit in limits.items()
        }
        for _ in range(count)
    ]


class Torch:
    """A network of torch's layers on the page's first weights, and the norms of its weights' gradients."""

    def __init__(self, setting: dict, weights: list, norm: type[nn.Module] | None) -> None:
        layers = []
        for weight in weights:
            weight = torch.tensor(weight, dtype=torch.double).view(-1, setting["width"] if layers else 2)
            hidden = len(layers) < setting["depth"] * (3 if norm else 2)
            linear = nn.Linear(*reversed(weight.shape), bias=not (norm and hidden), dtype=torch.double)
            with torch.no_grad():
                linear.weight.copy_(weight)
                if linear.bias is not None:
                    linear.bias.zero_()
            layers += [linear]
            if hidden:
                layers += [
                    *([norm(len(weight), dtype=torch.double)] if norm else []),
                    ACTIVATIONS[setting["activation"]](),
                ]
        self.net, self.lr = nn.Sequential(*layers), setting["lr"]
        self.linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
        self.norms = [layer for layer in layers if norm and isinstance(layer, norm)]
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=self.lr)

    def step(self, x: torch.Tensor, y: torch.Tensor) -> tuple[float, list[float]]:
        loss = F.binary_cross_entropy_with_logits(self.net(x).squeeze(1), y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item(), [layer.weight.grad.norm().item() for layer in self.linear]

    def state(self) -> list[dict[str, list[float]]]:
        """Parameters and moving averages by the page's names, layer by layer."""
        state = [{"w": layer.weight.flatten()} for layer in self.linear]
        for layer, linear in zip(state, self.linear, strict=True):
            layer["bias"] = linear.bias
        for layer, norm in zip(state, self.norms, strict=False):
            layer |= {"bias": norm.bias, "gamma": norm.weight, "mean": norm.running_mean, "variance": norm.running_var}
        return [{name: value.tolist() for name, value in layer.items()} for layer in state]


# the first weights, all points and the batches of a setting, as the page draws them
START = """({ setting, normalized, steps }) => {
  const known = points(setting), next = batches(known, setting), lists = ({ x, y }) => ({ x: [...x], y: [...y] });
  return { weights: network(setting, normalized).layers.map(({ w }) => [...w]), points: lists(known),
    batches: Array.from({ length: steps }, () => lists(next())) };
}"""
STATE = """const state = (net) => net.layers.map((layer) => Object.fromEntries(
  ["w", "bias", "gamma", "mean", "variance"].filter((name) => layer[name]).map((name) => [name, [...layer[name]]])));"""
# all steps on weights and batches that are given, and what they leave behind
RUN = f"""({{ setting, normalized, weights, points, batches }}) => {{ {STATE}
  const net = network(setting, normalized);
  net.layers.forEach((layer, l) => layer.w.set(weights[l]));
  const losses = [], norms = [];
  for (const batch of batches) {{
    losses.push(train(net, {{ x: Float64Array.from(batch.x), y: Float64Array.from(batch.y) }}, setting.lr));
    norms.push(net.layers.map((layer) => layer.norm));
  }}
  return {{ losses, norms, state: state(net), logits: [...forward(net, Float64Array.from(points.x))] }};
}}"""
# each step from a state that is given
STEPS = f"""({{ setting, normalized, states, batches }}) => {{ {STATE}
  const net = network(setting, normalized);
  return batches.map((batch, t) => {{
    net.layers.forEach((layer, l) => Object.entries(states[t][l]).forEach(([name, values]) => layer[name].set(values)));
    const loss = train(net, {{ x: Float64Array.from(batch.x), y: Float64Array.from(batch.y) }}, setting.lr);
    return [loss, net.layers.map((layer) => layer.norm), state(net)];
  }});
}}"""


def batch_of(lists: dict) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor(lists["x"], dtype=torch.double).view(-1, 2), torch.tensor(lists["y"], dtype=torch.double)


def assert_states_equal(found: list[dict], truth: list[dict], **tolerance) -> None:
    assert [set(layer) for layer in found] == [set(layer) for layer in truth]
    for layer, true in zip(found, truth, strict=True):
        for name, values in layer.items():
            assert values == pytest.approx(true[name], **tolerance), name


@pytest.fixture
def page(module_page):
    """page(function, argument): the value of a JavaScript function that may call those of the module."""
    return lambda function, argument: module_page("playground").evaluate(function, argument)


@pytest.mark.parametrize("norm", [None, nn.BatchNorm1d, bnlib.BatchNorm1d], ids=["plain", "torch", "bnlib"])
@pytest.mark.parametrize("change", CALM, ids=json.dumps)
def test_200_steps_equal_torch(page, change, norm):
    setting = {**DEFAULT, **change}
    start = page(START, {"setting": setting, "normalized": norm is not None, "steps": 200})
    found = page(RUN, {"setting": setting, "normalized": norm is not None, **start})
    truth = Torch(setting, start["weights"], norm)
    losses, norms = zip(*(truth.step(*batch_of(batch)) for batch in start["batches"]), strict=True)
    assert found["losses"] == pytest.approx(losses, rel=1e-4)
    assert sum(found["norms"], []) == pytest.approx(sum(norms, []), rel=1e-3, abs=1e-12)
    assert_states_equal(found["state"], truth.state(), rel=1e-3, abs=1e-6)
    truth.net.eval()
    logits = truth.net(batch_of(start["points"])[0]).flatten().tolist()
    assert found["logits"] == pytest.approx(logits, rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("norm", [None, nn.BatchNorm1d], ids=["plain", "batch"])
@pytest.mark.parametrize("setting", drawn(10), ids=json.dumps)
def test_each_step_from_the_same_state_equals_torch(page, setting, norm):
    start = page(START, {"setting": setting, "normalized": norm is not None, "steps": 10})
    truth = Torch(setting, start["weights"], norm)
    states, steps = [truth.state()], []
    for batch in start["batches"]:
        steps.append(truth.step(*batch_of(batch)))
        states.append(truth.state())
    given = {"setting": setting, "normalized": norm is not None, "states": states[:-1], "batches": start["batches"]}
    for (loss, norms, state), (true_loss, true_norms), after in zip(page(STEPS, given), steps, states[1:], strict=True):
        assert loss == pytest.approx(true_loss, rel=1e-9)
        assert norms == pytest.approx(true_norms, rel=1e-6, abs=1e-12)
        assert_states_equal(state, after, rel=1e-6, abs=1e-9)


def test_rounding_can_grow():
    setting = DEFAULT | {"width": 16}
    made = Playground(width=16)
    weights = [weight.flatten() for weight in made.first_weights()]
    runs = [Torch(setting, [(w * scale).tolist() for w in weights], nn.BatchNorm1d) for scale in (1, 1 + 1e-14)]
    x, y = made.all_points()
    order = [torch.randperm(256, generator=torch.Generator().manual_seed(t))[:32] for t in range(200)]
    one, other = ([run.step(x[taken], y[taken])[0] for taken in order] for run in runs)
    apart = [abs(a - b) / a for a, b in zip(one, other, strict=True)]
    assert apart[0] < 1e-12 and max(apart) > 1e-2


@pytest.mark.parametrize("setting", [DEFAULT, *drawn(6)], ids=json.dumps)
def test_python_draws_and_reckons_the_first_step_as_the_page_does(page, setting):
    made = Playground(**setting)
    for normalized in (False, True):
        start = page(START, {"setting": setting, "normalized": normalized, "steps": 1})
        x, y = made.all_points()
        assert start["points"]["x"] == pytest.approx(x.flatten().tolist(), abs=1e-12)
        assert start["points"]["y"] == y.tolist()
        for weight, true in zip(start["weights"], made.first_weights(), strict=True):
            assert weight == pytest.approx(true.flatten().tolist(), abs=1e-12)
        assert start["batches"][0]["y"] == made.first_batch()[1].tolist()
        found = page(RUN, {"setting": setting, "normalized": normalized, **start})
        assert found["norms"][0] == pytest.approx(made.first_gradients(normalized), rel=1e-6, abs=1e-12)


LEARNED = """({ setting, normalized }) => {
  const known = points(setting), next = batches(known, setting), net = network(setting, normalized);
  for (let t = 0; t < 1000; t++) train(net, next(), setting.lr);
  return forward(net, known.x).filter((logit, i) => logit > 0 === known.y[i] > 0).length / known.y.length;
}"""


@pytest.mark.parametrize(
    ("change", "plain", "batch"),
    [
        ({}, False, True),
        ({"activation": "tanh"}, True, True),
        ({"depth": 1}, True, True),
        ({"activation": "relu", "initialization": "large"}, False, True),
        ({"batch_size": 2}, False, False),
    ],
    ids=json.dumps,
)
def test_chapter_01_says_rightly_which_networks_learn(page, change, plain, batch):
    for normalized, learns in ((False, plain), (True, batch)):
        right = page(LEARNED, {"setting": {**DEFAULT, **change}, "normalized": normalized})
        assert right > 0.98 if learns else right < 0.6


def test_seeds_differ(page):
    starts = [page(START, {"setting": {**DEFAULT, "seed": seed}, "normalized": False, "steps": 2}) for seed in (2, 3)]
    for name in ("weights", "points", "batches"):
        assert starts[0][name] != starts[1][name]


@pytest.mark.parametrize("points", ["circle", "xor", "spirals", "gaussians"])
def test_points_can_be_told_apart(points):
    x, y = Playground(points=points).all_points()
    assert len(y) == 256 and y.sum() == 128 and x.abs().max() < 2.8
    guess = {
        "circle": x.norm(dim=1) < 1.05,
        "xor": x[:, 0] * x[:, 1] > 0,
        "spirals": torch.cos(torch.atan2(x[:, 1], x[:, 0]) - 3.5 * torch.pi * (x.norm(dim=1) - 0.2) / 1.7) < 0,
        "gaussians": x.sum(1) > 0,
    }[points]
    assert (guess == (y > 0)).double().mean() > {"spirals": 0.85}.get(points, 0.96)


def test_an_epoch_takes_each_point_once(page):
    batches = page(START, {"setting": DEFAULT, "normalized": False, "steps": 16})["batches"]
    epochs = [sorted(sum((batch["x"] for batch in part), [])) for part in (batches[:8], batches[8:])]
    assert epochs[0] == epochs[1] == sorted(Playground().all_points()[0].flatten().tolist())
    assert batches[0] != batches[8]


def test_weights_are_normal():
    weights = torch.cat([w.flatten() for w in Playground(width=32, initialization="large").first_weights()])
    assert abs(weights.mean()) < 0.05 and abs(weights.std() - 1) < 0.03
    assert abs((weights.abs() < 1).double().mean() - 0.6827) < 0.02
    small = Playground(width=32, initialization="small").first_weights()
    assert torch.allclose(torch.cat([w.flatten() for w in small]), 0.01 * weights)


def test_the_picture_says_the_gradients_of_the_first_step():
    made = Playground(depth=2)
    for normalized in (False, True):
        assert (
            ", ".join(f"{norm:.0e}".replace("e-0", "e-") for norm in made.first_gradients(normalized)) in made.picture()
        )


@pytest.mark.parametrize("seed", range(12))
def test_dead_units_have_a_picture_too(seed):
    made = Playground(width=2, activation="relu", seed=seed)
    numbers = made.first_gradients(False) + made.first_gradients(True)
    assert all(math.isfinite(norm) for norm in numbers) and made.picture().count("<path") == 2


def test_results_are_read_only():
    for name, value in (("step", 3), ("losses", {"none": []}), ("accuracies", {"none": 1.0})):
        with pytest.raises(TraitError):
            setattr(Playground(), name, value)


def test_a_state_from_the_page_arrives():
    made, seen = Playground(), []
    made.observe(lambda change: seen.append(change.new), names="losses")
    made.set_state({"step": 1, "losses": {"none": [0.7], "batch": [0.6]}, "running": True})
    assert seen == [{"none": [0.7], "batch": [0.6]}] and made.step == 1 and made.running


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ({"depth": 9}, "depth got 9; expected a whole number from 1 to 8"),
        ({"width": 2.5}, "width got 2.5; expected a whole number from 2 to 32"),
        ({"batch_size": 1}, "batch_size got 1; expected one of 2, 4"),
        ({"lr": float("nan")}, "lr got nan; expected a number from 0.001 to 10"),
        ({"points": "moons"}, "points got 'moons'; expected one of 'circle'"),
    ],
)
def test_wrong_values_are_refused(state, sentence):
    with pytest.raises(TraitError, match=sentence):
        Playground(**state)
