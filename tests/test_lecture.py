"""The lecture's function and layer behave as in the notes, traps included, and equal torch's where they should."""

import pytest
import torch
from torch import nn

from bnlib import lecture


@pytest.mark.parametrize(("shape", "dims"), [((8, 3), 2), ((8, 3, 4, 5), 4)])
def test_output_and_gradient_equal_torch_in_training(shape, dims):
    x = torch.randn(shape, dtype=torch.double, requires_grad=True)
    ours = lecture.BatchNorm(3, dims).double()
    theirs = (nn.BatchNorm1d if dims == 2 else nn.BatchNorm2d)(3).double()
    upstream = torch.randn(shape, dtype=torch.double)
    torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(
        torch.autograd.grad((ours(x) * upstream).sum(), x),
        torch.autograd.grad((theirs(x) * upstream).sum(), x),
    )


def test_momentum_weighs_the_old_value_and_variance_is_biased():
    X = torch.tensor([[0.0], [2.0]])
    one, zero = torch.ones(1, 1), torch.zeros(1, 1)
    Y, mean, var = lecture.batch_norm(X, one, zero, zero, one, eps=0.0, momentum=0.9)
    assert torch.equal(Y, torch.tensor([[-1.0], [1.0]]))
    torch.testing.assert_close(mean, torch.tensor([[0.1]]))
    torch.testing.assert_close(var, torch.tensor([[1.0]]))  # 0.9 * 1 + 0.1 * 1, the biased variance being 1
    assert torch.equal(zero, torch.zeros(1, 1))  # the arguments stay as they were


def test_mode_is_guessed_from_grad_mode():
    X, layer = torch.randn(16, 3) + 5, lecture.BatchNorm(3, 2)
    layer.eval()
    assert layer(X).mean().abs() < 1e-5 and layer.moving_mean.abs().sum() > 0  # eval(), yet it trains
    layer.train()
    before = layer.moving_mean.clone()
    with torch.no_grad():
        layer(X)
    assert torch.equal(before, layer.moving_mean)  # train(), yet it predicts


def test_moving_statistics_are_not_in_the_state_dict():
    assert set(lecture.BatchNorm(3, 4).state_dict()) == {"gamma", "beta"}


def test_wrong_input():
    with pytest.raises(ValueError, match=r"expected \(N, C\) or \(N, C, H, W\)"):
        lecture.BatchNorm(3, 2)(torch.randn(2, 3, 4))
    with pytest.raises(ValueError, match="num_dims=3; expected 2"):
        lecture.BatchNorm(3, 3)
