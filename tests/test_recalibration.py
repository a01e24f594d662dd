"""recalibrate: the statistics of all batches together, whatever their sizes, and nothing else changed."""

import pytest
import torch
from torch import nn

import bnlib

LAYERS = [bnlib.BatchNorm1d, nn.BatchNorm1d]


def batches(*sizes):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(n, 3, generator=generator) * (1 + i) + 1000.0 * i for i, n in enumerate(sizes)]


@pytest.mark.parametrize("layer", LAYERS)
def test_unequal_batches_weigh_by_size(layer):
    model, data = nn.Sequential(layer(3)), batches(50, 7, 2, 0, 20)
    bnlib.recalibrate(model, data)
    joined = torch.cat(data).double()
    torch.testing.assert_close(model[0].running_mean.double(), joined.mean(0))
    torch.testing.assert_close(model[0].running_var.double(), joined.var(0))


def test_convolution_counts_positions_and_takes_pairs():
    model = nn.Sequential(nn.Conv2d(1, 3, 3), bnlib.BatchNorm2d(3))
    data = [(torch.randn(4, 1, 6, 6), torch.zeros(4)), (torch.randn(9, 1, 6, 6), torch.zeros(9))]
    bnlib.recalibrate(model, data)
    with torch.no_grad():
        joined = torch.cat([model[0](x) for x, _ in data]).double()
    torch.testing.assert_close(model[1].running_var.double(), joined.var((0, 2, 3)))


class ByName(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = bnlib.BatchNorm1d(3)

    def forward(self, x):
        return self.norm(input=x)


def test_a_layer_called_with_its_input_by_name():
    data = torch.randn(8, 3).split(3)
    model = bnlib.recalibrate(ByName(), data[:2])
    torch.testing.assert_close(model.norm.running_mean, torch.cat(data[:2]).mean(0))


def test_modes_flags_and_counters_stay_and_dropout_is_off():
    model = nn.Sequential(nn.Dropout(0.5), bnlib.BatchNorm1d(3), nn.ReLU(), bnlib.BatchNorm1d(3))
    model[1].eval()
    before = [m.training for m in model.modules()]
    data = batches(30, 30)
    bnlib.recalibrate(model, data)
    assert before == [m.training for m in model.modules()]
    assert all(model[i].track_running_stats and model[i].num_batches_tracked == 0 for i in (1, 3))
    torch.testing.assert_close(model[1].running_mean.double(), torch.cat(data).double().mean(0))
    assert not any(m._forward_pre_hooks for m in model.modules())


def test_an_error_leaves_the_model_untouched():
    model = nn.Sequential(bnlib.BatchNorm1d(3)).eval()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with pytest.raises(ValueError, match="got 4 axes"):
        bnlib.recalibrate(model, [torch.randn(8, 3), torch.randn(8, 3, 2, 2)])
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    assert not model[0].training and model[0].track_running_stats and not model[0]._forward_pre_hooks


WRONG = [
    (nn.Sequential(nn.Linear(3, 3)), [torch.randn(4, 3)], "no batch normalization layer"),
    (nn.Sequential(bnlib.BatchNorm1d(3)), [], "0 batches and no value"),
    (nn.Sequential(bnlib.BatchNorm1d(3)), [torch.empty(0, 3)], "1 batches and no value"),
]


@pytest.mark.parametrize(("model", "data", "sentence"), WRONG)
def test_wrong_input(model, data, sentence):
    with pytest.raises(ValueError, match=sentence):
        bnlib.recalibrate(model, data)
