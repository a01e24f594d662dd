"""Mean and variance per channel: of one batch, of many batches merged, and as moving averages.

Shapes: the channel axis is axis 1, as everywhere in torch. A batch (N, C) or (N, C, *spatial) has
m = N * prod(spatial) values per channel; statistics are kept as (1, C, 1, ...) so that they broadcast.
"""

import torch
from torch import Tensor


def reduced_axes(x: Tensor) -> tuple[int, ...]:
    """All axes of `x` but the channel axis 1: those that share one mean and one variance."""
    return (0, *range(2, x.dim()))


def values_per_channel(x: Tensor) -> int:
    """m = N * prod(spatial), the number of values that share one mean and one variance."""
    return x.shape[0] * x.shape[2:].numel()


def along_channels(vector: Tensor | None, x: Tensor) -> Tensor | None:
    """View a (C,) vector as (1, C, 1, ...), ready to broadcast against `x`; None stays None."""
    return None if vector is None else vector.view(1, -1, *(1,) * (x.dim() - 2))


def batch_mean_var(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of every channel of one batch.

        mean = Σ x / m        var = Σ (x - mean)² / m

    torch.var_mean goes over the data with a running mean (Welford), so it doesn't lose the variance of data
    that lies far from zero, as E[x²] - E[x]² does.

    Args:
        x: (N, C, *), at least one value per channel; float32 or float64 (cast half precision first).

    Returns:
        mean (1, C, 1, ...) and var (1, C, 1, ...); var divides by m.
    """
    var, mean = torch.var_mean(x, dim=reduced_axes(x), correction=0, keepdim=True)
    return mean, var


def update_moving(running: Tensor, new: Tensor, momentum: float | Tensor) -> None:
    """running <- (1 - momentum) * running + momentum * new, in place, outside of autograd.

    Args:
        running: (C,) buffer, changed in place, never rebound: others may hold a reference to it.
        new: C values of any shape; a half-precision buffer is updated in the dtype of `new` and rounded once.
        momentum: weight of the new value, a number or a 0-d tensor.
    """
    new = new.detach().reshape(-1)
    if isinstance(momentum, Tensor):
        momentum = momentum.to(new.dtype)
    with torch.no_grad():
        if running.dtype == new.dtype:
            running.lerp_(new, momentum)
        else:
            running.copy_(torch.lerp(running.to(new.dtype), new, momentum))


class MergedStatistics:
    """Mean and variance per channel over many batches, as if they had been one.

    Batches of unequal size weigh by their number of values, and nothing is subtracted from anything large:
    two groups of n_a and n_b values with means a, b and sums of squared deviations S_a, S_b merge to

        mean = a + (b - a) * n_b / n        S = S_a + S_b + (b - a)² * n_a * n_b / n        n = n_a + n_b

    Source: Chan, Golub, LeVeque (1979), "Updating formulae and a pairwise algorithm for computing sample variances".
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean: Tensor | None = None  # (C,)
        self.squares: Tensor | None = None  # (C,), the sum of squared deviations from the mean

    def add(self, x: Tensor) -> None:
        """Take in one batch (N, C, *); an empty one changes nothing."""
        count = values_per_channel(x)
        if count == 0:
            return
        exact = torch.float32 if x.device.type == "mps" else torch.float64  # MPS has no float64
        mean, var = (s.reshape(-1) for s in batch_mean_var(x.detach().to(exact)))
        if self.mean is None:
            self.count, self.mean, self.squares = count, mean, var * count
            return
        total = self.count + count
        delta = mean - self.mean
        self.mean = self.mean + delta * (count / total)
        self.squares = self.squares + var * count + delta**2 * (self.count * count / total)
        self.count = total

    def unbiased_var(self) -> Tensor:
        """Variance (C,), dividing by n - 1: what running_var holds. Needs at least two values."""
        if self.count < 2:
            raise ValueError(f"A variance needs at least 2 values per channel; {self.count} came.")
        return self.squares / (self.count - 1)
