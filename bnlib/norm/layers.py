"""BatchNorm1d, 2d and 3d, and their lazy forms: torch's layers, with `bnlib.norm.batch_norm` inside.

They derive from torch's own classes, so everything that looks for batch normalization by isinstance finds them:
torch.optim.swa_utils.update_bn, SyncBatchNorm.convert_sync_batchnorm, DistributedDataParallel, old checkpoints.
torch.fx goes by the name of a class's module instead and would look inside: give it a Tracer whose is_leaf_module takes
them for leaves. Its experimental fuse asks for the exact class; torch.nn.utils.fusion and fold_batch_norm do not.
What a layer does in one step (which statistics, which update) is written here; the state is torch's.
"""

import torch
from torch import Tensor, nn

from bnlib.norm.functional import batch_norm, check_impl


def recomputing() -> bool:
    """Whether this forward pass runs inside of a backward pass, as gradient checkpointing repeats one.

    Its batch has been counted already, so the running statistics are not to move again (pytorch 96136). A graph of
    torch.compile can't ask; one that stands inside of a checkpoint moves them twice, as torch's layers do. Compile
    what holds the checkpoint, and they move once.
    """
    return not torch.compiler.is_compiling() and torch._C._current_graph_task_id() != -1


class OwnForward:
    """The decision of one forward pass: which statistics normalize, and how far the running ones move."""

    impl = "explicit"

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        by_batch = self.training or (self.running_mean is None and self.running_var is None)
        update = self.training and self.track_running_stats
        running = (self.running_mean, self.running_var) if update or not by_batch else (None, None)
        again = update and recomputing()
        if again:  # copies move: what autograd keeps has to be the same, in number too, as the first time
            running = tuple(None if vector is None else vector.clone() for vector in running)
        momentum = self._momentum(count=not again) if update else 0.0
        return batch_norm(input, *running, self.weight, self.bias, by_batch, momentum, self.eps, impl=self.impl)

    def _momentum(self, count: bool = True) -> float | Tensor:
        """Count this batch, and say how much of it the running statistics take."""
        if self.num_batches_tracked is None:
            return self.momentum or 0.0
        if count:
            self.num_batches_tracked.add_(1)  # in place: the buffer may be shared
        if self.momentum is not None:
            return self.momentum
        # cumulative average, as a tensor so that nothing waits for the device
        return 1.0 / self.num_batches_tracked.to(torch.promote_types(self.running_mean.dtype, torch.float32))

    def _keep_bias(self, bias: bool) -> None:
        if not bias:  # not by the argument, which an older torch does not have
            self.register_parameter("bias", None)

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


class _Sized(OwnForward):
    """torch's constructor, and `impl` behind it."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        bias: bool = True,
        impl: str = "explicit",
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype)
        self._keep_bias(bias)
        self.impl = check_impl(impl)


class _Lazy(OwnForward):
    """The same without num_features, which the first input tells."""

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        bias: bool = True,
        impl: str = "explicit",
    ) -> None:
        super().__init__(eps, momentum, affine, track_running_stats, device, dtype)
        self._keep_bias(bias)
        self.impl = check_impl(impl)

    def initialize_parameters(self, input: Tensor) -> None:
        super().initialize_parameters(input)
        if self.num_features == 0:  # torch's tells it only where it has parameters to shape: not without any, not
            known = self.weight if self.weight is not None else self.running_mean  # where a state_dict brought them
            self.num_features = input.shape[1] if known is None else known.numel()


class BatchNorm1d(_Sized, nn.BatchNorm1d):
    """Batch normalization of (N, C) over N, or of (N, C, L) over N and L.

        y = (x - mean) / sqrt(var + eps) * weight + bias

    Arguments, state_dict and behaviour are torch.nn.BatchNorm1d's: num_features C, eps, momentum (weight of the
    new value; None for the cumulative average), affine (weight and, unless bias is False, bias of shape (C,)),
    track_running_stats, device, dtype. impl is `batch_norm`'s: "explicit", "compiled" or "native".
    In training the buffers running_mean, running_var (C,) and num_batches_tracked change in place; running_var
    takes the unbiased variance, the output is normalized by the biased one. Where gradient checkpointing repeats a
    forward pass, they don't change a second time (torch's do; so do ours where torch.compile made what is repeated).

    Raises:
        ValueError: other than 2 or 3 axes, one value per channel in training, or an unknown impl.
        RuntimeError: an input that has not C channels.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        self._expect(input, (2, 3), "2 or 3 axes, (N, C) or (N, C, L)")


class BatchNorm2d(_Sized, nn.BatchNorm2d):
    """Batch normalization of (N, C, H, W) over N, H and W: one mean and one variance per channel, not per pixel.

    Everything else as in `BatchNorm1d`; equal to torch.nn.BatchNorm2d.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        self._expect(input, (4,), "4 axes, (N, C, H, W)")


class BatchNorm3d(_Sized, nn.BatchNorm3d):
    """Batch normalization of (N, C, D, H, W) over N, D, H and W.

    Everything else as in `BatchNorm1d`; equal to torch.nn.BatchNorm3d.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        self._expect(input, (5,), "5 axes, (N, C, D, H, W)")


class LazyBatchNorm1d(_Lazy, nn.LazyBatchNorm1d):
    """`BatchNorm1d` that takes num_features from its first input, and is one from then on."""

    cls_to_become = BatchNorm1d
    _check_input_dim = BatchNorm1d._check_input_dim


class LazyBatchNorm2d(_Lazy, nn.LazyBatchNorm2d):
    """`BatchNorm2d` that takes num_features from its first input, and is one from then on."""

    cls_to_become = BatchNorm2d
    _check_input_dim = BatchNorm2d._check_input_dim


class LazyBatchNorm3d(_Lazy, nn.LazyBatchNorm3d):
    """`BatchNorm3d` that takes num_features from its first input, and is one from then on."""

    cls_to_become = BatchNorm3d
    _check_input_dim = BatchNorm3d._check_input_dim
