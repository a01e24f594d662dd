"""What a run of training is asked to do; the defaults are the lecture's."""

import math
from dataclasses import dataclass
from numbers import Integral, Real

from bnlib.language import message

PATHS = ("auto", "eager", "compiled", "graph", "kernels")
PRECISIONS = ("float32", "bfloat16")  # float16 would need loss scaling, and a LeNet step waits for launches anyway


@dataclass(frozen=True)
class TrainConfig:
    """How to train. The first four fields decide the mathematics, the next two how it is computed.

    Raises:
        ValueError: a number out of its range, an unknown path or precision.
    """

    epochs: int = 10
    lr: float = 1.0  # of plain SGD: high, and what batch normalization makes possible here
    batch_size: int = 256  # the last batch of an epoch may be smaller
    seed: int = 0  # of the order of the examples, not of the weights
    # how a step runs: "eager"; "compiled" by torch.compile, on a CPU with channels_last; "graph", one CUDA graph;
    # "kernels", the C++ loops for LeNet on a CPU; "auto" for a graph on CUDA, eager elsewhere: compiling costs more
    # than ten epochs on a CPU give back
    path: str = "auto"
    precision: str = "float32"  # of convolutions and matrix products; batch statistics are float32 in any case
    score_every: int = 0  # steps between scorings by moving, recalibrated and batch statistics; 0 for none

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("batch_size", 1), ("seed", 0), ("score_every", 0)):
            value = getattr(self, name)
            if not isinstance(value, Integral) or not least <= value < 2**63:
                raise ValueError(message("training.not_whole", name=name, value=value, least=least))
            object.__setattr__(self, name, int(value))  # numpy's numbers, say: a checkpoint holds Python's alone
        if not isinstance(self.lr, Real) or not 0 < self.lr < math.inf:
            raise ValueError(message("training.not_positive", name="lr", value=self.lr))
        object.__setattr__(self, "lr", float(self.lr))
        for name, known in (("path", PATHS), ("precision", PRECISIONS)):
            value = getattr(self, name)
            if value not in known:
                raise ValueError(message("training.not_known", name=name, value=value, known=", ".join(known)))
        if self.path == "kernels" and self.precision != "float32":
            raise ValueError(message("training.loops_precision", precision=self.precision))


LECTURE = TrainConfig()
