"""The lecture's function and layer, as chapter 03 meets them: short, readable, and with the traps it shows.

Written here anew, with the signature, the order of results and the behaviour of the lecture notes: the mode is
guessed from torch.is_grad_enabled(), momentum weighs the old value, the moving variance is the biased one, and
the moving statistics are plain tensors. For work of your own take `bnlib.norm.BatchNorm2d` or torch's.
"""

import torch
from torch import Tensor, nn


def batch_norm(
    X: Tensor,
    gamma: Tensor,
    beta: Tensor,
    moving_mean: Tensor,
    moving_var: Tensor,
    eps: float,
    momentum: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Normalize X by the batch where gradients are enabled, by the moving statistics where they are not.

    Args:
        X: (N, C) or (N, C, H, W).
        gamma, beta: (1, C) or (1, C, 1, 1), scale and shift.
        moving_mean, moving_var: shape of gamma; not changed, the new ones are returned.
        eps: added to the variance, inside of the root.
        momentum: weight of the OLD moving value (torch's momentum weighs the new one).

    Returns:
        Y in X's shape, the new moving mean and the new moving variance (biased, it divides by m).

    Raises:
        ValueError: X with other than 2 or 4 axes, where gradients are enabled.
    """
    if not torch.is_grad_enabled():
        mean, var = moving_mean, moving_var
    else:
        if X.dim() not in (2, 4):
            raise ValueError(f"batch_norm got X of shape {tuple(X.shape)}; expected (N, C) or (N, C, H, W).")
        axes = (0,) if X.dim() == 2 else (0, 2, 3)
        mean = X.mean(axes, keepdim=True)
        var = ((X - mean) ** 2).mean(axes, keepdim=True)
        moving_mean = momentum * moving_mean + (1 - momentum) * mean
        moving_var = momentum * moving_var + (1 - momentum) * var
    X_hat = (X - mean) / torch.sqrt(var + eps)
    return gamma * X_hat + beta, moving_mean.detach(), moving_var.detach()


class BatchNorm(nn.Module):
    """The lecture's layer around `batch_norm`, with eps 1e-5 and momentum 0.9 (of the old value).

    gamma and beta are parameters; moving_mean and moving_var are plain tensors, so state_dict() forgets them
    and .to(device) leaves them behind until the next forward pass.

    Args:
        num_features: number of features or channels C.
        num_dims: 2 for (N, C) after a fully connected layer, 4 for (N, C, H, W) after a convolution.

    Raises:
        ValueError: num_dims other than 2 or 4.
    """

    def __init__(self, num_features: int, num_dims: int) -> None:
        super().__init__()
        if num_dims not in (2, 4):
            raise ValueError(f"BatchNorm got num_dims={num_dims}; expected 2 (fully connected) or 4 (convolution).")
        shape = (1, num_features) if num_dims == 2 else (1, num_features, 1, 1)
        self.gamma = nn.Parameter(torch.ones(shape))
        self.beta = nn.Parameter(torch.zeros(shape))
        self.moving_mean = torch.zeros(shape)
        self.moving_var = torch.ones(shape)

    def forward(self, X: Tensor) -> Tensor:
        self.moving_mean, self.moving_var = self.moving_mean.to(X.device), self.moving_var.to(X.device)
        Y, self.moving_mean, self.moving_var = batch_norm(
            X, self.gamma, self.beta, self.moving_mean, self.moving_var, eps=1e-5, momentum=0.9
        )
        return Y
