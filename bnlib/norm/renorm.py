"""Batch renormalization: training normalizes as prediction will, within limits.

Batch normalization trains with the statistics of the batch and predicts with moving ones; with small or dependent
batches the two differ. With the batch's mean and deviation μ_B, σ_B and the moving ones μ, σ,

    (x - μ) / σ = (x - μ_B) / σ_B * r + d        r = σ_B / σ        d = (μ_B - μ) / σ

so r and d turn the batch's normalization into that of prediction. They are constants to the gradient, which keeps
flowing through the statistics of the batch, and limits hold them near 1 and 0 while the moving statistics settle.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from bnlib.norm.functional import batch_norm, check_arguments, check_eps
from bnlib.norm.given_statistics import kept
from bnlib.norm.layers import OwnForward, recomputing
from bnlib.norm.normalization import normalize, wide
from bnlib.norm.statistics import along_channels, batch_mean_var, reduced_axes, update_moving


def check_limits(r_max: float, d_max: float) -> None:
    """ValueError for limits that r = 1 or d = 0 would break."""
    if r_max < 1 or d_max < 0:
        raise ValueError(
            f"r_max is {r_max} and d_max is {d_max}; expected r_max of at least 1 and d_max of at least 0."
        )


@dataclass(frozen=True)
class FixedLimits:
    """The same limits at every step: r within 1 / r_max and r_max, d within -d_max and d_max."""

    r_max: float = 3.0  # 1 leaves r at 1; infinity lets it be
    d_max: float = 5.0  # 0 leaves d at 0; infinity lets it be

    def __post_init__(self) -> None:
        check_limits(self.r_max, self.d_max)

    def at(self, step: Tensor) -> tuple[float, float]:
        """r_max and d_max of this step."""
        return self.r_max, self.d_max


@dataclass(frozen=True)
class RelaxedLimits:
    """Limits that open: batch normalization (r = 1, d = 0) for `start` steps, then linearly to r_max and d_max.

    The defaults are the paper's for ImageNet, which says "gradually relaxed"; that this is linear is our reading.
    A shorter training needs proportionally smaller numbers.
    """

    r_max: float = 3.0
    d_max: float = 5.0
    start: int = 5_000  # the last step of batch normalization
    r_end: int = 40_000  # the step that reaches r_max
    d_end: int = 25_000  # the step that reaches d_max: shifts are let go sooner than scales

    def __post_init__(self) -> None:
        check_limits(self.r_max, self.d_max)
        if not 0 <= self.start < min(self.r_end, self.d_end):
            raise ValueError(
                f"RelaxedLimits got start={self.start}, r_end={self.r_end}, d_end={self.d_end}; expected "
                "0 <= start < r_end and start < d_end. For limits that never change take FixedLimits."
            )

    def at(self, step: Tensor) -> tuple[Tensor, Tensor]:
        """r_max and d_max of this step, 0-d tensors on its device: nothing waits for the device."""
        r_part = (step - self.start).clamp(0, self.r_end - self.start) / (self.r_end - self.start)
        d_part = (step - self.start).clamp(0, self.d_end - self.start) / (self.d_end - self.start)
        return 1.0 + (self.r_max - 1.0) * r_part, self.d_max * d_part


PAPER = RelaxedLimits()


def batch_renorm(
    input: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float | Tensor = 0.01,
    eps: float = 1e-5,
    *,
    r_max: float | Tensor = 3.0,
    d_max: float | Tensor = 5.0,
) -> Tensor:
    """Normalize by the batch, correct towards the moving statistics, then scale and shift.

        y = ((x - μ_B) / σ_B * r + d) * weight + bias        σ_B = sqrt(var_B + eps), σ = sqrt(running_var + eps)
        r = clip(σ_B / σ, 1 / r_max, r_max)        d = clip((μ_B - μ) / σ, -d_max, d_max)        both constants

    In training, running_mean moves towards μ_B, and what moves towards σ_B is the deviation σ: running_var becomes
    (σ + momentum (σ_B - σ))² - eps. Both variances divide by m = N * spatial, unlike torch's running_var. In
    prediction this is `batch_norm`, that is (x - μ) / σ * weight + bias.

    Args:
        input: (N, C, *). Half precision is computed in float32 and returned in half precision.
        running_mean, running_var: (C,), changed in place in training, which needs them as well.
        weight, bias: (C,), γ and β; None for 1 and 0.
        training: which statistics normalize.
        momentum: weight of the new value, the paper's α; a number or a 0-d tensor.
        eps: added to both variances, inside of the root.
        r_max, d_max: numbers or 0-d tensors; 1 and 0 make it batch normalization, infinities the prediction formula.

    Returns:
        (N, C, *), dtype and memory format of `input`.

    Raises:
        ValueError, RuntimeError: as `batch_norm` does; RuntimeError without moving statistics in training too.

    Source: Ioffe (2017), algorithm 1, https://arxiv.org/abs/1702.03275.
    """
    if not training or input.numel() == 0:
        return batch_norm(input, running_mean, running_var, weight, bias, training, 0.0, eps)
    check_arguments(input, running_mean, running_var, weight, bias, training)
    check_eps(eps, training)
    if running_mean is None or running_var is None:
        raise RuntimeError(
            "batch_renorm got no running_mean or no running_var; expected both, in training too: r and d compare the "
            "batch with them. Pass them, or use batch_norm."
        )
    mean, var = batch_mean_var(wide(input.detach()))
    std = torch.sqrt(var + eps)
    moving_mean, moving_var = (along_channels(wide(v), input) for v in (running_mean, running_var))
    moving_std = torch.sqrt(moving_var + eps)
    r = kept(torch.clamp(std / moving_std, 1 / r_max, r_max))
    d = kept(torch.clamp((mean - moving_mean) / moving_std, -d_max, d_max))
    _move(running_mean, running_var, mean, std, moving_std, momentum)
    if weight is not None:  # (x_hat r + d) γ + β = x_hat (r γ) + (d γ + β)
        gamma = along_channels(weight, input)
        r, d = r * gamma, d * gamma
    shift = d if bias is None else d + along_channels(bias, input)
    return normalize(input, reduced_axes(input), r, shift, eps)[0]


def _move(running_mean, running_var, mean, std, moving_std, momentum) -> None:
    """running_mean towards mean; running_var such that σ, its root with eps, moves towards std."""
    update_moving(running_mean, mean, momentum)
    with torch.no_grad():
        step = momentum * (std - moving_std)
        change = step * (2 * moving_std + step)  # (σ + step)² - σ²
        running_var.copy_((wide(running_var) + change.reshape(-1)).clamp_min(0.0))  # not below 0 by rounding


class BatchRenorm(OwnForward, _BatchNorm):
    """Batch renormalization of (N, C, *); see `batch_renorm` for the formula.

    The state_dict is exchangeable with torch.nn.BatchNorm1d/2d/3d, and torch's tools see a `_BatchNorm`: running_var
    holds σ² - eps, so prediction, folding and recalibration are those of batch normalization. It starts at 1 - eps,
    for σ to start at 1. One layer serves all numbers of axes.

    What differs from others: Keras (`renorm=True`) keeps two pairs of moving statistics, one for r and d with
    renorm_momentum, one for prediction with momentum. The paper has one, and so have we; with equal momenta Keras'
    pairs are equal, and everything equals ours (Keras' momentum is 1 minus ours). Keras' rmin is 1 / r_max here, as in
    the paper, and 0 in Keras unless given. torch's cumulative average, momentum=None, works as well.

    Gradient checkpointing repeats a forward pass; that does not move the statistics a second time, but r and d are
    then those of the moved ones, so the gradient is a little off (by terms of order momentum). Better leave this
    layer out of checkpointed parts.

    Without tracked statistics (track_running_stats=False, at any time) there is nothing to correct towards, and
    training is batch normalization.

    Args:
        num_features: C.
        momentum: the paper's α = 0.01: fast enough to follow the weights, slow enough to see more than one batch.
        limits: `PAPER`, a `RelaxedLimits` of your own, or `FixedLimits`; asked with the number of this step, counted
            from 1 by num_batches_tracked.
        eps, affine, track_running_stats, device, dtype, bias: as in torch.nn.BatchNorm2d.

    Raises:
        ValueError: fewer than two axes, or one value per channel in training.
        RuntimeError: an input that has not C channels.

    Source: Ioffe (2017), https://arxiv.org/abs/1702.03275; limits and α from its section 4.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.01,
        affine: bool = True,
        track_running_stats: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        bias: bool = True,
        limits: FixedLimits | RelaxedLimits = PAPER,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype)
        self._keep_bias(bias)
        self.limits = limits

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or not self.track_running_stats or self.running_mean is None:
            return super().forward(input)  # prediction, or nothing to correct towards: batch normalization
        momentum = 0.0 if recomputing() else self._momentum()
        r_max, d_max = self.limits.at(self.num_batches_tracked)
        return batch_renorm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            True,
            momentum,
            self.eps,
            r_max=r_max,
            d_max=d_max,
        )

    def reset_running_stats(self) -> None:
        super().reset_running_stats()
        if self.track_running_stats:
            self.running_var.fill_(max(1.0 - self.eps, 0.0))

    def _check_input_dim(self, input: Tensor) -> None:
        """Any (N, C, *); `batch_norm` checks the rest."""

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, limits={self.limits}"
