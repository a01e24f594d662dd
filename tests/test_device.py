"""choose_device: what this machine has is chosen, what it lacks is refused with the choices named."""

import pytest
import torch

from bnlib.training import choose_device


def test_automatic_choice_is_a_device_that_computes():
    for auto in (None, "auto"):
        device = choose_device(auto)
        assert torch.ones(2, device=device).sum().item() == 2
        assert device.type == ("cuda" if torch.cuda.is_available() else device.type)
    if not torch.cuda.is_available() and not torch.backends.mps.is_available():
        assert choose_device() == torch.device("cpu")


@pytest.mark.parametrize("name", ["cpu", torch.device("cpu"), "cpu:0"])
def test_a_device_that_is_here_is_returned(name):
    assert choose_device(name) == torch.device(name)


@pytest.mark.parametrize("name", ["cuda:99", "gpu", "", "cuda:x", "meta", 3.5])
def test_a_device_that_is_not_here_is_refused_in_one_sentence(name):
    with pytest.raises(ValueError, match='is not to be had here; expected "auto" or one of: cpu') as caught:
        choose_device(name)
    assert "\n" not in str(caught.value) and str(name) in str(caught.value)
