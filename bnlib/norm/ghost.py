"""Ghost batch normalization: a large batch, normalized in parts as if each of them were a small batch.

A large batch has quiet statistics, and the noise of small ones helps a model to generalize. So the batch is split
into ghosts of about `ghost_size` samples, each normalized by its own mean and variance. The ghosts become one more
axis of the same tensor, hence nothing loops over them and nothing is copied on the way in.
"""

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from bnlib.norm.functional import batch_norm, check_arguments, check_eps
from bnlib.norm.layers import OwnForward, recomputing
from bnlib.norm.normalization import normalize
from bnlib.norm.statistics import along_channels, update_moving, values_per_channel


def ghost_batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float | Tensor = 0.1,
    eps: float = 1e-5,
    *,
    ghost_size: int,
) -> Tensor:
    """Normalize every channel of every ghost, then scale and shift; `batch_norm`'s arguments and meaning otherwise.

        y = (x - mean_g) / sqrt(var_g + eps) * weight + bias        for x in ghost g

    In training, mean_g and var_g are those of the ghost (var_g divides by its number of values per channel). The
    running statistics move once, towards those of the whole batch, merged from the ghosts (running_var towards the
    unbiased variance, which divides by m - 1, m = N * spatial). In prediction this is `batch_norm`.

    Args:
        input: (N, C, *).
        ghost_size: samples in a ghost, at most; see `ghost_sizes` for a batch that is no multiple of it.
        running_mean, running_var, weight, bias, training, momentum, eps: as in `batch_norm`.

    Returns:
        (N, C, *), dtype and memory format of `input`.

    Raises:
        ValueError, RuntimeError: as `batch_norm` does; ValueError for a ghost_size below 1.
    """
    check_ghost_size(ghost_size)
    if not training or input.numel() == 0:
        return batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)
    check_arguments(input, running_mean, running_var, weight, bias, training)
    check_eps(eps, training)
    gamma, beta = along_channels(weight, input), along_channels(bias, input)
    groups = ghost_sizes(input.shape[0], ghost_size, input.shape[2:].numel())
    outputs, seen = [], []
    for x, (count, size) in zip(_split(input, groups), groups, strict=True):  # one group or two
        x = x.unflatten(0, (count, size))  # (ghosts, samples, C, *), a view for any strides
        y, mean, var = normalize(x, (1, *range(3, x.dim())), gamma, beta, eps)
        outputs.append(y.flatten(0, 1))
        seen.append((size / input.shape[0], mean.detach(), var.detach()))
    if running_mean is not None:
        mean, var = merge(seen)
        m = values_per_channel(input)
        update_moving(running_mean, mean, momentum)
        update_moving(running_var, var * (m / (m - 1)), momentum)
    return outputs[0] if len(outputs) == 1 else torch.cat(outputs)


def ghost_sizes(samples: int, ghost_size: int, values_per_sample: int = 1) -> list[tuple[int, int]]:
    """How many ghosts of how many samples: one pair, or two whose sizes differ by one, the larger ghosts first.

    ceil(samples / ghost_size) ghosts, as even as can be: 10 samples by 4 are 4, 3, 3 and not 4, 4, 2. Where a sample
    has one value per channel, a ghost of one sample has no variance and would put out nothing but the bias; then
    there are fewer ghosts, of at least 2 samples: 3 samples by 2 stay together.
    """
    ghosts = -(-samples // ghost_size)
    if values_per_sample == 1:
        ghosts = max(1, min(ghosts, samples // 2))
    size, larger = divmod(samples, ghosts)
    return [(count, n) for count, n in ((larger, size + 1), (ghosts - larger, size)) if count > 0]


def merge(seen: list[tuple[float, Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of all values together, from those of ghosts.

        mean = Σ share_g mean_g        var = Σ share_g (var_g + (mean_g - mean)²)

    Args:
        seen: for each group of equal ghosts, the share of one ghost in the batch, and mean and var (ghosts, ...).

    Source: Chan, Golub, LeVeque (1979), as in `bnlib.norm.statistics.MergedStatistics`, for many parts at once.
    """
    mean = sum(share * means.sum(0) for share, means, _ in seen)
    var = sum(share * (variances + (means - mean).square()).sum(0) for share, means, variances in seen)
    return mean, var


def check_ghost_size(ghost_size: int) -> int:
    """The number of samples in a ghost, or ValueError."""
    if ghost_size < 1:
        raise ValueError(f"ghost_size is {ghost_size}; expected the samples in one ghost batch, at least 1.")
    return ghost_size


def _split(input: Tensor, groups: list[tuple[int, int]]) -> tuple[Tensor, ...]:
    if len(groups) == 1:
        return (input,)
    return input.split([count * size for count, size in groups])


class GhostBatchNorm(OwnForward, _BatchNorm):
    """Batch normalization of (N, C, *) in ghost batches of at most `ghost_size` samples.

        y = (x - mean_g) / sqrt(var_g + eps) * weight + bias        for x in ghost g

    In prediction it is batch normalization by the running statistics; without tracked ones it goes by ghosts there
    too. One layer serves all numbers of axes, its state_dict is exchangeable with torch.nn.BatchNorm1d/2d/3d, and it
    is a `_BatchNorm` to torch's tools. With a ghost_size of N or more it equals batch normalization, buffers included.

    The running statistics and the counter move once in a step, by the statistics of the whole batch; `momentum`
    means what it means in batch normalization, whatever the number of ghosts. Hoffer et al. move theirs once for
    each ghost instead (their program runs the model on one ghost after the other): the last ghosts weigh most, and
    the differences between the means of ghosts don't enter the variance.

    Args:
        num_features: C.
        ghost_size: samples in a ghost, at most; a batch that is no multiple is split evenly (`ghost_sizes`).
        eps, momentum, affine, track_running_stats, device, dtype, bias: as in torch.nn.BatchNorm2d.

    Raises:
        ValueError: a ghost_size below 1, fewer than two axes, or one value per channel in training.
        RuntimeError: an input that has not C channels.

    Source: Hoffer, Hubara, Soudry (2017), algorithm 1, https://arxiv.org/abs/1705.08741; their program:
    https://github.com/eladhoffer/bigBatch, main_gbn.py.
    """

    def __init__(
        self,
        num_features: int,
        ghost_size: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype)
        self._keep_bias(bias)
        self.ghost_size = check_ghost_size(ghost_size)

    def forward(self, input: Tensor) -> Tensor:
        if not self.training and self.running_mean is not None:
            return super().forward(input)  # prediction: batch normalization
        update = self.training and self.track_running_stats and not recomputing()
        momentum = self._momentum() if update else 0.0
        running = (self.running_mean, self.running_var) if update else (None, None)
        return ghost_batch_norm(
            input, *running, self.weight, self.bias, True, momentum, self.eps, ghost_size=self.ghost_size
        )

    def _check_input_dim(self, input: Tensor) -> None:
        """Any (N, C, *); `batch_norm` checks the rest."""

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, ghost_size={self.ghost_size}"
