"""LeNet's two convolutional stages as loops in C++, which make its training on a CPU several times as fast.

An optional room: it needs a C++ compiler, and nothing else of bnlib needs it. `reason_against(model)` says in one
sentence why a model can't run on the loops, or None; `accelerate(model)` gives the function that runs it on them.
"""

from bnlib.training.kernels.stages import accelerate, reason_against

__all__ = ["accelerate", "reason_against"]
