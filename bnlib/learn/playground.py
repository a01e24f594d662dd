"""Widget: two small networks, one with batch normalization, trained in the page on points of the plane."""

import math
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F
from traitlets import Bool, Dict, Int, default

from bnlib.learn.traits import Choice, Number, Whole
from bnlib.learn.widget import CourseWidget
from bnlib.norm import BatchNorm1d

POINTS = 256
ACTIVATIONS = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU}


class Playground(CourseWidget):
    """Batch normalization playground: both networks start from the same weights and see the same batches.

    A network has `depth` hidden linear layers of `width` units, each followed by the activation, and a linear layer
    with one output; the second network has batch normalization between each hidden layer and its activation. They
    learn to tell two classes of points by plain stochastic gradient descent on the cross-entropy.

    Traits:
        points: "circle", "xor", "spirals" or "gaussians". seed: of the points, the weights and the order of the
            batches.
        depth, width, activation, initialization: the networks. With "small" and "large" weights the standard
            deviation is 0.01 and 1. batch_size, lr: the descent. steps: where a run ends.
        running: whether it runs; Python may set it, too.
        step, losses, accuracies: read-only, told by the page whenever it stops: how many steps were done, the loss of
            each batch and the accuracy on all points, by the names "none" and "batch". A loss above a million, or one
            that is no number, ends its network's run and is not listed.

    Raises:
        TraitError: a value outside of its bounds, which the message names.
    """

    name = "playground"

    points = Choice("circle", "xor", "spirals", "gaussians")
    activation = Choice("sigmoid", "tanh", "relu")
    initialization = Choice("xavier", "kaiming", "small", "large")
    depth = Whole(8, 1, 8)
    width = Whole(8, 2, 32)
    batch_size = Choice(2, 4, 8, 16, 32, 64, 128, 256)
    lr = Number(0.5, 0.001, 10)
    seed = Whole(2, 0, 99)
    steps = Whole(1000, 1, 5000)

    running = Bool(False).tag(sync=True)
    step = Int(0, read_only=True).tag(sync=True)
    losses = Dict(read_only=True).tag(sync=True)
    accuracies = Dict(read_only=True).tag(sync=True)

    @default("batch_size")
    def _not_the_first(self) -> int:
        return 32

    def first_gradients(self, normalized: bool) -> list[float]:
        """Norms of the weights' gradients in the first step, from the first layer to the last, in float64."""
        x, y = self.first_batch()
        layers = []
        for weight in self.first_weights():
            layers.append(nn.Linear(*reversed(weight.shape), dtype=torch.double))
            layers[-1].weight.data, layers[-1].bias.data = weight, torch.zeros(len(weight), dtype=torch.double)
            if normalized:
                layers.append(BatchNorm1d(len(weight), dtype=torch.double))
            layers.append(ACTIVATIONS[self.activation]())
        net = nn.Sequential(*layers[: -2 if normalized else -1])  # nothing behind the output
        F.binary_cross_entropy_with_logits(net(x).squeeze(1), y).backward()
        return [layer.weight.grad.norm().item() for layer in net if isinstance(layer, nn.Linear)]

    def first_weights(self) -> list[torch.Tensor]:
        """The weights (outputs, inputs) that both networks start from; all biases are 0."""
        _, normal = _random(self.seed + 1)
        weights = []
        for layer in range(self.depth + 1):
            n, k = self.width if layer else 2, self.width if layer < self.depth else 1
            std = {"xavier": math.sqrt(2 / (n + k)), "kaiming": math.sqrt(2 / n), "small": 0.01, "large": 1.0}
            drawn = [std[self.initialization] * normal() for _ in range(n * k)]
            weights.append(torch.tensor(drawn, dtype=torch.double).view(k, n))
        return weights

    def first_batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Points (batch size, 2) and classes (batch size) of the first step."""
        uniform, _ = _random(self.seed + 2)
        order = list(range(POINTS))
        for i in range(POINTS - 1, 0, -1):
            j = int(uniform() * (i + 1))
            order[i], order[j] = order[j], order[i]
        x, y = self.all_points()
        taken = order[: self.batch_size]
        return x[taken], y[taken]

    def all_points(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The points (256, 2), which all lie within about -2 and 2, and their classes (256), 0 and 1 in turn."""
        uniform, normal = _random(self.seed)

        def polar(radius: float, angle: float) -> list[float]:
            return [radius * math.cos(angle), radius * math.sin(angle)]

        def circle(label: int) -> list[float]:
            radius = 0.8 * math.sqrt(uniform()) if label else 1.3 + 0.6 * uniform()
            return polar(radius, 2 * math.pi * uniform())

        def xor(label: int) -> list[float]:
            sign = -1 if uniform() < 0.5 else 1
            return [side * sign * (0.15 + 1.7 * uniform()) for side in (1, 1 if label else -1)]

        def spirals(label: int) -> list[float]:
            t = uniform()
            return polar(0.2 + 1.7 * t, math.pi * (3.5 * t + label))

        def gaussians(label: int) -> list[float]:
            return [(0.8 if label else -0.8) + 0.5 * normal() for _ in range(2)]

        draw = {"circle": circle, "xor": xor, "spirals": spirals, "gaussians": gaussians}[self.points]
        x = [[place + 0.1 * normal() for place in draw(i % 2)] for i in range(POINTS)]
        return torch.tensor(x, dtype=torch.double), torch.arange(POINTS).remainder(2).double()

    def picture(self) -> str:
        """The gradients of the first step on a logarithmic scale, and the same in words."""
        norms = {name: self.first_gradients(name == "batch") for name in ("none", "batch")}
        parts = []
        for name, kind in (("none", 'stroke="#b34700" stroke-dasharray="6 4"'), ("batch", 'stroke="#0072b2"')):
            places = [
                f"{30 + 540 * i / self.depth:.0f} {30 - 20 * min(max(math.log10(max(norm, 1e-8)), -8), 1):.0f}"
                for i, norm in enumerate(norms[name])
            ]
            parts.append(f'<path d="M{"L".join(places)}" fill="none" stroke-width="2.5" {kind}/>')
        for exponent in (0, -8):
            parts.append(f'<text x="2" y="{34 - 20 * exponent}" font-size="12">1e{exponent}</text>')
        numbers = [
            f"{self.say(name)} · {', '.join(f'{norm:.0e}'.replace('e-0', 'e-') for norm in norms[name])}"
            for name in norms
        ]
        label = self.say("norms")
        told = self.marks["sentences"].format(first=self.say("at_step", step=1), second=label)
        told = self.marks["sentences"].format(first=told, second=self.marks["semicolon"].join(numbers))
        return (
            f'<svg viewBox="0 0 600 210" role="img" aria-label="{label}" style="max-width:600px;background:#fff">'
            f"{''.join(parts)}</svg><p>{told}</p>"
        )


def _random(seed: int) -> tuple[Callable[[], float], Callable[[], float]]:
    """Uniform and normal random numbers, the same as the page's: mulberry32, and Box-Muller."""
    state = seed

    def uniform() -> float:
        nonlocal state
        state = state + 0x6D2B79F5 & 0xFFFFFFFF
        t = (state ^ state >> 15) * (state | 1) & 0xFFFFFFFF
        t = t + ((t ^ t >> 7) * (t | 61) & 0xFFFFFFFF) & 0xFFFFFFFF ^ t
        return (t ^ t >> 14) / 2**32

    def normal() -> float:
        return math.sqrt(-2 * math.log(1 - uniform())) * math.cos(2 * math.pi * uniform())

    return uniform, normal
