import torch
from torch import nn


class UnderNoGrad(nn.Module):
    def __init__(self, num_features):
        super().__init__()
        self.register_buffer("mean", torch.zeros(num_features))
        self.register_buffer("std", torch.ones(num_features))

    @torch.no_grad()
    def fit(self, X):
        std, mean = torch.std_mean(X, dim=0)
        self.mean[:] = mean
        self.std[:] = std

    def forward(self, X):
        return (X - self.mean) / self.std


class ByData(UnderNoGrad):
    def fit(self, X):
        self.mean.data, self.std.data = X.mean(0), X.std(0)


class NnBuffer(UnderNoGrad):
    def __init__(self, num_features):
        nn.Module.__init__(self)
        self.mean = nn.Buffer(torch.zeros(num_features))
        self.std = nn.Buffer(torch.ones(num_features))


class Loops(UnderNoGrad):
    def fit(self, X):
        for j in range(X.shape[1]):
            column = X[:, j].tolist()
            mean = sum(column) / len(column)
            self.mean[j] = mean
            self.std[j] = (sum((x - mean) ** 2 for x in column) / (len(column) - 1)) ** 0.5


RIGHT = [UnderNoGrad, ByData, NnBuffer, Loops]


class Biased(UnderNoGrad):
    def fit(self, X):
        self.mean.copy_(X.mean(0))
        self.std.copy_(X.std(0, correction=0))


class CountsToo(UnderNoGrad):
    def __init__(self, num_features):
        super().__init__(num_features)
        self.register_buffer("number", torch.zeros(()))


class FitsWhenLoaded(UnderNoGrad):
    def load_state_dict(self, state, **options):
        return super().load_state_dict({name: 2 * value for name, value in state.items()}, **options)


class Halved(UnderNoGrad):
    """Two faults, of which no known mistake explains the first that is seen."""

    def fit(self, X):
        self.mean.copy_(X.mean(0))
        self.std = X.std(0) / 2


class OverEverything(UnderNoGrad):
    def fit(self, X):
        self.mean.copy_(X.mean())
        self.std.copy_(X.std())


class WithoutAWord(UnderNoGrad):
    """It is fitted or not, and that is not saved."""

    fitted = False

    def fit(self, X):
        super().fit(X)
        self.fitted = True

    def forward(self, X):
        return super().forward(X) if self.fitted else X


class OtherStateMoves(UnderNoGrad):
    """The mean is a tensor that is saved by hand, and left behind when the module moves."""

    def __init__(self, num_features):
        nn.Module.__init__(self)
        self.mean = torch.zeros(num_features)
        self.register_buffer("std", torch.ones(num_features))

    def state_dict(self):
        return {"mean": self.mean, **super().state_dict()}

    def load_state_dict(self, state):
        self.mean, self.std = state["mean"], state["std"]


class StaysInFloat32(UnderNoGrad):
    def double(self):
        return self


UNKNOWN = {
    StaysInFloat32: "moved",
    OtherStateMoves: "moved",
    Halved: "standardized",
    OverEverything: "standardized",
    WithoutAWord: "loaded_alike",
    Biased: "standardized",
    FitsWhenLoaded: "loaded_alike",
    CountsToo: "saved",
    lambda d: nn.LayerNorm(d): "missing",
    lambda d: UnderNoGrad(d + 1): "shape",
    lambda d: torch.zeros(d): "type",
}


class RegisteredAgain(UnderNoGrad):
    def fit(self, X):
        self.register_buffer("mean", X.mean(0))
        self.register_buffer("std", X.std(0))


class MeanInPlaceStdRebound(UnderNoGrad):
    def fit(self, X):
        self.mean.copy_(X.mean(0))
        self.std = X.std(0)


class StdInPlaceMeanRebound(UnderNoGrad):
    def fit(self, X):
        self.mean = X.mean(0)
        self.std[...] = X.std(0)


class StdPlainAndRebound(UnderNoGrad):
    def __init__(self, num_features):
        nn.Module.__init__(self)
        self.register_buffer("mean", torch.zeros(num_features))
        self.std = torch.ones(num_features)

    def fit(self, X):
        self.mean.copy_(X.mean(0))
        self.std = X.std(0)


class MeanPlain(UnderNoGrad):
    def __init__(self, num_features):
        nn.Module.__init__(self)
        self.mean = torch.zeros(num_features)
        self.register_buffer("std", torch.ones(num_features))


class WithoutGradient(UnderNoGrad):
    def __init__(self, num_features):
        nn.Module.__init__(self)
        self.mean = nn.Parameter(torch.zeros(num_features), requires_grad=False)
        self.std = nn.Parameter(torch.ones(num_features), requires_grad=False)


class StdAdded(UnderNoGrad):
    def fit(self, X):
        self.mean.copy_(X.mean(0))
        self.std.add_(X.std(0))


NAMED = {
    RegisteredAgain: {"rebound"},
    MeanInPlaceStdRebound: {"std_rebound"},
    StdInPlaceMeanRebound: {"mean_rebound"},
    StdPlainAndRebound: {"mean_only", "std_rebound"},
    MeanPlain: {"std_only"},
    WithoutGradient: {"parameters"},
    StdAdded: {"added"},
}


class BrokenLike(nn.Module):
    """The broken module in parts, for what has much in common with it."""

    def __init__(self, num_features):
        super().__init__()
        self.mean, self.std = torch.zeros(num_features), torch.ones(num_features)

    def fit(self, X):
        self.mean, self.std = X.mean(0), X.std(0)

    def forward(self, X):
        return (X - self.mean) / self.std


class BuffersBeside(BrokenLike):
    """Buffers of other names, which get what is fitted."""

    def __init__(self, num_features):
        super().__init__(num_features)
        self.register_buffer("mu", torch.zeros(num_features))
        self.register_buffer("sigma", torch.ones(num_features))

    def fit(self, X):
        super().fit(X)
        self.mu.copy_(self.mean)
        self.sigma.copy_(self.std)


class BrokenAndBiased(BrokenLike):
    def fit(self, X):
        self.mean, self.std = X.mean(0), X.std(0, correction=0)


class BrokenButMeanInPlace(BrokenLike):
    def fit(self, X):
        self.mean.copy_(X.mean(0))
        self.std = X.std(0)


class GivesBack(UnderNoGrad):
    """The buffers are right, and not used."""

    def forward(self, X):
        return X.clone()


class PlainMeanUnsavedStd(UnderNoGrad):
    """`state_dict()` lacks both, and one of the two moves with the model."""

    def __init__(self, num_features):
        nn.Module.__init__(self)
        self.mean = torch.zeros(num_features)
        self.register_buffer("std", torch.ones(num_features), persistent=False)


class WrittenOtherwise(BrokenLike):
    """Another program than the broken one, and just as wrong."""

    def fit(self, X):
        std, mean = torch.std_mean(X, 0)
        self.mean, self.std = mean.clone(), std.clone()


NAMED |= {BuffersBeside: {"beside"}, WrittenOtherwise: {"unchanged"}}
UNKNOWN |= {
    BrokenAndBiased: "standardized",
    BrokenButMeanInPlace: "loaded_alike",
    GivesBack: "standardized",
    PlainMeanUnsavedStd: "loaded_alike",
}


class ForwardByTheBatch(UnderNoGrad):
    """The buffers are right, and not used."""

    def forward(self, X):
        std, mean = torch.std_mean(X, dim=0)
        return (X - mean) / std


class FitsEachTime(UnderNoGrad):
    def forward(self, X):
        self.fit(X)
        return super().forward(X)


class BrokenByTheBatch(BrokenLike):
    """Nothing is saved, and nothing of it is used."""

    def forward(self, X):
        return (X - X.mean(0)) / X.std(0)


class ByTheBatchUnlessFitted(UnderNoGrad):
    """What is loaded has not been fitted."""

    fitted = False

    def fit(self, X):
        super().fit(X)
        self.fitted = True

    def forward(self, X):
        return super().forward(X) if self.fitted else (X - X.mean(0)) / X.std(0)


class MeanOfTheBatch(UnderNoGrad):
    def forward(self, X):
        return (X - X.mean(0)) / self.std


NAMED |= dict.fromkeys((ForwardByTheBatch, FitsEachTime), {"by_the_batch"})
NAMED[BrokenByTheBatch] = {"by_the_batch", "rebound"}
UNKNOWN |= {ByTheBatchUnlessFitted: "loaded_alike", MeanOfTheBatch: "standardized"}
