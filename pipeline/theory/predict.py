"""What the theory says of a whole network before its first step, layer by layer.

Wide layers whose weights are independent of what comes in, a batch large enough that its statistics are the signal's:
what a real network is off from that, `pipeline.experiments.propagation` measures.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..axes.architectures import MLP, Architecture
from ..axes.initializers import Variances
from ..axes.normalization import NoNormalization, Normalization
from ..axes.regularizers import NoRegularizer, Regularizer
from ..axes.special import Array
from .functions import Function
from .gaussian import table

PLAIN, NO_NORMALIZATION, NO_REGULARIZER = MLP(), NoNormalization(), NoRegularizer()

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
    variances: Sequence[Variances],
    input_squares: Array,
    normalization: Normalization = NO_NORMALIZATION,
    architecture: Architecture = PLAIN,
    regularization: Regularizer = NO_REGULARIZER,
) -> Prediction:
    """Return the variances of signal and gradient in every hidden layer, as logarithms throughout.

    Skips: Yang & Schoenholz 2017, "Mean field residual networks: on the edge of chaos", where what is added is
    independent of what it is added to. Dropout: Schoenholz et al. 2017, section 5.

    Args:
        function: φ of every hidden layer.
        widths: features, units of every hidden layer, classes.
        variances: of every layer's weights and biases, the output layer's last.
        input_squares: ``[sample]``: each sample's mean square of a feature. Each takes its own way; the means are
            returned. With batch norm, which makes all features alike, the share of features that are not constant.
        normalization: with batch norm, the input is normalised too.
        architecture: one whose hidden layers follow one another.
        regularization: of which dropout alone is seen before the first step.
    """
    moments = table(function)
    layers = len(widths) - 2
    skips = [architecture.skips_from(layer) for layer in range(layers)]
    log_z = np.empty((layers, len(input_squares)))
    log_factor = np.empty((layers, len(input_squares)))
    with np.errstate(divide="ignore"):
        spread = square = np.log(input_squares)  # ln of variance over the batch, and of mean square, that a layer takes
        log_eps = np.log(getattr(normalization, "eps", 0.0))
    for layer in range(layers):
        weight, bias = variances[layer]
        log_weight = np.log(widths[layer] * weight)
        q, varies = log_weight + square, log_weight + spread
        if bias and normalization.keeps_bias:
            q = np.logaddexp(q, np.log(bias))
        if (lower := skips[layer]) is not None:
            q, varies = np.logaddexp(q, log_z[lower]), np.logaddexp(varies, log_z[lower])
        log_z[layer] = q
        gain = np.zeros_like(q)
        if normalization.placement == "before":
            q, gain = _normalized(varies if normalization.of_batch else q, log_eps)
        mean, square, slope_square = moments(q)
        # A unit's mean of φ is the same for all samples of a batch, and batch norm takes it out.
        spread = square + np.log1p(-np.minimum(mean**2, 1 - ROUNDED))
        if normalization.placement == "after":
            square, after = _normalized(spread, log_eps)
            gain, mean, spread = gain + after, np.zeros_like(mean), square
        mean, square, dropped = regularization.transmit(mean, square)
        if dropped:
            spread = square + np.log1p(-np.minimum(mean**2, 1 - ROUNDED))
        # From the layer above: back through its weights, φ, normalization and dropout.
        log_factor[layer] = np.log(widths[layer + 2] * variances[layer + 1].weight) + slope_square + gain + dropped
    backward = np.empty_like(log_factor)
    above: Array | float = 0.0
    for layer in reversed(range(layers)):
        backward[layer] = above = log_factor[layer] + above
        if layer + 2 < layers and skips[layer + 2] == layer:
            backward[layer] = above = np.logaddexp(above, backward[layer + 2])
    return _prediction(log_z, backward)


def predict_recurrent(
    function: Function,
    units: int,
    variances: Sequence[Variances],
    input_squares: Array,
    features: int,
    normalization: Normalization = NO_NORMALIZATION,
) -> Prediction:
    """Return the variances of signal and gradient at every step of a recurrent network, as logarithms throughout.

    Chen, Pennington & Schoenholz 2018, "Dynamical isometry and a mean field theory of RNNs", section 3.1: as if the
    weights were drawn anew at each step.

    Args:
        function: φ.
        units: of the hidden layer.
        variances: of the weights on the input and of the biases, of the recurrent weights, of the output layer's.
        input_squares: ``[sample, step]``: mean square of a feature.
        features: of a step.
        normalization: none, or layer norm.
    """
    moments = table(function)
    into, recurrent, _ = variances
    steps = input_squares.shape[1]
    log_z, log_factor = np.empty((2, steps, len(input_squares)))
    with np.errstate(divide="ignore"):
        own = np.logaddexp(np.log(features * into.weight * input_squares), np.log(into.bias)).T
        log_eps = np.log(getattr(normalization, "eps", 0.0))
    log_weight, square = np.log(units * recurrent.weight), None
    for step in range(steps):
        q = own[step] if square is None else np.logaddexp(own[step], log_weight + square)
        log_z[step] = q
        gain = np.zeros_like(q)
        if normalization.placement == "before":
            q, gain = _normalized(q, log_eps)
        _, square, slope_square = moments(q)
        log_factor[step] = log_weight + slope_square + gain
    return _prediction(log_z, np.cumsum(log_factor[::-1], axis=0)[::-1])


def _prediction(log_z: Array, backward: Array) -> Prediction:
    """Return means over the samples ``[layer, sample]``; of the gradient as a share of the highest layer's."""
    with np.errstate(invalid="ignore"):
        shares = backward - backward[-1:]
    return Prediction(np.array([_log_mean(q) for q in log_z]), np.array([_log_mean(share) for share in shares]))


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
