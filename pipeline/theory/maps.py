"""What one layer of constant width does to a signal, over and over: maps, fixed points, depth scales.

Poole et al. 2016, eqs. 3 and 5; Schoenholz et al. 2017, sections 3 and 4.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .bisection import bisect
from .functions import Function
from .gaussian import moments, product_moment

LOWEST_Q, HIGHEST_Q = 1e-8, 1e8
"""Where fixed points of the variance are looked for."""
STEPS = 400
NEUTRAL = 1e-9
"""Up to this distance from 1 a slope is 1: the fixed point neither attracts nor repels."""


class FixedPoint(NamedTuple):
    """Where a map comes back to."""

    value: float
    slope: float
    """The map's derivative there."""

    @property
    def stable(self) -> bool:
        """Whether the map leads to it from nearby."""
        return abs(self.slope) < 1 - NEUTRAL

    @property
    def depth_scale(self) -> float:
        """Layers in which a small distance from it shrinks (or grows) by a factor of e: 1 / abs(ln(abs(slope)))."""
        if self.slope == 0:
            return 0.0
        rate = abs(np.log(abs(self.slope)))
        return float(1 / rate) if rate > NEUTRAL else float("inf")


@dataclass(frozen=True)
class LayerMap:
    """A hidden layer of a deep network of constant width: weights N(0, σ_w²/width), biases N(0, σ_b²).

    Args:
        function: φ.
        weight_variance: σ_w².
        bias_variance: σ_b².
    """

    function: Function
    weight_variance: float
    bias_variance: float = 0.0

    def variance(self, q: float) -> float:
        """Return V(q) = σ_w² E[φ(√q z)²] + σ_b², the variance of the next layer's pre-activations."""
        return self.weight_variance * moments(self.function, q).square + self.bias_variance

    def variance_slope(self, q: float) -> float:
        """Return dV/dq."""
        return self.weight_variance * moments(self.function, q).growth / q

    def chi(self, q: float) -> float:
        """Return χ = σ_w² E[φ′(√q z)²], by which the gradient's variance grows from a layer to the one below.

        At a fixed point q* it is also the slope of the correlation map at 1.
        """
        return self.weight_variance * moments(self.function, q).slope_square

    def correlation(self, q: float, c: float) -> float:
        """Return the correlation that two inputs of correlation c and variance q each have in the next layer."""
        return (self.weight_variance * product_moment(self.function, q, c) + self.bias_variance) / self.variance(q)

    def variance_fixed_points(self) -> list[FixedPoint]:
        """Return every `q* = V(q*)` with `0 < q* < 1e8`, ascending; 0 itself where V(0) = 0.

        A scale-free function at its own gain, such as ReLU's σ_w² = 2, has them everywhere: one, 1.0 with slope 1,
        stands for all.
        """
        grid = np.geomspace(LOWEST_Q, HIGHEST_Q, STEPS)
        # ln V - ln q: relative, for q over 16 orders of magnitude
        excess = np.array([np.log(self.variance(q) / q) for q in grid])
        if (np.abs(excess) < NEUTRAL).all():
            return [FixedPoint(1.0, self.variance_slope(1.0))]
        points = []
        at_zero = np.zeros(1)
        if self.bias_variance == 0 and all(branch(at_zero)[0] == 0 for branch in self.function.branches):
            points.append(FixedPoint(0.0, self.variance_slope(1e-20)))
        for low, high in zip(
            grid[:-1][excess[:-1] * excess[1:] < 0], grid[1:][excess[:-1] * excess[1:] < 0], strict=True
        ):
            points.append(self._refined(np.log(low), np.log(high)))
        return points

    def _refined(self, low: float, high: float) -> FixedPoint:
        """Return the fixed point between two ln q."""
        rising = self.variance(np.exp(low)) > np.exp(low)
        ends = bisect(lambda log_q: (self.variance(np.exp(log_q)) > np.exp(log_q)) == rising, low, high, 1e-12)
        q = float(np.exp(sum(ends) / 2))
        return FixedPoint(q, self.variance_slope(q))

    def correlation_fixed_points(self, q: float) -> list[FixedPoint]:
        """Return every c* in [0, 1] that the correlation map of variance q comes back to, ascending.

        Where χ > 1 (the chaotic phase) 1 repels and there is a stable one below; a random activation (RReLU) has none
        at 1, since it draws twice.

        Args:
            q: the variance, a fixed point of its own map.
        """
        grid = 1 - np.concatenate([np.linspace(1, 0.1, 10), np.geomspace(0.05, 1e-6, 9)])
        excess = [self.correlation(q, c) - c for c in grid]
        points = []
        for low, high, at_low, at_high in zip(grid[:-1], grid[1:], excess[:-1], excess[1:], strict=True):
            if at_low * at_high < 0:
                points.append(self._refined_correlation(q, low, high, at_low > 0))
        if len(self.function.branches) == 1:
            points.append(FixedPoint(1.0, self.chi(q)))
        return points

    def _refined_correlation(self, q: float, low: float, high: float, rising: bool) -> FixedPoint:
        ends = bisect(lambda c: (self.correlation(q, c) > c) == rising, low, high, 1e-10)
        c = float(sum(ends) / 2)
        step = 1e-4 * (1 - c)
        return FixedPoint(c, (self.correlation(q, c + step) - self.correlation(q, c - step)) / (2 * step))
