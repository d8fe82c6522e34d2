"""In which phase a deep network is: ordered, chaotic, or on the edge between them.

Poole et al. 2016; Schoenholz et al. 2017, section 4: below the edge (χ < 1) all inputs come to look alike and gradients
vanish, above it (χ > 1) like inputs come to look unlike and gradients explode; near it, what can be trained is about
six depth scales deep.
"""

import numpy as np

from ..axes.special import Array
from .bisection import bisect
from .functions import Function
from .gaussian import table
from .predict import TRAINABLE

LAYERS = 500
"""After which a signal's variance counts as that of a layer infinitely deep."""


def log_chi(function: Function, weight_variance: Array, bias_variance: Array, depth: int = LAYERS) -> Array:
    """Return ln χ = ln(σ_w² E[φ′(√q z)²]), by which the gradient's variance grows from a layer to the one below.

    Args:
        function: φ.
        weight_variance: σ_w², above 0.
        bias_variance: σ_b².
        depth: at which layer; the input's mean square is 1.
    """
    moments = table(function)
    log_weight = np.log(np.asarray(weight_variance, dtype=np.float64)).ravel()
    with np.errstate(divide="ignore"):
        log_bias = np.log(np.asarray(bias_variance, dtype=np.float64)).ravel()
        log_q = np.logaddexp(log_weight, log_bias)
        for _ in range(depth):
            log_q = np.logaddexp(log_weight + moments(log_q)[1], log_bias)
    found: Array = (log_weight + moments(log_q)[2]).reshape(np.shape(weight_variance))
    return found


def critical_weight_variance(
    function: Function, bias_variance: float, lowest: float, highest: float, log_target: float = 0.0
) -> float | None:
    """Return the σ_w² at which ln χ comes to a target; ``None`` where it does so nowhere between two bounds.

    Args:
        function: φ.
        bias_variance: σ_b².
        lowest: σ_w² from which on it is looked for.
        highest: up to which.
        log_target: ln χ; 0 on the edge of chaos.
    """

    def below(log_weight: float) -> bool:
        return bool(log_chi(function, np.exp([log_weight]), np.array([bias_variance]))[0] < log_target)

    low, high = np.log(lowest), np.log(highest)
    if not below(low) or below(high):
        return None
    inside, outside = bisect(below, low, high, 1e-6)
    return float(np.exp((inside + outside) / 2))


def trainable_band(depth: int) -> float:
    """Return the ln χ, on either side of the edge, up to which so deep a network is six depth scales deep at most."""
    return TRAINABLE / depth
