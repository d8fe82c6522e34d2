"""What the theory says of a whole network before its first step, layer by layer.

Wide layers whose weights are independent of what comes in, a batch large enough that its statistics are the signal's:
what a real network is off from that, `pipeline.propagation` measures.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.params import BatchNormPlacement
from pipeline.theory.functions import Array, Function
from pipeline.theory.gaussian import table
from pipeline.theory.initializers import Scale

TRAINABLE = 6.0
"""Natural logarithm of the factor by which a signal's or gradient's variance may change over a network that can be
trained: networks up to about six depth scales deep can be (Schoenholz et al. 2017, section 5)."""

ROUNDED = 1e-15
"""A function's mean may be all of its root mean square but for rounding."""


class Prediction(NamedTuple):
    """Variances at initialisation, for each hidden layer from the lowest, as natural logarithms."""

    log_signal: Array
    """``[layer]``: mean square of a dense layer's output z."""
    log_gradient: Array
    """``[layer]``: mean square of ∂loss/∂z, as a share of the highest hidden layer's."""


def predict(
    function: Function,
    widths: Sequence[int],
    scales: Sequence[Scale],
    input_squares: Array,
    batch_norm: BatchNormPlacement = "none",
    eps: float = 0.0,
) -> Prediction:
    """Return the variances of signal and gradient in every hidden layer, as logarithms throughout.

    Args:
        function: φ of every hidden layer.
        widths: features, units of every hidden layer, classes.
        scales: of every layer, the output layer's last.
        input_squares: ``[sample]``: each sample's mean square of a feature. Each takes its own way; the means are
            returned. With batch norm, which makes all features alike, the share of features that are not constant.
        batch_norm: placement; with any, the input is normalised too.
        eps: batch norm's.
    """
    moments = table(function)
    layers = len(widths) - 2
    log_signal = np.empty(layers)
    log_factor = np.empty((layers, len(input_squares)))
    with np.errstate(divide="ignore"):
        spread = square = np.log(input_squares)  # ln of variance over the batch, and of mean square, that a layer takes
        log_eps = np.log(eps)
    for layer in range(layers):
        weight, bias = scales[layer]
        log_weight = np.log(widths[layer] * weight)
        q = log_weight + square
        if bias and batch_norm != "before":
            q = np.logaddexp(q, np.log(bias))
        log_signal[layer] = _log_mean(q)
        gain = np.zeros_like(q)
        if batch_norm == "before":
            q, gain = _normalized(log_weight + spread, log_eps)
        mean, square, slope_square = moments(q)
        # A unit's mean of φ is the same for all samples of a batch, and batch norm takes it out.
        spread = square + np.log1p(-np.minimum(mean**2, 1 - ROUNDED))
        if batch_norm == "after":
            square, gain = _normalized(spread, log_eps)
        # From the layer above: back through its weights, φ and batch norm.
        log_factor[layer] = np.log(widths[layer + 2] * scales[layer + 1].weight) + slope_square + gain
    backward = np.cumsum(log_factor[::-1], axis=0)[::-1]
    log_gradient = np.array([_log_mean(factors) for factors in backward - backward[-1:]])
    return Prediction(log_signal, log_gradient)


def _log_mean(logs: Array) -> float:
    return float(np.logaddexp.reduce(logs) - np.log(len(logs)))


def _normalized(spread: Array, eps: float) -> tuple[Array, Array]:
    """Return the variance after batch norm, and the factor that it puts on the gradient's; logarithms all."""
    gain = -np.logaddexp(spread, eps)
    return spread + gain, gain


def trainable_depth(prediction: Prediction) -> int:
    """Return how many hidden layers deep a network may be, of those predicted, for its signals and gradients to arrive.

    The first number of layers over which one of their variances changes by more than a factor of e^6 is too many.
    """
    signal = np.abs(prediction.log_signal - prediction.log_signal[0])
    # Of a network that ends at a layer, the gradient's change down to the lowest.
    gradient = np.abs(prediction.log_gradient - prediction.log_gradient[0])
    arrives = (signal <= TRAINABLE) & (gradient <= TRAINABLE)
    return len(arrives) if arrives.all() else int(np.argmin(arrives))
