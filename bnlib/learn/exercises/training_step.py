"""Exercise: a training step with batch normalization and gradient accumulation (chapter 06, case 6)."""

from collections import OrderedDict
from numbers import Real

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bnlib.learn.exercise import Ask, CodeExercise, Inputs, Property, Unfit, batch, by_hand, need_shape
from bnlib.learn.exercises._training_step import MISTAKES, SOUND, TELLING, UNASKED, right
from bnlib.learn.outcome import same
from bnlib.learn.show import unequal

STATISTICS = ("norm.running_mean", "norm.running_var")
FIRST, SECOND = "step 1", "step 2"


def network(weight: Tensor) -> nn.Sequential:
    """Batch normalization, then a linear layer with these weights and a bias of 0."""
    features, outputs = weight.shape[1], weight.shape[0]
    net = nn.Sequential(OrderedDict(norm=nn.BatchNorm1d(features), linear=nn.Linear(features, outputs)))
    with torch.no_grad():
        net.linear.weight.copy_(weight)
        net.linear.bias.zero_()
    return net


def ask(answer, inputs: Inputs):
    """Two steps: before the first the network is in prediction mode, before the second in training mode."""
    net = network(inputs["weight"])
    optimizer = torch.optim.SGD(net.parameters(), lr=inputs["lr"])
    seen = {}
    for when, training in ((FIRST, False), (SECOND, True)):
        net.train(training)
        steps = []  # the gradients that each of the optimizer's steps has taken, also those of a closure
        hook = optimizer.register_step_post_hook(lambda *_, steps=steps: steps.append(gradients(net)))
        before = [p.detach().clone() for p in net.parameters()]
        loss = answer(net, optimizer, inputs["X"], inputs["y"], inputs["parts"])
        hook.remove()
        moved = any(not same(old, p) for old, p in zip(before, net.parameters(), strict=False))
        found = {"optimizer.step() calls": len(steps), UNASKED: moved and not steps, "net.training": net.training}
        found |= steps[-1] if steps else gradients(net)
        found |= {"loss": number(loss)}
        found |= {name: value.detach().clone() for name, value in net.state_dict().items()}
        seen |= {f"{name} ({when})": value for name, value in found.items()}
    return seen


def gradients(net: nn.Module) -> dict[str, Tensor]:
    """The gradients of all parameters, 0 where there is none."""
    parameters = net.named_parameters()
    return {f"{name}.grad": 0 * p.detach() if p.grad is None else p.grad.clone() for name, p in parameters}


def number(loss: object) -> float:
    """A loss as it may be returned: a number, or a tensor of one.

    Raises:
        Unfit: for anything else.
    """
    if loss is None:
        raise Unfit("nothing", name="step(…)")
    if isinstance(loss, Tensor):
        return float(loss) if loss.numel() == 1 else need_shape("step(…)", loss, torch.Size()).item()
    if not isinstance(loss, Real):  # also NumPy's numbers
        raise Unfit("type", name="step(…)", got=type(loss).__name__, expected="float")
    return float(loss)


def drawn(n: int, d: int, parts: int):
    def make(generator):
        X, weight = batch(n, d, generator=generator), torch.randn(1, d, generator=generator)
        return {"X": X, "y": torch.randn(n, 1, generator=generator), "parts": parts, "weight": weight, "lr": 0.2}

    return make


def one_step(ask: Ask, inputs: Inputs) -> str | None:
    """One call, and gradient descent as it is: parameter - lr * gradient, from the state after the first step."""
    seen = ask(inputs)
    broken = unequal("optimizer.step() calls", seen[f"optimizer.step() calls ({SECOND})"], 1.0)
    for name, _ in network(inputs["weight"]).named_parameters():
        expected = seen[f"{name} ({FIRST})"] - inputs["lr"] * seen[f"{name}.grad ({SECOND})"]
        broken = broken or unequal(f"{name} ({SECOND})", seen[f"{name} ({SECOND})"], expected)
    return broken


def statistics_of_parts(ask: Ask, inputs: Inputs) -> str | None:
    seen, net = ask(inputs), network(inputs["weight"])
    with torch.no_grad():
        for x in inputs["X"].chunk(inputs["parts"]):
            net(x)
    state = net.state_dict()
    pairs = ((f"{name} ({FIRST})", state[name]) for name in STATISTICS)
    return next((broken for name, value in pairs if (broken := unequal(name, seen[name], value))), None)


def mean_over_samples(ask: Ask, inputs: Inputs) -> str | None:
    """All parts in one graph: the network's outputs joined, their loss, and its gradient."""
    seen, net = ask(inputs), network(inputs["weight"])
    loss = F.mse_loss(torch.cat([net(x) for x in inputs["X"].chunk(inputs["parts"])]), inputs["y"])
    loss.backward()
    expected = {"loss": loss.item(), **gradients(net)}
    pairs = ((f"{name} ({FIRST})", value) for name, value in expected.items())
    return next((broken for name, value in pairs if (broken := unequal(name, seen[name], value))), None)


def training_afterwards(ask: Ask, inputs: Inputs) -> str | None:
    seen = ask(inputs)
    pairs = ((f"net.training ({when})", seen[f"net.training ({when})"]) for when in (FIRST, SECOND))
    return next((broken for name, value in pairs if (broken := unequal(name, value, True))), None)


def again_the_same(ask: Ask, inputs: Inputs) -> str | None:
    seen = ask({**inputs, "lr": 0.0})
    names = ("loss", *gradients(network(inputs["weight"])))
    pairs = ((f"{name} ({SECOND})", f"{name} ({FIRST})") for name in names)
    broken = next((found for a, b in pairs if (found := unequal(a, seen[a], seen[b]))), None)
    return broken and f"lr = 0: {broken}"


EXERCISE = CodeExercise(
    name="training_step",
    chapter=6,
    call="step(net, optimizer, X, y, parts)",
    ask=ask,
    inputs=(
        by_hand(X=[[1.0], [3.0], [2.0], [6.0]], y=[[1.0], [0.0], [2.0], [1.0]], parts=2, weight=[[2.0]], lr=0.5),
        by_hand(  # parts of 3, and none of a single sample where they are cut into parts of 2
            X=[[1.0], [3.0], [8.0], [2.0], [6.0], [4.0]],
            y=[[1.0], [0.0], [3.0], [2.0], [1.0], [2.0]],
            parts=2,
            weight=[[2.0]],
            lr=0.25,
        ),
        by_hand(
            X=[[1.0], [3.0], [8.0], [2.0], [6.0]],
            y=[[1.0], [0.0], [3.0], [2.0], [1.0]],
            parts=2,
            weight=[[2.0]],
            lr=0.25,
        ),
        by_hand(
            X=[[1.0], [3.0], [8.0], [2.0], [6.0], [0.0], [5.0], [7.0], [4.0], [9.0]],
            y=[[1.0], [0.0], [3.0], [2.0], [1.0], [0.0], [2.0], [1.0], [4.0], [3.0]],
            parts=3,
            weight=[[2.0]],
            lr=0.25,
        ),
        drawn(11, 3, parts=4),
    ),
    right=right,
    mistakes=MISTAKES,
    telling=TELLING,
    sound=SOUND,
    properties=(
        Property("one_step", one_step),
        Property("statistics_of_parts", statistics_of_parts),
        Property("mean_over_samples", mean_over_samples),
        Property("again_the_same", again_the_same),
        Property("training_afterwards", training_afterwards),
    ),
)
