"""The lecture's LeNet, one architecture with and without normalization."""

from collections import OrderedDict
from collections.abc import Callable

from torch import Tensor, fx, nn

from bnlib import lecture
from bnlib.language import message
from bnlib.norm import BatchNorm1d, BatchNorm2d

# name -> factory(channels or features, axes of the tensor: 4 after a convolution, 2 after a linear layer);
# None leaves the layer out
NORMS: dict[str, Callable[[int, int], nn.Module] | None] = {
    "none": None,
    "batch": lambda channels, axes: BatchNorm2d(channels) if axes == 4 else BatchNorm1d(channels),
    "torch": lambda channels, axes: nn.BatchNorm2d(channels) if axes == 4 else nn.BatchNorm1d(channels),
    "lecture": lecture.BatchNorm,
}


class LeNet(nn.Sequential):
    """LeNet with sigmoids and average pooling: from images (N, 1, 28, 28) to logits (N, num_classes).

    Normalization stands between a layer and its sigmoid. No convolution pads, in no variant, so that a
    comparison with and without normalization changes one thing. Weights start by Xavier's uniform rule,
    biases as torch sets them, both from torch's global generator: after the same torch.manual_seed all
    variants start with the same weights. The layers have names: conv1, norm1, sigmoid1, pool1, ..., linear3.

    Args:
        norm: "none"; "batch" (bnlib's layers); "torch" (torch.nn's); "lecture" (the lecture notes' layer).
        num_classes: number of logits.

    Raises:
        ValueError: an unknown norm; in the forward pass, a shape other than (N, 1, 28, 28).

    Source: LeCun et al. (1998), as in the lecture notes, section "Batch normalization".
    """

    def __init__(self, norm: str = "batch", num_classes: int = 10) -> None:
        if norm not in NORMS:
            raise ValueError(message("training.norm_unknown", norm=norm, known=", ".join(NORMS)))
        factory = NORMS[norm]

        def stage(i: int, channels: int, axes: int) -> list[tuple[str, nn.Module]]:
            normalization = [] if factory is None else [(f"norm{i}", factory(channels, axes))]
            return [*normalization, (f"sigmoid{i}", nn.Sigmoid())]

        layers = [
            ("conv1", nn.Conv2d(1, 6, kernel_size=5)),  # (N, 6, 24, 24)
            *stage(1, 6, axes=4),
            ("pool1", nn.AvgPool2d(2)),  # (N, 6, 12, 12)
            ("conv2", nn.Conv2d(6, 16, kernel_size=5)),  # (N, 16, 8, 8)
            *stage(2, 16, axes=4),
            ("pool2", nn.AvgPool2d(2)),  # (N, 16, 4, 4)
            ("flatten", nn.Flatten()),  # (N, 256)
            ("linear1", nn.Linear(256, 120)),
            *stage(3, 120, axes=2),
            ("linear2", nn.Linear(120, 84)),
            *stage(4, 84, axes=2),
            ("linear3", nn.Linear(84, num_classes)),
        ]
        super().__init__(OrderedDict(layers))
        self.norm = norm  # its name, for tables and titles
        self.apply(_xavier)

    def forward(self, images: Tensor) -> Tensor:
        _check_shape(images)
        return super().forward(images)

    def __getitem__(self, index: int | slice) -> nn.Module:
        if isinstance(index, slice):  # torch would call LeNet(layers), but a part of a LeNet is none
            return nn.Sequential(OrderedDict(list(self._modules.items())[index]))
        return super().__getitem__(index)


@fx.wrap  # one step to torch.fx, which can't follow a decision on shapes
def _check_shape(images: Tensor) -> None:
    if images.dim() != 4 or images.shape[1:] != (1, 28, 28):
        raise ValueError(message("training.image_shape", shape=tuple(images.shape)))


def _xavier(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)
