"""Question: which momentum does PyTorch need for the same moving average? (chapter 02, conventions)"""

from bnlib.learn.question import Number
from bnlib.norm.conventions import convert_momentum

KERAS = 0.99  # its default

EXERCISE = Number(
    name="keras_momentum",
    chapter=3,
    value=lambda: convert_momentum(KERAS, "Keras", "PyTorch"),
    tolerance=0.0005,
    low=0.0,
    high=1.0,
    step=0.001,
    mistakes={
        "same_number": lambda: KERAS,
        "default": lambda: 0.1,
        "double": lambda: 2 * convert_momentum(KERAS, "Keras", "PyTorch"),
        "never": lambda: 0.0,
    },
)
