"""BatchNorm1d, 2d and 3d: torch's layers, with `bnlib.norm.batch_norm` inside.

They derive from torch's own classes, so everything that looks for batch normalization by isinstance finds them:
torch.optim.swa_utils.update_bn, SyncBatchNorm.convert_sync_batchnorm, DistributedDataParallel, old checkpoints.
What a layer does in one step (which statistics, which update) is written here; the state is torch's.
"""

import torch
from torch import Tensor, nn

from bnlib.norm.functional import batch_norm


class _OwnForward(nn.modules.batchnorm._BatchNorm):
    """The decision of one forward pass: which statistics normalize, and how far the running ones move."""

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        by_batch = self.training or (self.running_mean is None and self.running_var is None)
        update = self.training and self.track_running_stats
        momentum = 0.0 if self.momentum is None else self.momentum
        if update and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)  # in place: the buffer may be shared
            if self.momentum is None:  # cumulative average, as a tensor so that nothing waits for the device
                momentum = 1.0 / self.num_batches_tracked.to(
                    torch.promote_types(self.running_mean.dtype, torch.float32)
                )
        keep = update or not by_batch
        return batch_norm(
            input,
            self.running_mean if keep else None,
            self.running_var if keep else None,
            self.weight,
            self.bias,
            by_batch,
            momentum,
            self.eps,
        )

    def _expect(self, input: Tensor, dims: tuple[int, ...], shapes: str) -> None:
        if input.dim() not in dims:
            raise ValueError(
                f"{type(self).__name__} expected {shapes}, got {input.dim()} axes: shape {tuple(input.shape)}. "
                f"Reshape the input, or use BatchNorm{max(input.dim() - 2, 1)}d."
            )
        if input.shape[1] != self.num_features:
            raise RuntimeError(
                f"{type(self).__name__}({self.num_features}) got an input with {input.shape[1]} channels: shape "
                f"{tuple(input.shape)}. Build the layer with num_features={input.shape[1]}, or move the channels "
                "to axis 1."
            )


class BatchNorm1d(_OwnForward, nn.BatchNorm1d):
    """Batch normalization of (N, C) over N, or of (N, C, L) over N and L.

        y = (x - mean) / sqrt(var + eps) * weight + bias

    Arguments, state_dict and behaviour are torch.nn.BatchNorm1d's: num_features C, eps, momentum (weight of the
    new value; None for the cumulative average), affine (weight and bias of shape (C,)), track_running_stats.
    In training the buffers running_mean, running_var (C,) and num_batches_tracked change in place; running_var
    takes the unbiased variance, the output is normalized by the biased one.

    Raises:
        ValueError: other than 2 or 3 axes, or one value per channel in training.
        RuntimeError: an input that has not C channels.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        self._expect(input, (2, 3), "2 or 3 axes, (N, C) or (N, C, L)")


class BatchNorm2d(_OwnForward, nn.BatchNorm2d):
    """Batch normalization of (N, C, H, W) over N, H and W: one mean and one variance per channel, not per pixel.

    Everything else as in `BatchNorm1d`; equal to torch.nn.BatchNorm2d.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        self._expect(input, (4,), "4 axes, (N, C, H, W)")


class BatchNorm3d(_OwnForward, nn.BatchNorm3d):
    """Batch normalization of (N, C, D, H, W) over N, D, H and W.

    Everything else as in `BatchNorm1d`; equal to torch.nn.BatchNorm3d.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        self._expect(input, (5,), "5 axes, (N, C, D, H, W)")
