"""Gaussian integrals of activation functions: E[φ(√q z)²] and its kin, for z ~ N(0, 1).

The line is cut where the function is not smooth (at a kink, an ordinary Gauss-Hermite rule is wrong by percents) and at
every unit of z, and Gauss-Legendre is taken in each piece; slopes are those of the polynomial through a piece's nodes.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..axes.special import Array
from .functions import ABSCISSAE, DERIVATIVE, LARGEST, WEIGHTS, Function

WIDEST = 13.0
"""Standard deviations after which the normal's tail is left out: 1e-37 of it."""
UNITS = np.arange(-WIDEST, WIDEST + 1)
LOG_Q = 40.0
"""Tables reach from q = exp(-40) to exp(40); beyond, they go on as the power law of their end."""
DEGREE = 400
BETWEEN: Array = np.linspace(-0.9 * LOG_Q, 0.9 * LOG_Q, 25)
"""Where a table is compared with the integrals."""
FARTHEST = 400.0
"""Of ln q, for an integral."""
NOTHING = -1e9
"""ln 0: what is computed with it stays a number."""


class Moments(NamedTuple):
    """Of φ(√q z), z ~ N(0, 1)."""

    mean: float
    """E[φ]."""
    square: float
    """E[φ²]."""
    slope_square: float
    """E[φ′²]."""
    growth: float
    """q · d E[φ²] / dq = E[φ φ′ √q z]."""


class Panels(NamedTuple):
    """Quadrature over N(0, 1), exact for a function that is smooth on each of its pieces."""

    z: Array
    """``[piece, node]``."""
    weight: Array
    """``[piece, node]``, the normal density included."""
    half: Array
    """``[piece, 1]``: half of each piece's width."""


def panels(cuts: Array) -> Panels:
    """Return the quadrature whose pieces end at the cuts and at every unit of z."""
    inside = cuts[np.abs(cuts) < WIDEST]
    edges = np.unique(np.concatenate([UNITS, inside]))
    half = np.diff(edges)[:, None] / 2
    z = edges[:-1, None] + half * (1 + ABSCISSAE)
    return Panels(z, half * WEIGHTS * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi), half)


def moments(function: Function, q: float) -> Moments:
    """Return the moments of one layer's signal.

    Args:
        function: φ.
        q: variance of the pre-activation, above 0.
    """
    sd = np.sqrt(q)
    z, weight, half = panels(function.pieces / sd)
    totals = np.zeros(4)
    for branch in function.branches:
        value = branch(sd * z)
        slope = value @ DERIVATIVE.T / half  # dφ/dz
        integrands = (value, value * value, slope * slope / q, value * slope * z)
        totals += [(weight * integrand).sum() for integrand in integrands]
    found = Moments(*(totals / len(function.branches)).tolist())
    smallest = function.precision.smallest_q
    if q >= smallest or found.mean**2 < 0.9 * found.square:
        return found
    return found._replace(slope_square=moments(function, smallest).slope_square)  # φ(0) hides it


def is_constant(function: Function) -> bool:
    """Say whether no signal passes: the slope is rounding alone, or all values are next to nothing."""
    m = moments(function, 1.0)
    return m.slope_square <= 1e-20 * m.square or m.square < LARGEST**-2


def product_moment(function: Function, q: float, correlation: float) -> float:
    """Return E[φ(√q u) φ(√q v)] for standard normals u and v of some correlation.

    In polar coordinates, u = r cos θ and v = r cos(θ - arccos c): along a ray, and between the rays on which u or v
    is 0, the integrand is smooth where φ has its kink at 0, as most of the registry do; another kink costs 1e-5.

    Args:
        function: φ; a random activation draws twice.
        q: variance of both.
        correlation: c, from -1 to 1.
    """
    angle = np.arccos(np.clip(correlation, -1.0, 1.0))
    zeros = np.array([-np.pi / 2, np.pi / 2, angle - np.pi / 2, angle + np.pi / 2])
    # Toward these rays a steep function changes ever faster: ever smaller pieces.
    graded = np.concatenate([zeros, *(zeros + sign * np.pi / 4**k for k in range(1, 8) for sign in (-0.5, 0.5))])
    edges = np.unique(np.concatenate([np.mod(graded, 2 * np.pi), [0.0, 2 * np.pi]]))
    half = np.diff(edges)[:, None] / 2
    theta = (edges[:-1, None] + half * (1 + ABSCISSAE)).ravel()
    arc = (half * WEIGHTS).ravel() / (2 * np.pi)
    grades = np.concatenate([[0.0], 4.0 ** np.arange(-6, 0), UNITS[UNITS >= 1]])
    half = np.diff(grades)[:, None] / 2
    r = (grades[:-1, None] + half * (1 + ABSCISSAE)).ravel()
    radial = (half * WEIGHTS).ravel() * r * np.exp(-(r**2) / 2)
    sd = np.sqrt(q)
    values = function.mean(sd * np.cos(theta)[:, None] * r) * function.mean(sd * np.cos(theta - angle)[:, None] * r)
    return float(arc @ values @ radial)


class MomentTable:
    """A function's moments for many q at once: Chebyshev interpolants in ln q, to about 1e-7.

    A function that is 0 around 0 lets small signals die at once, which no polynomial in ln q follows: its moments are
    integrated anew for each q.

    Args:
        function: φ.
    """

    def __init__(self, function: Function) -> None:
        self.function = function
        self.known: dict[float, tuple[float, float, float]] = {}
        angles = np.pi * (np.arange(DEGREE + 1) + 0.5) / (DEGREE + 1)
        values = self._integrated(LOG_Q * np.cos(angles))
        self.degrees = np.arange(DEGREE + 1)
        # Chebyshev's polynomials are cosines, orthogonal over these nodes.
        weights = np.where(self.degrees == 0, 1.0, 2.0) / (DEGREE + 1)
        self.coefficients = weights[:, None] * (np.cos(np.outer(self.degrees, angles)) @ values)
        at_ends = self._interpolate(np.array([-1.0, -0.95, 0.95, 1.0]))
        slopes = (at_ends[1::2] - at_ends[::2]) / (0.05 * LOG_Q)
        self.slopes = slopes * [0.0, 1.0, 1.0]  # E[φ] / sqrt(E[φ²]) has come to its limit
        off = np.abs(self._interpolate(BETWEEN / LOG_Q) - self._integrated(BETWEEN)).max()
        self.interpolates = bool(off < 1e-3)

    def _interpolate(self, x: Array) -> Array:
        values: Array = np.cos(np.arccos(x)[:, None] * self.degrees) @ self.coefficients
        return values

    def _integrated(self, log_q: Array) -> Array:
        """Return the three logarithms and ratios for each ln q, integrated: ``[sample, moment]``."""
        for value in log_q.tolist():
            if value not in self.known:
                with np.errstate(all="ignore"):  # a steep function's squares are beyond float64
                    m = moments(self.function, math.exp(value))
                ratio = m.mean / math.sqrt(m.square) if 0 < m.square < math.inf else 0.0
                self.known[value] = ratio, _log(m.square), _log(m.slope_square)
        return np.array([self.known[value] for value in log_q.tolist()])

    def __call__(self, log_q: Array) -> tuple[Array, Array, Array]:
        """Return E[φ] / √E[φ²], ln E[φ²] and ln E[φ′²] for each ln q ``[sample]``, as far as ln q goes.

        The logarithm of 0 is `NOTHING`, and that of what is beyond float64 its opposite.
        """
        log_q = np.clip(log_q, NOTHING, -NOTHING)
        if self.interpolates:
            inside = np.clip(log_q, -LOG_Q, LOG_Q)
            beyond = (log_q - inside)[:, None]
            read = self._interpolate(inside / LOG_Q) + beyond * np.where(beyond < 0, *self.slopes)
        else:
            read = self._integrated(np.clip(log_q, -FARTHEST, FARTHEST))
        return read[:, 0], read[:, 1], read[:, 2]


def _log(value: float) -> float:
    if value == 0:
        return NOTHING
    return math.log(value) if math.isfinite(value) else -NOTHING


table = lru_cache(MomentTable)
"""A function's table, made once."""
