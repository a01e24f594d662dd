import torch
from torch import nn
from torch.nn import functional as F


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


RIGHT = [Written, dropout_before_relu, OwnMask]


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


UNKNOWN = {
    Chance: "no_chance_in_prediction",
    Louder: "unit_variance_in_prediction",
    NotToZero: "each_value_dropped",
    ScaledTwice: "what_stays_is_scaled",
    lambda d, p: nn.Linear(d, d + 1): "shape",
    lambda d, p: F.relu: "type",
}
