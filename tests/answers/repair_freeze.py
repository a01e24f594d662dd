import torch
from torch import nn
from torch.nn import functional as F


class LikeTorchvision(nn.Module):
    def __init__(self, num_features):
        super().__init__()
        for name, value in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)):
            self.register_buffer(name, torch.full((num_features,), value))

    def forward(self, X):
        scale = self.weight * (self.running_var + 1e-5).rsqrt()
        return X * scale + (self.bias - self.running_mean * scale)


class ForwardDecides(nn.BatchNorm1d):
    def __init__(self, num_features):
        super().__init__(num_features)
        self.weight.requires_grad = self.bias.requires_grad = False

    def forward(self, X):
        kept = self.running_mean, self.running_var
        return F.batch_norm(X, *kept, self.weight, self.bias, training=False, eps=self.eps)


class EvalEachTime(nn.BatchNorm1d):
    def __init__(self, num_features):
        super().__init__(num_features)
        for parameter in self.parameters():
            parameter.requires_grad_(False)

    def forward(self, X):
        self.eval()
        return super().forward(X)


class TrainSetsFalse(nn.BatchNorm1d):
    def __init__(self, num_features):
        super().__init__(num_features)
        self.requires_grad_(False)
        self.training = False

    def train(self, mode=True):
        self.training = False
        return self


RIGHT = [LikeTorchvision, ForwardDecides, EvalEachTime, TrainSetsFalse]


class Louder(ForwardDecides):
    def forward(self, X):
        return 1.1 * super().forward(X)


class Forgets(ForwardDecides):
    def forward(self, X):
        Y = super().forward(X).clone()
        if self.training:
            self.running_mean = self.running_mean + 0.5
        else:
            Y = F.batch_norm(X, self.running_mean - 0.5, self.running_var, self.weight, self.bias)
        return Y


class HalfDetached(ForwardDecides):
    def forward(self, X):
        return super().forward((X + X.detach()) / 2)


UNKNOWN = {
    Louder: "by_its_constants",
    Forgets: "statistics_stand_still",
    HalfDetached: "gradient_passes",
    lambda d: nn.LayerNorm(d, elementwise_affine=False): "shape",
    lambda d: F.batch_norm: "type",
    lambda d: nn.BatchNorm1d(d + 1): "raises",
}


class AlwaysTraining(nn.BatchNorm1d):
    def __init__(self, num_features):
        super().__init__(num_features)
        self.requires_grad_(False)
        self.eval()

    def train(self, mode=True):
        return super().train(True)


class ForwardTrains(nn.BatchNorm1d):
    """The mode has no say in it."""

    def __init__(self, num_features):
        super().__init__(num_features)
        self.requires_grad_(False)

    def forward(self, X):
        kept = self.running_mean, self.running_var
        return F.batch_norm(X, *kept, self.weight, self.bias, training=True, eps=self.eps)


class Detached(ForwardDecides):
    def forward(self, X):
        return super().forward(X.detach())


class ThroughData(ForwardDecides):
    def forward(self, X):
        return super().forward(X.data)


class OfTheBatch(ForwardDecides):
    """No statistics at all."""

    def __init__(self, num_features):
        super().__init__(num_features)
        del self.running_mean, self.running_var

    def forward(self, X):
        return F.batch_norm(X, None, None, self.weight, self.bias, training=True, eps=self.eps)


class ReturnsTheMode(TrainSetsFalse):
    def train(self, mode=True):
        self.training = False
        return self.training


NAMED = {
    AlwaysTraining: {"train_does_nothing"},
    ForwardTrains: {"train_does_nothing"},
    Detached: {"no_gradient"},
    ThroughData: {"no_gradient"},
    OfTheBatch: {"not_tracked"},
    ReturnsTheMode: {"train_returns_nothing"},
}


class BrokenWith(nn.BatchNorm1d):
    """The broken layer with another momentum."""

    def __init__(self, num_features):
        super().__init__(num_features, momentum=0.5)
        self.requires_grad_(False)


class StillLearnsToo(nn.BatchNorm1d):
    """The broken layer without what was right in it."""


class AlwaysByTheBatch(BrokenWith):
    """By the batch in either mode; the statistics stand still, and are not used."""

    def forward(self, X):
        return F.batch_norm(X, None, None, self.weight, self.bias, training=True, eps=self.eps)


UNKNOWN |= dict.fromkeys((BrokenWith, StillLearnsToo), "by_its_constants")
NAMED |= {AlwaysByTheBatch: {"momentum_zero"}}


class ByHand(LikeTorchvision):
    """As torchvision has it, the root in a method of its own, for the wrong ones to change."""

    def root(self):
        return torch.sqrt(self.running_var + 1e-5)

    def forward(self, X):
        return (X - self.running_mean) / self.root() * self.weight + self.bias


class ByHandWithoutEps(ByHand):
    def root(self):
        return self.running_var.sqrt()


class ByHandEpsOutside(ByHand):
    def root(self):
        return self.running_var.sqrt() + 1e-5


class LargerEps(ByHand):
    def root(self):
        return torch.sqrt(self.running_var + 1e-3)


class TrainByItself(TrainSetsFalse):
    def train(self, mode=True):
        return self.train(False)


class TrainByAHelper(TrainSetsFalse):
    def train(self, mode=True):
        super().train(mode)
        return self.freeze()

    def freeze(self):
        return self.eval()


class ForwardByItself(ForwardDecides):
    """Another endless recursion, of which only the error is told."""

    def forward(self, X):
        return self(X)


class Cycle(TrainSetsFalse):
    """A part of itself, so that torch's own `train` never ends."""

    def __init__(self, num_features):
        super().__init__(num_features)
        self.add_module("part", nn.Sequential())
        self.part.add_module("whole", self)

    def train(self, mode=True):
        return super(TrainSetsFalse, self).train(False)


RIGHT.append(ByHand)
UNKNOWN |= {LargerEps: "by_its_constants", ForwardByItself: "raises", Cycle: "raises"}
NAMED |= {
    ByHandWithoutEps: {"without_eps"},
    ByHandEpsOutside: {"eps_outside"},
    TrainByItself: {"train_calls_itself"},
    TrainByAHelper: {"train_calls_itself"},
}
