"""Question: how many numbers does a layer save? (chapter 03, parameters and buffers)"""

from torch import nn

from bnlib.learn.question import Number

CHANNELS = 16


def layer() -> nn.BatchNorm2d:
    return nn.BatchNorm2d(CHANNELS)


def learned() -> int:
    return sum(parameter.numel() for parameter in layer().parameters())


def saved() -> int:
    return sum(tensor.numel() for tensor in layer().state_dict().values())


EXERCISE = Number(
    name="numbers_in_state",
    chapter=3,
    value=saved,
    tolerance=0.0,
    low=0.0,
    high=200.0,
    step=1.0,
    mistakes={
        "learned_only": learned,
        "counter_forgotten": lambda: saved() - 1,
        "tensors": lambda: len(layer().state_dict()),
        "buffers_only": lambda: saved() - learned(),
        "one_each": lambda: CHANNELS,
    },
    facts=lambda: {"learned": learned(), "kept": saved() - learned()},
)
