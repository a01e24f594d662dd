import torch
from torch import nn
from torch.nn import functional as F

from answers._batch_norm_layer import Functional, LikeTheLecture, Loops, VarMean
from bnlib.lecture import batch_norm

RIGHT = [LikeTheLecture, Loops, VarMean, Functional, nn.BatchNorm1d]


class Louder(Functional):
    def forward(self, X):
        return 1.1 * super().forward(X)


class ForgetsInPrediction(Functional):
    def forward(self, X):
        if not self.training:
            self.running_mean.mul_(0.5)
        return super().forward(X)


class ClampsInPrediction(Functional):
    def forward(self, X):
        Y = super().forward(X)
        return Y if self.training else Y.clamp(max=0.5)


class MeanDetached(Functional):
    def forward(self, X):
        if not self.training:
            return super().forward(X)
        return super().forward(X).detach() + 0 * X


UNKNOWN = {
    Louder: "like_torch_in_training",
    ForgetsInPrediction: "unchanged_in_prediction",
    ClampsInPrediction: "alone_in_prediction",
    MeanDetached: "gradient_like_torch",
    lambda d, eps, momentum: nn.BatchNorm1d(d, eps, momentum**2): "buffers_like_torch",
    lambda d, eps, momentum: nn.LayerNorm(d): "missing",
    lambda d, eps, momentum: nn.BatchNorm1d(d + 1, eps, momentum): "shape",
    lambda d, eps, momentum: F.batch_norm: "type",
}


class InParts(LikeTheLecture):
    """The same in parts, for answers that are wrong in several, or in half of one."""

    def forward(self, X):
        if self.by_batch(X):
            self.update(X)
            return self.normalized(X, X.mean(0), X.var(0, correction=0))
        return self.normalized(X, self.running_mean, self.running_var)

    def by_batch(self, X):
        return self.training

    @torch.no_grad()
    def update(self, X):
        self.running_mean.lerp_(X.mean(0), self.momentum)
        self.running_var.lerp_(self.variance(X), self.momentum)

    def variance(self, X):
        return X.var(0)

    def normalized(self, X, mean, var):
        return (X - mean) / self.root(var) * self.weight + self.bias

    def root(self, var):
        return (var + self.eps).sqrt()


class Biased(InParts):
    def variance(self, X):
        return X.var(0, correction=0)


class EpsOutside(InParts):
    def root(self, var):
        return var.sqrt() + self.eps


def mode(of_input, base=InParts):
    return type("ModeFromElsewhere", (base,), {"by_batch": lambda self, X: of_input(self, X)})


class LikeOldLecture(mode(lambda layer, X: torch.is_grad_enabled(), Biased)):
    """The lecture's: the mode from gradients, and the biased variance is kept."""


class Reversed(InParts):
    def __init__(self, num_features, eps, momentum):
        super().__init__(num_features, eps, 1 - momentum)


class TheLectures(LikeTheLecture):
    """Its own, with the names and the signature of the exercise: all its traps at once."""

    def __init__(self, num_features, eps, momentum):
        super().__init__(num_features, eps, momentum)
        del self.running_mean, self.running_var
        self.running_mean, self.running_var = torch.zeros(num_features), torch.ones(num_features)

    def forward(self, X):
        kept = self.running_mean, self.running_var
        Y, *kept = batch_norm(X, self.weight, self.bias, *kept, self.eps, self.momentum)
        self.running_mean, self.running_var = (value.reshape(-1) for value in kept)
        return Y


class HalfWithoutGrad(InParts):
    def update(self, X):
        momentum = self.momentum if torch.is_grad_enabled() else self.momentum / 2
        self.running_mean.lerp_(X.detach().mean(0), momentum)
        self.running_var.lerp_(X.detach().var(0), momentum)


class OnlyUpdatesFromGrad(EpsOutside):
    def update(self, X):
        if torch.is_grad_enabled():
            super().update(X)


def remade(*, plain=(), unsaved=(), parameters=(), base=InParts):
    """A layer some of whose tensors are registered otherwise."""

    class Remade(base):
        def __init__(self, num_features, eps, momentum):
            super().__init__(num_features, eps, momentum)
            for name in (*plain, *unsaved, *parameters):
                value = getattr(self, name).detach()
                delattr(self, name)
                if name in unsaved:
                    self.register_buffer(name, value, persistent=False)
                else:
                    setattr(self, name, nn.Parameter(value) if name in parameters else value)

    return Remade


class HistoryInVarianceAlone(InParts):
    def update(self, X):
        self.running_mean.lerp_(X.detach().mean(0), self.momentum)
        self.running_var = self.running_var.lerp(X.var(0), self.momentum)


class AlwaysByBatchAndBiased(Biased):
    def by_batch(self, X):
        return True


STATISTICS, LEARNED = ("running_mean", "running_var"), ("weight", "bias")
NAMED = {
    remade(unsaved=STATISTICS): {"not_persistent"},
    remade(plain=STATISTICS): {"plain_tensors"},
    remade(plain=STATISTICS, base=Biased): {"plain_tensors", "biased_kept"},
    remade(plain=("running_var",), unsaved=("running_mean",)): {"not_persistent"},
    remade(plain=LEARNED): {"no_parameters"},
    remade(plain=(*STATISTICS, *LEARNED)): {"nothing_registered"},
    remade(plain=STATISTICS, unsaved=LEARNED): {"no_parameters"},
    remade(parameters=STATISTICS): {"statistics_as_parameters"},
    mode(lambda layer, X: layer.training and torch.is_grad_enabled()): {"not_without_grad"},
    mode(lambda layer, X: layer.training and X.requires_grad): {"not_without_grad"},
    mode(lambda layer, X: X.requires_grad): {"mode_from_input"},
    mode(lambda layer, X: torch.is_grad_enabled()): {"mode_from_grad"},
    mode(lambda layer, X: torch.is_grad_enabled(), Reversed): {"other_way_round", "mode_from_grad"},
    mode(lambda layer, X: layer.training and torch.is_grad_enabled(), Reversed): {
        "other_way_round",
        "not_without_grad",
    },
    mode(lambda layer, X: X.requires_grad, Reversed): {"other_way_round", "mode_from_input"},
    mode(lambda layer, X: True, Reversed): {"other_way_round", "always_training"},
    TheLectures: {"plain_tensors", "other_way_round", "mode_from_grad"},
    LikeOldLecture: {"biased_kept", "mode_from_grad"},
    mode(lambda layer, X: layer.training and torch.is_grad_enabled(), Biased): {"biased_kept", "not_without_grad"},
    mode(lambda layer, X: X.requires_grad, Biased): {"biased_kept", "mode_from_input"},
    OnlyUpdatesFromGrad: {"eps_outside", "no_update_without_grad"},
    mode(lambda layer, X: layer.training and torch.is_grad_enabled(), EpsOutside): {"eps_outside", "not_without_grad"},
    mode(lambda layer, X: True, EpsOutside): {"eps_outside", "always_training"},
    mode(lambda layer, X: torch.is_grad_enabled(), EpsOutside): {"eps_outside", "mode_from_grad"},
    HistoryInVarianceAlone: {"from_graph"},
    AlwaysByBatchAndBiased: {"biased_kept", "always_training"},
}


class DrawnWeight(InParts):
    def __init__(self, num_features, eps, momentum):
        super().__init__(num_features, eps, momentum)
        nn.init.normal_(self.weight)


class Gamma(InParts):
    def __init__(self, num_features, eps, momentum):
        super().__init__(num_features, eps, momentum)
        self.gamma = nn.Parameter(torch.ones(num_features))


class RequiresGradients(InParts):
    def __init__(self, num_features, eps, momentum):
        super().__init__(num_features, eps, momentum)
        self.running_var.requires_grad_()


UNKNOWN |= {
    DrawnWeight: "first_values",
    Gamma: "learned",
    remade(plain=("weight",)): "learned",
    remade(plain=("running_var",)): "saved",
    remade(unsaved=("running_mean",)): "saved",
    HalfWithoutGrad: "updated_without_grad",
    RequiresGradients: "without_gradients",
}
