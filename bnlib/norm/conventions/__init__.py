"""How the lecture, d2l-en, PyTorch, Keras, Flax and ONNX differ: one table, of which each row can be run.

In training all of them compute (x - mean) / sqrt(var + eps) * scale + shift with the mean and the biased variance of
the batch. They differ in what they keep for prediction, in the value that `momentum` weighs, in eps, in the axis of
the channels, in names, and in how they know whether they are training. Only PyTorch keeps the unbiased variance, and
so it alone refuses a batch of one value per channel; the others return the shift for it, and take its variance for 0.

What the rows leave out, because it is arithmetic or an option and no convention:
- Keras and Flax compute the variance as E[x²] - E[x]², which float32 loses far from zero; the rows don't.
- A Keras layer with trainable=False predicts, even when called with training=True.
- Keras within TensorFlow 2 had a fused kernel for images that kept the unbiased variance
  (https://github.com/tensorflow/tensorflow/issues/55545): replace(CONVENTIONS["Keras"], running_var="unbiased").
- d2l-en prints code for four frameworks; the row is PyTorch's. Its JAX code weighs the old value by 0.9, its MXNet
  code has eps 1e-12.
"""

from bnlib.norm.conventions.conversion import convert, convert_momentum, variance_factor
from bnlib.norm.conventions.rows import CONVENTIONS, Convention, table
from bnlib.norm.conventions.running import compare, initial_state, predict, train_step

__all__ = [
    "CONVENTIONS",
    "Convention",
    "compare",
    "convert",
    "convert_momentum",
    "initial_state",
    "predict",
    "table",
    "train_step",
    "variance_factor",
]
