"""BatchRenorm against the real Keras (renorm=True, torch backend) over several steps and in prediction.

In float32, because Keras computes batch normalization in nothing wider: on the torch backend its result_type of float64
and float32 is float32. Its variance is E[x²] - E[x]², so the data stay near zero here.
"""

import pytest
import torch

from bnlib.norm.renorm import BatchRenorm, FixedLimits

LIMITS = [  # Keras' renorm_clipping, and ours
    ({}, FixedLimits(float("inf"), float("inf"))),
    ({"rmax": 3.0, "rmin": 1 / 3.0, "dmax": 5.0}, FixedLimits(3.0, 5.0)),
    ({"rmax": 1.1, "rmin": 1 / 1.1, "dmax": 0.2}, FixedLimits(1.1, 0.2)),
    ({"rmax": 1.0, "rmin": 1.0, "dmax": 0.0}, FixedLimits(1.0, 0.0)),
]
SHAPES = [(6, 4), (5, 4, 3), (3, 4, 2, 5), (2, 4, 3, 2, 2)]


def pair(shape, clipping, limits, momentum=0.1, eps=1e-3, affine=True):
    from keras_on_torch import keras  # takes seconds, so not where tests are only collected

    theirs = keras.layers.BatchNormalization(
        axis=1,
        momentum=1 - momentum,
        renorm_momentum=1 - momentum,
        epsilon=eps,
        renorm=True,
        renorm_clipping=clipping,
        center=affine,
        scale=affine,
    )
    theirs.build(shape)
    ours = BatchRenorm(shape[1], eps, momentum, affine, limits=limits)
    if affine:
        for keras_variable, parameter in ((theirs.gamma, ours.weight), (theirs.beta, ours.bias)):
            values = torch.randn(shape[1])
            keras_variable.assign(values)
            parameter.data.copy_(values)
    return ours, theirs


def step(layer, x, parameters, **options):
    x = x.clone().requires_grad_()
    y = layer(x, **options)
    upstream = torch.randn(y.shape, dtype=y.dtype, generator=torch.Generator().manual_seed(1))
    return y.detach(), *torch.autograd.grad((y * upstream).sum(), [x, *parameters])


def same(ours, theirs):
    torch.testing.assert_close(ours, theirs.detach(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize(("clipping", "limits"), LIMITS, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_outputs_gradients_and_moving_statistics(shape, clipping, limits, affine):
    torch.manual_seed(0)
    ours, theirs = pair(shape, clipping, limits, affine=affine)
    of_keras = [theirs.gamma.value, theirs.beta.value] if affine else []
    for number in range(6):
        x = torch.randn(shape) * (1 + number / 2) + 1 - number / 2
        found = step(ours, x, list(ours.parameters()))
        for a, b in zip(found, step(theirs, x, of_keras, training=True), strict=True):
            same(a, b)
        same(ours.running_mean, theirs.moving_mean.value)
        same(ours.running_mean, theirs.renorm_mean.value)
        same(ours.running_var, theirs.moving_variance.value)
        same((ours.running_var + ours.eps).sqrt(), theirs.moving_stddev.value)
        same((ours.running_var + ours.eps).sqrt(), theirs.renorm_stddev.value)
    ours.eval()
    x = torch.randn(shape) * 2 + 1
    for a, b in zip(step(ours, x, list(ours.parameters())), step(theirs, x, of_keras, training=False), strict=True):
        same(a, b)


def test_a_channel_without_variance():
    """σ_B is then sqrt(eps): the deviation shrinks towards it and never below, here and there."""
    ours, theirs = pair((4, 3), *LIMITS[1], momentum=1.0)
    x = torch.full((4, 3), 2.5)
    for _ in range(3):
        for a, b in zip(step(ours, x, []), step(theirs, x, [], training=True), strict=True):
            same(a, b)
        same(ours.running_var, theirs.moving_variance.value)
    assert ((ours.running_var >= 0) & (ours.running_var < 1e-9)).all()  # σ² is eps but for rounding
