"""The right layer and the wrong ones of the exercise batch_norm_layer: each wrong one differs in a single step."""

import torch
from torch import nn


class BatchNorm(nn.Module):
    def __init__(self, num_features, eps, momentum):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))  # gamma
        self.bias = nn.Parameter(torch.zeros(num_features))  # beta
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, X):
        if self.training:
            mean, var = X.mean(dim=0), X.var(dim=0, correction=0)
            with torch.no_grad():
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(X.var(dim=0, correction=1), self.momentum)
        else:
            mean, var = self.running_mean, self.running_var
        return (X - mean) / torch.sqrt(var + self.eps) * self.weight + self.bias


class InSteps(nn.Module):
    """The same layer, each step a method of its own, for the wrong ones to change."""

    def __init__(self, num_features, eps, momentum):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.keep("weight", torch.ones(num_features))
        self.keep("bias", torch.zeros(num_features))
        self.keep("running_mean", torch.zeros(num_features))
        self.keep("running_var", torch.ones(num_features))

    def keep(self, name, value):
        if name in ("weight", "bias"):
            setattr(self, name, nn.Parameter(value))
        else:
            self.register_buffer(name, value)

    def forward(self, X):
        if self.by_batch():
            mean, var = self.of_batch(X)
            self.update(X)
        else:
            mean, var = self.when_predicting(X)
        return self.scaled((X - mean) / self.root(var))

    def by_batch(self):
        return self.training

    def of_batch(self, X):
        return X.mean(dim=0), X.var(dim=0, correction=0)

    @torch.no_grad()
    def update(self, X):
        self.running_mean.lerp_(X.mean(dim=0), self.momentum)
        self.running_var.lerp_(X.var(dim=0), self.momentum)

    def when_predicting(self, X):
        return self.running_mean, self.running_var

    def root(self, var):
        return torch.sqrt(var + self.eps)

    def scaled(self, x_hat):
        return x_hat * self.weight + self.bias


class ModeFromGrad(InSteps):
    def by_batch(self):
        return torch.is_grad_enabled()


class ModeFromInput(InSteps):
    def forward(self, X):
        self.by_batch = lambda: X.requires_grad
        return super().forward(X)


class NotWithoutGrad(InSteps):
    def by_batch(self):
        return self.training and torch.is_grad_enabled()


class NoUpdateWithoutGrad(InSteps):
    def update(self, X):
        if torch.is_grad_enabled():
            super().update(X)


class AlwaysTraining(InSteps):
    def by_batch(self):
        return True


class BatchInPrediction(InSteps):
    def when_predicting(self, X):
        return self.of_batch(X)


class UpdatesInPrediction(InSteps):
    def when_predicting(self, X):
        self.update(X)
        return self.running_mean, self.running_var


class RunningInTraining(InSteps):
    def of_batch(self, X):
        return self.running_mean.clone(), self.running_var.clone()


class FromGraph(InSteps):
    def update(self, X):
        self.running_mean = torch.lerp(self.running_mean, X.mean(dim=0), self.momentum)
        self.running_var = torch.lerp(self.running_var, X.var(dim=0), self.momentum)


class PlainTensors(InSteps):
    def keep(self, name, value):
        setattr(self, name, nn.Parameter(value) if name in ("weight", "bias") else value)


class NotPersistent(InSteps):
    def keep(self, name, value):
        if name in ("weight", "bias"):
            super().keep(name, value)
        else:
            self.register_buffer(name, value, persistent=False)


class NothingRegistered(InSteps):
    def keep(self, name, value):
        setattr(self, name, value)


class StatisticsAsParameters(InSteps):
    def keep(self, name, value):
        setattr(self, name, nn.Parameter(value, requires_grad=name in ("weight", "bias")))


class NoParameters(InSteps):
    def keep(self, name, value):
        self.register_buffer(name, value)


class Swapped(InSteps):
    def scaled(self, x_hat):
        return x_hat * self.bias + self.weight


class ShiftFirst(InSteps):
    def scaled(self, x_hat):
        return (x_hat + self.bias) * self.weight


class Detached(InSteps):
    def of_batch(self, X):
        return X.mean(dim=0).detach(), X.var(dim=0, correction=0).detach()


class UnbiasedToNormalize(InSteps):
    def of_batch(self, X):
        return X.mean(dim=0), X.var(dim=0, correction=1)


class BiasedKept(InSteps):
    @torch.no_grad()
    def update(self, X):
        self.running_mean.lerp_(X.mean(dim=0), self.momentum)
        self.running_var.lerp_(X.var(dim=0, correction=0), self.momentum)


class OtherWayRound(InSteps):
    @torch.no_grad()
    def update(self, X):
        self.running_mean.lerp_(X.mean(dim=0), 1 - self.momentum)
        self.running_var.lerp_(X.var(dim=0), 1 - self.momentum)


class EpsOutside(InSteps):
    def root(self, var):
        return torch.sqrt(var) + self.eps


class StartsAtZero(InSteps):
    def __init__(self, num_features, eps, momentum):
        super().__init__(num_features, eps, momentum)
        self.running_var.zero_()


MISTAKES = {
    "mode_from_grad": ModeFromGrad,
    "mode_from_input": ModeFromInput,
    "not_without_grad": NotWithoutGrad,
    "no_update_without_grad": NoUpdateWithoutGrad,
    "always_training": AlwaysTraining,
    "batch_in_prediction": BatchInPrediction,
    "updates_in_prediction": UpdatesInPrediction,
    "running_in_training": RunningInTraining,
    "from_graph": FromGraph,
    "plain_tensors": PlainTensors,
    "not_persistent": NotPersistent,
    "nothing_registered": NothingRegistered,
    "statistics_as_parameters": StatisticsAsParameters,
    "no_parameters": NoParameters,
    "swapped": Swapped,
    "shift_first": ShiftFirst,
    "detached": Detached,
    "unbiased_to_normalize": UnbiasedToNormalize,
    "biased_kept": BiasedKept,
    "other_way_round": OtherWayRound,
    "eps_outside": EpsOutside,
    "starts_at_zero": StartsAtZero,
}
