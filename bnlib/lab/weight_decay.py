"""Weight decay where the length of the weights means nothing, and on γ and β, where it does.

Below a normalization, shrinking the weights changes no output; it raises the effective learning rate lr / |w|² (van
Laarhoven, 2017, https://arxiv.org/abs/1706.05350; Zhang et al., 2018, "Three Mechanisms of Weight Decay
Regularization"). Shrinking γ and β does change the function, so many recipes leave them out.
"""

from dataclasses import dataclass

import torch
from torch import nn

from bnlib.lab.fitting import few, fit, scored
from bnlib.lab.networks import batch, lenet
from bnlib.lab.parts import Part, Rows
from bnlib.norm import BatchNorm1d, BatchNorm2d
from bnlib.training import FashionMNIST, Moment, TrainConfig

BELOW = ("conv1", "conv2", "linear1", "linear2")  # a normalization stands above each


@dataclass(frozen=True)
class Config:
    """decays: λ of SGD's step w <- w - lr (g + λ w), as torch.optim.SGD's weight_decay."""

    decayed: tuple[str, ...] = ("weights", "gamma and beta", "all")
    decays: tuple[float, ...] = (1e-3, 1e-2)
    seeds: tuple[int, ...] = (0, 1, 2)
    lr: float = 0.3
    epochs: int = 6
    batch_size: int = 256
    examples: int = 12_000


FULL = Config()
QUICK = Config(decayed=("weights", "gamma and beta"), decays=(1e-2,), seeds=(0, 1, 2), epochs=2, examples=6_000)


def parts(config: Config) -> list[Part]:
    """For each seed a run without decay, and one for each of what decays and how much."""
    arms = [("none", 0.0), *((what, decay) for what in config.decayed for decay in config.decays)]
    return [{"decayed": what, "decay": decay, "seed": seed} for what, decay in arms for seed in config.seeds]


def measure(part: Part, data: FashionMNIST, config: Config) -> Rows:
    """Train one LeNet.

    Returns:
        One row: norm, the length of all weights below a normalization at the end; effective_lr, lr / norm²; gamma, the
        mean |γ|; train_loss, train_accuracy, test_loss, test_accuracy in prediction mode.
    """
    torch.manual_seed(part["seed"])
    model = lenet(batch())
    chosen = _decaying(model, part["decayed"])

    @torch.no_grad()
    def decay(moment: Moment) -> None:
        if moment.kind == "step":
            for parameter in chosen:  # the step has taken lr g, so parameter + lr g is what it was before
                parameter -= config.lr * part["decay"] * (parameter + config.lr * parameter.grad)

    some = few(data, config.examples)
    plan = TrainConfig(config.epochs, config.lr, config.batch_size, part["seed"])
    fit(model, few(data, config.examples, test=500), plan, decay)
    norm = torch.cat([model.get_submodule(name).weight.detach().flatten() for name in BELOW]).norm().item()
    gammas = torch.cat([layer.weight.detach() for layer in _normalizations(model)])
    found = {"norm": norm, "effective_lr": config.lr / norm**2, "gamma": gammas.abs().mean().item()}
    return [{**found, **scored(model, some)}]


def _decaying(model: nn.Module, what: str) -> list[nn.Parameter]:
    """The parameters that shrink; biases of linear layers and convolutions never do."""
    weights = [m.weight for m in model.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    affine = [p for layer in _normalizations(model) for p in (layer.weight, layer.bias)]
    return {"none": [], "weights": weights, "gamma and beta": affine, "all": weights + affine}[what]


def _normalizations(model: nn.Module) -> list[nn.Module]:
    return [module for module in model.modules() if isinstance(module, BatchNorm1d | BatchNorm2d)]
