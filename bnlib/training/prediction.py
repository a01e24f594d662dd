"""What a trained model says about images: a class, how sure it is, and the words for it in both languages."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bnlib.language import message
from bnlib.training.picture import Picture, read_image, read_picture
from bnlib.training.scoring import in_prediction_mode

__all__ = ["Picture", "Prediction", "predict", "read_image", "read_picture"]

BATCH_SIZE = 2000


@dataclass(frozen=True, eq=False)
class Prediction:
    """The classes of one image by probability; printed, the three likeliest in one line of the current language.

    label: the likeliest class, 0 ... 9.
    probabilities: (10,) float32 on the CPU, by label; their sum is 1.
    """

    label: int
    probabilities: Tensor

    @property
    def name(self) -> str:
        """The likeliest class in the current language."""
        return _class_name(self.label, len(self.probabilities))

    def __str__(self) -> str:
        chances, labels = self.probabilities.topk(min(3, len(self.probabilities)))
        parts = [
            message("prediction.chance", name=_class_name(label, len(self.probabilities)), percent=100 * chance)
            for label, chance in zip(labels.tolist(), chances.tolist(), strict=True)
        ]
        return message("prediction.between").join(parts)


@torch.no_grad()
def predict(model: nn.Module, images: Tensor) -> tuple[Prediction, ...]:
    """Classify images with a model in prediction mode; the modes it had are restored.

    Args:
        model: from images (N, 1, 28, 28) to logits (N, classes).
        images: (N, 1, 28, 28) in [0, 1], as `read_image` and `fashion_mnist` give them; taken to the model's device
            and floating-point type batch by batch.

    Returns:
        A `Prediction` for each image, in their order.

    Raises:
        TypeError: images of whole numbers, 0 to 255 say.
        ValueError: a shape other than (N, 1, 28, 28).
    """
    if not images.is_floating_point():
        raise TypeError(message("prediction.not_float", dtype=images.dtype))
    if images.dim() != 4 or images.shape[1:] != (1, 28, 28):
        raise ValueError(message("prediction.shape", shape=tuple(images.shape)))
    parameter = next(model.parameters(), images)
    predictions = []
    with in_prediction_mode(model):
        for batch in images.split(BATCH_SIZE):
            logits = model(batch.to(parameter.device, parameter.dtype))
            probabilities = logits.float().softmax(1).cpu()  # half precision would round 0.9996 up to 1
            predictions += [Prediction(int(chances.argmax()), chances) for chances in probabilities]
    return tuple(predictions)


def _class_name(label: int, classes: int) -> str:
    names = message("data.class_names").split("|")
    return names[label] if classes == len(names) else message("prediction.unnamed", label=label)
