"""The module of the exercise repair_state: broken, repaired, and repaired in the wrong ways that are known."""

import torch
from torch import nn


class Standardize(nn.Module):
    def __init__(self, num_features):
        super().__init__()
        self.mean = torch.zeros(num_features)
        self.std = torch.ones(num_features)

    def fit(self, X):
        self.mean = X.mean(dim=0)
        self.std = X.std(dim=0)

    def forward(self, X):
        return (X - self.mean) / self.std


class Right(nn.Module):
    def __init__(self, num_features):
        super().__init__()
        self.register_buffer("mean", torch.zeros(num_features))
        self.register_buffer("std", torch.ones(num_features))

    def fit(self, X):
        self.mean.copy_(X.mean(dim=0))
        self.std.copy_(X.std(dim=0))

    def forward(self, X):
        return (X - self.mean) / self.std


class Rebound(Right):
    def fit(self, X):
        self.mean = X.mean(dim=0)
        self.std = X.std(dim=0)


class MeanRebound(Right):
    def fit(self, X):
        self.mean = X.mean(dim=0)
        self.std.copy_(X.std(dim=0))


class StdRebound(Right):
    def fit(self, X):
        self.mean.copy_(X.mean(dim=0))
        self.std = X.std(dim=0)


class NotPersistent(Right):
    def __init__(self, num_features):
        super().__init__(num_features)
        self.register_buffer("mean", self.mean, persistent=False)
        self.register_buffer("std", self.std, persistent=False)


class Parameters(Right):
    def __init__(self, num_features):
        nn.Module.__init__(self)
        self.mean = nn.Parameter(torch.zeros(num_features))
        self.std = nn.Parameter(torch.ones(num_features))

    def fit(self, X):
        with torch.no_grad():
            super().fit(X)


class ParametersRebound(Parameters):
    def fit(self, X):
        self.mean = nn.Parameter(X.mean(dim=0))
        self.std = nn.Parameter(X.std(dim=0))


class MeanOnly(Right):
    def __init__(self, num_features):
        nn.Module.__init__(self)
        self.register_buffer("mean", torch.zeros(num_features))
        self.std = torch.ones(num_features)


class StdOnly(Right):
    def __init__(self, num_features):
        nn.Module.__init__(self)
        self.mean = torch.zeros(num_features)
        self.register_buffer("std", torch.ones(num_features))


class Beside(Standardize):
    def __init__(self, num_features):
        super().__init__(num_features)
        self.register_buffer("running_mean", self.mean)
        self.register_buffer("running_std", self.std)


class Added(Right):
    def fit(self, X):
        self.mean += X.mean(dim=0)
        self.std += X.std(dim=0)


class LocalNames(Right):
    def fit(self, X):
        mean, std = self.mean, self.std
        mean, std = X.mean(dim=0), X.std(dim=0)  # noqa: F841


class InPlaceUnregistered(Standardize):
    def fit(self, X):
        self.mean.copy_(X.mean(dim=0))
        self.std.copy_(X.std(dim=0))


class ByTheBatch(Right):
    def forward(self, X):
        return (X - X.mean(dim=0)) / X.std(dim=0)
