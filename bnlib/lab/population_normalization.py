"""Is batch normalization the normalization by the population, plus a decay of γ? The claim of Luo et al.

Luo et al. (2018), "Towards Understanding Regularization in Batch Normalization", section 2: averaged over
the noise of its statistics, a batch-normalized perceptron's loss is that with the population's statistics plus a
penalty ζ γ². So population normalization should generalize worse than batch normalization with small batches, and γ
decay should make up for it. Here the population is represented by images of their own, which go through the network
beside every minibatch: their statistics normalize it, and the gradient flows through them.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bnlib import recalibrate
from bnlib.lab.fitting import few, fit, scored
from bnlib.lab.networks import Factory, batch, lenet
from bnlib.lab.parts import Part, Rows
from bnlib.norm import BatchNorm1d, BatchNorm2d
from bnlib.training import FashionMNIST, Moment, TrainConfig


@dataclass(frozen=True)
class Config:
    """decays: ζ of the penalty ζ γ²; batch_size: small, so that the noise has something to do; reference: images."""

    decays: tuple[float, ...] = (1e-3, 1e-2)
    seeds: tuple[int, ...] = (0, 1, 2)
    activation: str = "relu"
    lr: float = 0.05
    epochs: int = 12
    batch_size: int = 16
    examples: int = 2_000
    reference: int = 256


FULL = Config()
QUICK = Config(decays=(1e-2,), epochs=5, examples=1_000, reference=128)


class _ByReference:
    """In training, normalizes all samples by the statistics of the last `reference` ones, gradient included."""

    reference = 0

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        known = x[-self.reference :]
        axes = (0, *range(2, x.dim()))
        var, mean = torch.var_mean(known, axes, correction=0, keepdim=True)
        shape = (1, -1, *(1 for _ in x.shape[2:]))
        return (x - mean) * torch.rsqrt(var + self.eps) * self.weight.view(shape) + self.bias.view(shape)


class PopulationNorm1d(_ByReference, BatchNorm1d):
    """(N + reference, C), the reference at the end."""


class PopulationNorm2d(_ByReference, BatchNorm2d):
    """(N + reference, C, H, W), the reference at the end."""


class Beside(nn.Module):
    """A network that sees the reference images beside every minibatch, in training; its logits are the minibatch's."""

    def __init__(self, network: nn.Module, reference: Tensor) -> None:
        super().__init__()
        self.network, self.reference = network, reference

    def forward(self, images: Tensor) -> Tensor:
        if not self.training:
            return self.network(images)
        return self.network(torch.cat([images, self.reference]))[: len(images)]


def parts(config: Config) -> list[Part]:
    """For each seed batch normalization, population normalization, and that with each decay."""
    arms = [("batch", 0.0), ("population", 0.0), *(("population", decay) for decay in config.decays)]
    return [{"norm": norm, "decay": decay, "seed": seed} for norm, decay in arms for seed in config.seeds]


def measure(part: Part, data: FashionMNIST, config: Config) -> Rows:
    """Train one LeNet; both kinds are scored with statistics over all training images.

    Returns:
        One row: gamma, the mean |γ|; train_loss, train_accuracy, test_loss, test_accuracy in prediction mode.
    """
    torch.manual_seed(part["seed"])
    some = few(data, config.examples)
    network = lenet(batch() if part["norm"] == "batch" else _by(config.reference), config.activation)
    model = network if part["norm"] == "batch" else Beside(network, data.train_images[-config.reference :])
    gammas = [m.weight for m in network.modules() if isinstance(m, BatchNorm1d | BatchNorm2d)]

    @torch.no_grad()
    def decay(moment: Moment) -> None:
        if moment.kind == "step":
            for gamma in gammas:  # the gradient of ζ γ² at the γ from before the step
                gamma -= config.lr * 2 * part["decay"] * (gamma + config.lr * gamma.grad)

    plan = TrainConfig(config.epochs, config.lr, config.batch_size, part["seed"])
    fit(model, few(data, config.examples, test=500), plan, decay)
    plain = lenet(batch(), config.activation)
    plain.load_state_dict(network.state_dict())
    recalibrate(plain, some.train_images.split(500))
    return [{"gamma": torch.cat([g.detach() for g in gammas]).abs().mean().item(), **scored(plain, some)}]


def _by(reference: int) -> Factory:
    def make(channels: int, axes: int) -> nn.Module:
        layer = (PopulationNorm2d if axes == 4 else PopulationNorm1d)(channels)
        layer.reference = reference
        return layer

    return make
