"""Figures, each drawn from a table of an experiment, in the current language."""

from bnlib.lab.figures.lenet import (
    lag_by_layer,
    lag_remedies,
    learning_rate_frontier,
    moving_against_recalibrated,
    statistics_lag,
)
from bnlib.lab.figures.motivation import gradients_by_depth, input_percentiles, shallow_network
from bnlib.lab.figures.noise import batch_uncertainty, population_normalization, weight_decay
from bnlib.lab.figures.practice import order_of_layers, small_batches
from bnlib.lab.figures.regularization import (
    deep_linear,
    dropout_grid,
    ghost_gap,
    loss_along_step,
    noisy_normalization,
    statistics_noise,
    variance_shift,
)

__all__ = [
    "batch_uncertainty",
    "deep_linear",
    "dropout_grid",
    "ghost_gap",
    "gradients_by_depth",
    "input_percentiles",
    "lag_by_layer",
    "lag_remedies",
    "learning_rate_frontier",
    "loss_along_step",
    "moving_against_recalibrated",
    "noisy_normalization",
    "order_of_layers",
    "population_normalization",
    "shallow_network",
    "small_batches",
    "statistics_lag",
    "statistics_noise",
    "variance_shift",
    "weight_decay",
]
