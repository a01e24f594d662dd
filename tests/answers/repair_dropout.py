import torch
from torch import nn
from torch.nn import functional as F

import bnlib


class Written(nn.Module):
    def __init__(self, num_features, p):
        super().__init__()
        self.norm, self.p = nn.BatchNorm1d(num_features), p

    def forward(self, X):
        return F.dropout(F.relu(self.norm(X)), self.p, self.training)


def dropout_before_relu(num_features, p):
    return nn.Sequential(nn.BatchNorm1d(num_features), nn.Dropout(p), nn.ReLU())


class OwnMask(Written):
    def forward(self, X):
        Y = self.norm(X).clamp(min=0)
        if self.training:
            Y = Y * (torch.rand(Y.shape) >= self.p) / (1 - self.p)
        return Y


class OwnNorm(nn.Module):
    """The learner's own layer, with a momentum of 0.1 under another name."""

    share, correction = 0.1, 1

    def __init__(self, num_features):
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, X):
        if not self.training:
            return (X - self.running_mean) / torch.sqrt(self.running_var + 1e-5)
        self.running_mean.lerp_(X.mean(0), self.share)
        self.running_var.lerp_(X.var(0, correction=self.correction), self.share)
        return (X - X.mean(0)) / torch.sqrt(X.var(0, correction=0) + 1e-5)


class OwnNormBiased(OwnNorm):
    """Keeps the biased variance, and more slowly."""

    share, correction = 0.05, 0


class OwnNormLikeKeras(OwnNorm):
    """What is called momentum is the share of the old numbers."""

    momentum = 0.9

    @property
    def share(self):
        return 1 - self.momentum


class OwnNormSlow(nn.Module):
    """Its statistics are new tensors each time, and forget so slowly that rounding stops them early."""

    def __init__(self, num_features):
        super().__init__()
        self.running_mean, self.running_var = torch.zeros(num_features), torch.ones(num_features)

    def forward(self, X):
        if not self.training:
            return (X - self.running_mean) / torch.sqrt(self.running_var + 1e-5)
        self.running_mean = 0.999 * self.running_mean + 0.001 * X.mean(0)
        self.running_var = 0.999 * self.running_var + 0.001 * X.var(0)
        return (X - X.mean(0)) / torch.sqrt(X.var(0, correction=0) + 1e-5)


class ByTorchsFunction(OwnNorm):
    """Torch's function with a small momentum."""

    def forward(self, X):
        return F.batch_norm(X, self.running_mean, self.running_var, training=self.training, momentum=0.002)


def around(norm):
    def hidden(num_features, p):
        return nn.Sequential(norm(num_features), nn.ReLU(), nn.Dropout(p))

    return hidden


def lazy(num_features, p):
    return nn.Sequential(nn.LazyBatchNorm1d(), nn.ReLU(), nn.Dropout(p))


OWN = (OwnNorm, OwnNormBiased, OwnNormLikeKeras, OwnNormSlow, ByTorchsFunction, bnlib.BatchNorm1d)
RIGHT = [Written, dropout_before_relu, OwnMask, lazy, *map(around, OWN)]


class ScaledTwice(Written):
    def forward(self, X):
        return super().forward(X) / (1 - self.p if self.training else 1)


class Chance(Written):
    def forward(self, X):
        return super().forward(X) if self.training else F.relu(self.norm(X)) + torch.rand(X.shape)


class NotToZero(Written):
    def forward(self, X):
        Y = F.relu(self.norm(X))
        return Y if not self.training else torch.where(torch.rand(Y.shape) < self.p, 0.1, Y / (1 - self.p))


class Louder(Written):
    def forward(self, X):
        return super().forward(X) * (1 if self.training else 1.5)


def untracked(num_features):
    return nn.BatchNorm1d(num_features, track_running_stats=False)


UNKNOWN = {
    lambda d, p: nn.Sequential(nn.Dropout(p), nn.BatchNorm1d(d)): "unit_variance_in_prediction",
    lambda d, p: nn.Sequential(nn.Dropout(1 - p), nn.BatchNorm1d(d), nn.ReLU()): "unit_variance_in_prediction",
    lambda d, p: nn.Sequential(untracked(d), nn.Dropout(p)): "alone_in_prediction",
    Chance: "no_chance_in_prediction",
    Louder: "unit_variance_in_prediction",
    NotToZero: "each_value_dropped",
    ScaledTwice: "what_stays_is_scaled",
    lambda d, p: nn.Linear(d, d + 1): "shape",
    lambda d, p: F.relu: "type",
}


class BrokenInOneClass(Written):
    def forward(self, X):
        return F.relu(self.norm(F.dropout(X, self.p, self.training)))


class OfTheBatch(Written):
    """No statistics are kept at all."""

    def forward(self, X):
        return F.dropout(F.relu(F.batch_norm(X, None, None, training=True)), self.p, self.training)


NAMED = {
    lambda d, p: nn.Sequential(nn.Dropout(p), nn.LazyBatchNorm1d(), nn.ReLU()): {"unchanged"},
    BrokenInOneClass: {"unchanged"},
    lambda d, p: nn.Sequential(nn.Dropout(p), OwnNorm(d), nn.ReLU()): {"unchanged"},
    OfTheBatch: {"statistics_of_the_batch"},
    lambda d, p: nn.Sequential(untracked(d), nn.ReLU()): {"statistics_of_the_batch", "no_dropout"},
    lambda d, p: nn.Sequential(untracked(d), nn.ReLU(), nn.Dropout(1 - p)): {"statistics_of_the_batch", "other_share"},
    lambda d, p: nn.Sequential(nn.Dropout(p), nn.BatchNorm1d(d), nn.ReLU(), nn.Dropout(1 - p)): {"twice"},
    lambda d, p: nn.Sequential(nn.BatchNorm1d(d), nn.Dropout(1 - p)): {"no_relu"},
    lambda d, p: nn.Sequential(OwnNorm(d), nn.Dropout(p)): {"no_relu"},
    lambda d, p: nn.Sequential(nn.ReLU(), OwnNorm(d), nn.Dropout(p)): {"relu_first"},
}


class Nine(Written):
    """The share is another one than p, and the scale is right for p."""

    def keep(self, Y):
        return torch.rand(Y.shape) >= 0.9

    def forward(self, X):
        Y = F.relu(self.norm(X))
        return Y * self.keep(Y) / (1 - self.p) if self.training else Y


class NineOfAnyP(Written):
    def forward(self, X):
        return F.dropout(F.relu(self.norm(X)), 0.9, self.training)


class LittleMore(Nine):
    def keep(self, Y):
        return torch.rand(Y.shape) >= self.p + 0.1


class Inverted(Nine):
    def keep(self, Y):
        return torch.rand(Y.shape) < self.p


class Bernoulli(Nine):
    def keep(self, Y):
        return torch.bernoulli(torch.full_like(Y, 1 - self.p))


class WholeSamples(Nine):
    def keep(self, Y):
        return torch.rand(len(Y), 1) >= self.p


class WholeFeatures(Nine):
    def keep(self, Y):
        return torch.rand(Y.shape[1]) >= self.p


class InvertedWithItsScale(Nine):
    def keep(self, Y):
        return (torch.rand(Y.shape) < self.p) * (1 - self.p) / self.p


RIGHT.append(Bernoulli)
UNKNOWN |= {
    Nine: "share_dropped",
    NineOfAnyP: "share_dropped",
    LittleMore: "share_dropped",
    WholeFeatures: "each_value_dropped",
}
NAMED |= {
    Inverted: {"mask_inverted"},
    WholeSamples: {"whole_samples"},
    InvertedWithItsScale: {"other_share"},
}
