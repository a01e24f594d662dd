"""LeNet: one architecture in four normalizations, the same weights to start with, and clear refusals."""

import copy

import pytest
import torch
from torch import nn

import bnlib
from bnlib import lecture
from bnlib.training.lenet import NORMS, LeNet

LAYERS = {  # norm -> (after a convolution, after a linear layer)
    "batch": (bnlib.BatchNorm2d, bnlib.BatchNorm1d),
    "torch": (nn.BatchNorm2d, nn.BatchNorm1d),
    "lecture": (lecture.BatchNorm, lecture.BatchNorm),
}
SHAPES = {  # of a batch of two, behind each named layer
    "conv1": (2, 6, 24, 24),
    "pool1": (2, 6, 12, 12),
    "conv2": (2, 16, 8, 8),
    "pool2": (2, 16, 4, 4),
    "flatten": (2, 256),
    "linear1": (2, 120),
    "linear2": (2, 84),
    "linear3": (2, 10),
}


@pytest.mark.parametrize("norm", NORMS)
def test_shapes_layer_by_layer(norm):
    x = torch.rand(2, 1, 28, 28)
    for name, layer in LeNet(norm).named_children():
        x = layer(x)
        assert tuple(x.shape) == SHAPES.get(name, tuple(x.shape)), name


@pytest.mark.parametrize("norm", LAYERS)
def test_normalization_stands_before_every_sigmoid(norm):
    layers = list(LeNet(norm))
    kinds = [type(layer) for layer in layers if isinstance(layer, LAYERS[norm])]
    assert kinds == [LAYERS[norm][0]] * 2 + [LAYERS[norm][1]] * 2
    for before, after in zip(layers, layers[1:], strict=False):
        assert isinstance(after, nn.Sigmoid) == isinstance(before, LAYERS[norm])


def test_without_normalization_nothing_stands_before_the_sigmoid():
    names = [name for name, _ in LeNet("none").named_children()]
    assert names[:3] == ["conv1", "sigmoid1", "pool1"] and not any(name.startswith("norm") for name in names)


def test_weights_are_the_same_in_all_norms_and_xavier_as_in_d2l():
    def reference() -> list[nn.Parameter]:
        """As d2l.train_ch6 does it: a plain Sequential is built, then net.apply(init_weights)."""
        torch.manual_seed(7)
        convolutions = [nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5)]
        net = nn.Sequential(*convolutions, nn.Linear(256, 120), nn.Linear(120, 84), nn.Linear(84, 10))
        net.apply(lambda layer: nn.init.xavier_uniform_(layer.weight) if list(layer.parameters(False)) else None)
        return list(net.parameters())

    for norm in NORMS:
        torch.manual_seed(7)
        net = LeNet(norm)
        ours = [p for name, layer in net.named_children() if "norm" not in name for p in layer.parameters()]
        assert all(torch.equal(a, b) for a, b in zip(ours, reference(), strict=True)), norm


def test_batch_torch_and_lecture_give_the_same_logits():
    images = torch.rand(8, 1, 28, 28)
    logits = {}
    for norm in LAYERS:
        torch.manual_seed(0)
        logits[norm] = LeNet(norm)(images)
    torch.testing.assert_close(logits["batch"], logits["torch"], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(logits["lecture"], logits["torch"], rtol=1e-4, atol=1e-5)


def test_number_of_classes_copies_and_parts():
    net = LeNet("batch", num_classes=3)
    assert net(torch.rand(4, 1, 28, 28)).shape == (4, 3)
    assert copy.deepcopy(net).norm == "batch"
    part = net[:3]
    assert type(part) is nn.Sequential and part.conv1 is net.conv1
    assert part(torch.rand(4, 1, 28, 28)).shape == (4, 6, 24, 24)
    assert net[0] is net.conv1 and net[-1] is net.linear3


@pytest.mark.parametrize("norm", ["layer", "", None, "Batch"])
def test_an_unknown_norm_is_refused_with_the_choices(norm):
    with pytest.raises(ValueError, match=f"{norm!r}; expected one of: none, batch, torch, lecture"):
        LeNet(norm)


@pytest.mark.parametrize("shape", [(28, 28), (1, 28, 28), (2, 784), (2, 3, 28, 28), (2, 1, 32, 32), (2, 28, 28, 1)])
def test_a_wrong_shape_is_refused_in_one_sentence(shape):
    with pytest.raises(ValueError, match=r"expected images \(N, 1, 28, 28\)") as caught:
        LeNet()(torch.zeros(shape))
    assert str(tuple(shape)) in str(caught.value)


def test_an_empty_batch_passes_in_prediction_mode():
    assert LeNet("batch").eval()(torch.zeros(0, 1, 28, 28)).shape == (0, 10)
