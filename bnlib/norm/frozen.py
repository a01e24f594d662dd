"""Frozen batch normalization: the map that prediction applies, with nothing left to learn.

Detection and fine-tuning see one or two images at a time, too few for statistics, and start from a model that has
good ones. There batch normalization is frozen: statistics, weight and bias become constants.
"""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parameter import is_lazy

from bnlib.norm.functional import check_arguments
from bnlib.norm.normalization import wide
from bnlib.norm.statistics import along_channels

NAMES = ("weight", "bias", "running_mean", "running_var")


class FrozenBatchNorm(nn.Module):
    """Normalize (N, C, *) by constants: an affine map of each channel, the same in training and prediction.

        y = (x - running_mean) / sqrt(running_var + eps) * weight + bias

    All four are buffers (C,): no optimizer sees them, no forward changes them, and the gradient flows to x alone,
    for which nothing of x's size is kept. state_dict is that of torch.nn.BatchNorm1d/2d/3d without
    num_batches_tracked, which is ignored when one is loaded. It is no `_BatchNorm`, so update_bn and the like pass by.

    Args:
        num_features: C.
        eps: added to the variance, inside of the root.
        affine, bias: False for no weight and bias, or for no bias: the map of a layer built so.
        device, dtype: of the buffers; with half-precision input they may be float32.

    Raises:
        ValueError: fewer than two axes.
        RuntimeError: an input that has not C channels, or dtypes that don't go together.

    Source: He et al. (2015), https://arxiv.org/abs/1512.03385, appendix A, where it is fixed for object detection.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features, self.eps = num_features, eps
        zeros, ones = (f(num_features, device=device, dtype=dtype) for f in (torch.zeros, torch.ones))
        self.register_buffer("weight", ones if affine else None)
        self.register_buffer("bias", zeros if affine and bias else None)
        self.register_buffer("running_mean", zeros.clone())
        self.register_buffer("running_var", ones.clone())

    def forward(self, input: Tensor) -> Tensor:
        vectors = self.running_mean, self.running_var, self.weight, self.bias
        check_arguments(input, *vectors, False)
        mean, var, weight, bias = (None if v is None else along_channels(wide(v), input) for v in vectors)
        scale = torch.rsqrt(var + self.eps)
        scale = scale if weight is None else scale * weight
        # plain operations: for a product with a constant, autograd keeps the constant alone
        y = (wide(input) - mean) * scale
        return (y if bias is None else y + bias).to(input.dtype)

    def extra_repr(self) -> str:
        affine, bias = self.weight is not None, self.bias is not None
        return f"{self.num_features}, eps={self.eps}, affine={affine}, bias={bias}"

    def _load_from_state_dict(self, state_dict, prefix, *others) -> None:
        state_dict.pop(prefix + "num_batches_tracked", None)
        super()._load_from_state_dict(state_dict, prefix, *others)


def freeze_batch_norm(module: nn.Module) -> nn.Module:
    """Replace every batch normalization of a model by its `FrozenBatchNorm`, in place.

    Every layer derived from torch's `_BatchNorm` counts: ours, SyncBatchNorm, ghost and renorm too. A layer used in
    several places is replaced by one. The constants are copies, so an optimizer that still holds the old weight and
    bias does not reach them: build the optimizer afterwards, from model.parameters(), which are fewer now. All other
    parameters keep their requires_grad; train() and eval() work as before on everything else and change nothing
    in a frozen layer. Hooks of the replaced layers are gone with them.

    Args:
        module: a model, or a single layer.

    Returns:
        The model, changed; for a single batch normalization, the frozen layer.

    Raises:
        ValueError: a layer without running statistics, which has nothing to freeze; the model is then unchanged.
    """
    layers = {name: layer for name, layer in module.named_modules() if isinstance(layer, _BatchNorm)}
    for name, layer in layers.items():
        if layer.running_mean is None or is_lazy(layer.running_mean):
            raise ValueError(
                f"freeze_batch_norm found {type(layer).__name__} {name!r} without running statistics; expected "
                "statistics to freeze. Train it with track_running_stats=True first."
            )
    frozen = {layer: _frozen(layer) for layer in layers.values()}
    for path, layer in list(module.named_modules(remove_duplicate=False)):
        if layer in frozen and path:
            parent, _, name = path.rpartition(".")
            setattr(module.get_submodule(parent), name, frozen[layer])
    return frozen.get(module, module)


def _frozen(layer: _BatchNorm) -> FrozenBatchNorm:
    frozen = FrozenBatchNorm(layer.num_features, layer.eps, device="meta")
    for name in NAMES:
        value = getattr(layer, name)
        setattr(frozen, name, None if value is None else value.detach().clone())
    return frozen.train(layer.training)
