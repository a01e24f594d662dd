"""Synchronized batch normalization: a batch spread over several processes, normalized as if it lay in one.

Every rank holds a part of the batch: an equal one, a larger or smaller one, or none. Two messages join the parts:

    forward     all_gather of 2C + 2 numbers    mean, Σ (x - mean)², m, and whether the input wants a gradient
    backward    all_reduce of 2C numbers        Σ g, Σ g x_hat

A rank that waits for a message which another rank never sends waits for ever. So whether a message is sent depends
on nothing that may differ between ranks: not on the size of a part (an empty one sends zeros), not on whether its
input wants a gradient. What it does depend on has to be the same on all ranks: the mode and the process group of the
layer, which of its parameters learn, torch.is_grad_enabled(), and that every rank calls backward on something
computed from its output (of an empty output, the sum). On one device autograd goes through the layers in the reverse
of the order of their forward calls, whatever else its graph holds, so the messages meet in the same order everywhere.
"""

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.lazy import LazyModuleMixin

from bnlib.norm.conversion import replace_layers, with_state_of
from bnlib.norm.functional import check_eps, check_floating, check_vectors
from bnlib.norm.given_statistics import forward_by
from bnlib.norm.layers import BatchNorm1d, BatchNorm2d, BatchNorm3d, OwnForward, recomputing
from bnlib.norm.normalization import wide
from bnlib.norm.statistics import along_channels, reduced_axes, update_moving, values_per_channel

PLAIN = (BatchNorm1d, BatchNorm2d, BatchNorm3d, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class SyncBatchNorm(OwnForward, _BatchNorm):  # not nn.SyncBatchNorm, which DistributedDataParallel refuses on a CPU
    """Batch normalization of (N, C, *) over N and * of all ranks of a process group together.

        y = (x - mean) / sqrt(var + eps) * weight + bias

    Arguments and state_dict are torch.nn.SyncBatchNorm's: those of `BatchNorm1d`, and process_group, the ranks that
    share their statistics (None for all). Unlike torch's it runs on a CPU (gloo) as well as on GPUs (NCCL), and
    takes part in DistributedDataParallel on both.

    In training, mean and var are those of the joined batch of n values per channel, var dividing by n; parts of
    unequal size weigh by their size, and a rank with an empty part takes part in everything. The buffers change in
    place and alike on all ranks, running_var towards the variance that divides by n - 1; a joined batch without a
    value leaves them as they are and is only counted. Input gradients are those of the losses of all ranks added
    up; gradients of weight and bias hold the share of this rank alone, which DistributedDataParallel reduces.

    In prediction, without an initialized process group, in a group of one rank, and on a rank outside of
    process_group, it is an ordinary batch normalization, and no rank waits for another.

    On a GPU the host waits for the device in two cases only: on a rank with fewer than two values per channel
    (do the others bring the joined batch to two?), and on a rank where neither weight, bias nor input wants a
    gradient while gradients are recorded (does another rank's input want one?). Derivatives are of first order;
    a second backward raises RuntimeError. Inside of gradient checkpointing all ranks have to checkpoint alike, and
    the recomputation moves no statistics.

    Raises:
        ValueError: fewer than two axes; or, on all ranks, a joined batch of one value per channel in training.
        RuntimeError: an input that has not C channels, or a dtype that doesn't go with the parameters'. A rank that
            raises alone leaves the others waiting until the group's timeout.

    Sources: merged statistics, Chan, Golub, LeVeque (1979), "Updating formulae and a pairwise algorithm for
    computing sample variances"; across devices, Peng et al. (2017), MegDet, https://arxiv.org/abs/1711.07240.
    """

    plain: type | None = None  # what it was converted from

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: "dist.ProcessGroup | None" = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype)
        self._keep_bias(bias)
        self.process_group = process_group

    def forward(self, input: Tensor) -> Tensor:
        group = self._others()
        if group is None or not self.training:
            return super().forward(input)
        self._check_input_dim(input)
        update = self.track_running_stats and not recomputing()
        momentum = self._momentum() if update else 0.0
        learns = torch.is_grad_enabled() and any(p.requires_grad for p in self.parameters())
        wants = torch.is_grad_enabled() and input.requires_grad
        mean, squares, count, wanted = joined_statistics(input, wants, group)
        if values_per_channel(input) < 2 and count == 1:
            raise ValueError(
                "Expected more than 1 value per channel when training, got one on all ranks together, here an input "
                f"of shape {tuple(input.shape)}: one value has no variance. Use a joined batch of at least 2, or "
                "prediction mode (model.eval())."
            )
        if torch.is_grad_enabled() and not (learns or wants) and wanted > 0:
            input = input.detach().requires_grad_()  # for the sake of the others: they wait for this rank's backward
        if update:
            moved = momentum * (count > 0).to(mean.dtype)
            update_moving(self.running_mean, mean, moved)
            update_moving(self.running_var, squares / (count - 1).clamp(min=1), moved)
        mean, var = (along_channels(v, input) for v in (mean, squares / count.clamp(min=1)))
        gamma, beta = along_channels(self.weight, input), along_channels(self.bias, input)
        return NormalizeJoined.apply(input, gamma, beta, mean, var, count.clamp(min=1), self.eps, group)

    def _others(self) -> "dist.ProcessGroup | None":
        """The group to share statistics with, or None where there is nobody else in it."""
        if not (dist.is_available() and dist.is_initialized()):
            return None
        group = dist.group.WORLD if self.process_group is None else self.process_group
        return group if dist.get_world_size(group) > 1 else None  # -1 on a rank outside of the group

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(
                f"SyncBatchNorm expected (N, C) or (N, C, *), got an input of shape {tuple(input.shape)}. Add the "
                "missing axis, for example with input.unsqueeze(0)."
            )
        self._expect(input, (input.dim(),), "(N, C, *)")  # the channels
        check_floating("SyncBatchNorm", input)
        check_vectors({name: getattr(self, name) for name in ("running_mean", "running_var", "weight", "bias")}, input)
        check_eps(self.eps, self.training)

    @classmethod
    def convert_sync_batchnorm(cls, module: nn.Module, process_group: "dist.ProcessGroup | None" = None) -> nn.Module:
        """Replace every BatchNorm1d, 2d and 3d and SyncBatchNorm in `module`, torch's and ours, by a SyncBatchNorm.

        The new layers hold the very parameters and buffers of the old ones, and their mode. A layer that stands in
        several places stays one layer.

        Returns:
            `module`, changed in place; a new layer if it is itself one to replace.

        Raises:
            ValueError: a lazy layer that has not seen an input, and so has no parameters yet.
        """

        def synchronized(layer: nn.Module) -> nn.Module:
            new = with_state_of(layer, cls)
            new.process_group = process_group
            new.plain = next((c for c in type(layer).__mro__ if c in PLAIN), getattr(layer, "plain", None))
            return new

        for name, layer in module.named_modules():
            if isinstance(layer, _BatchNorm) and isinstance(layer, LazyModuleMixin):
                raise ValueError(
                    f"convert_sync_batchnorm got {type(layer).__name__} at {name!r}, which has not seen an input; "
                    "expected a layer with parameters. Run one batch through the model first."
                )
        return replace_layers(module, (*PLAIN, nn.SyncBatchNorm, SyncBatchNorm), synchronized)


def revert_sync_batchnorm(module: nn.Module, plain: type[nn.Module] = BatchNorm2d) -> nn.Module:
    """Replace every SyncBatchNorm in `module`, torch's and ours, by the plain layer, for one device or for export.

    The new layers hold the very parameters and buffers of the old ones, and their mode.

    Args:
        plain: the class of those layers that don't know where they came from: torch's, and ours where they were
            built and not converted.

    Returns:
        `module`, changed in place; a new layer if it is itself one to replace.
    """

    def unsynchronized(layer: nn.Module) -> nn.Module:
        return with_state_of(layer, getattr(layer, "plain", None) or plain)

    return replace_layers(module, (nn.SyncBatchNorm, SyncBatchNorm), unsynchronized)


# ---- the joined statistics


def joined_statistics(x: Tensor, wants: bool, group: "dist.ProcessGroup") -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gather the statistics of all parts and merge them.

    Args:
        x: (N, C, *), this rank's part, possibly empty.
        wants: whether this rank needs the gradient of x.

    Returns:
        mean (C,), sum of squared deviations (C,) and count () of the joined batch, and how many ranks want a
        gradient (); in float32, float64 for float64.
    """
    with torch.no_grad():
        x, axes, m = wide(x), reduced_axes(x), values_per_channel(x)
        mean = x.sum(axes) / max(m, 1)  # zeros for an empty part, not 0 / 0
        squares = (x - along_channels(mean, x)).square().sum(axes)
        # filled in on the device, where a tensor made of a list would be waited for; float32 holds m exactly up to
        # 2**24, and beyond that no worse than it holds the mean
        message = torch.cat([mean, squares, mean.new_full((1,), m), mean.new_full((1,), float(wants))])
        messages = [torch.empty_like(message) for _ in range(dist.get_world_size(group))]
        dist.all_gather(messages, message, group)
        means, squares, counts, wanted = torch.stack(messages).split([len(mean), len(mean), 1, 1], dim=1)
        return *merge(means, squares, counts), wanted.sum()


def merge(means: Tensor, squares: Tensor, counts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, sum of squared deviations and count of several groups of values as if they were one.

        n = Σ n_r      mean = Σ n_r mean_r / n      S = Σ (S_r + n_r (mean_r - mean)²)

    Nothing is subtracted but means from means, so nothing is lost where the data lies far from zero.

    Args:
        means, squares: (R, C).
        counts: (R, 1); groups of none weigh nothing.

    Returns:
        mean (C,), S (C,), n ().

    Source: Chan, Golub, LeVeque (1979), as in `bnlib.norm.statistics.MergedStatistics`, for all groups at once.
    """
    n = counts.sum()
    mean = (counts * means).sum(0) / n.clamp(min=1)
    return mean, (squares + counts * (means - mean).square()).sum(0), n


class NormalizeJoined(Function):
    """y = (x - mean) rstd weight + bias by the statistics of the joined batch, and the gradient through them.

    With n values per channel on all ranks, and g the gradient of the losses of all ranks by y, algorithm 1 of Ioffe &
    Szegedy (2015) gives, as it does on one device,

        dx = weight rstd (g - Σ g / n - x_hat Σ g x_hat / n)      dweight = Σ g x_hat      dbias = Σ g

    where the sums in dx go over all ranks, and those of the parameters over this rank alone.
    """

    @staticmethod
    def forward(ctx, input, weight, bias, mean, var, count, eps, group):
        ctx.save_for_backward(input, weight, bias, mean, var, count)
        ctx.eps, ctx.group = eps, group
        return forward_by(input, weight, bias, mean, var, eps)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        input, weight, bias, mean, var, count = ctx.saved_tensors
        axes, g = reduced_axes(input), wide(grad)
        centred, rstd = wide(input) - mean, torch.rsqrt(var + ctx.eps)
        own = torch.stack([g.sum(axes), (g * centred).sum(axes) * rstd.view(-1)])  # (2, C)
        joined = own.clone()
        dist.all_reduce(joined, group=ctx.group)  # always: others may need what this rank doesn't
        grad_input = None
        if ctx.needs_input_grad[0]:
            sum_g, sum_gx = (along_channels(s, input) for s in joined)
            scale = rstd if weight is None else rstd * wide(weight)
            minus = scale / -count
            along_one = minus * sum_g  # what mean takes away
            along_x = minus * rstd * sum_gx  # what var takes away
            grad_input = torch.addcmul(torch.addcmul(along_one, centred, along_x), g, scale).to(input.dtype)
        grad_bias, grad_weight = (
            None if v is None else s.view_as(v).to(v.dtype) for v, s in zip((bias, weight), own, strict=True)
        )
        return grad_input, grad_weight, grad_bias, None, None, None, None, None
