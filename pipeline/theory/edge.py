"""The edge of chaos: where a deep network neither forgets its input nor tears it apart.

On the edge χ = σ_w² E[φ′(√q* z)²] = 1, at a fixed point q* = σ_w² E[φ(√q* z)²] + σ_b². Each q* has its own σ_w and σ_b,
so the edge is a curve with q* as its parameter, and of its points the one with the least σ_b is taken at which q* is
stable: biases, which all samples share, make them more alike.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..errors import FunctionError
from .bisection import bisect
from .functions import Function
from .gaussian import Moments, is_constant, moments

STEEPEST = 0.99
"""Largest slope of ln V against ln q at q*. From 1 on a variance that is off, as any finite layer's is, drifts away."""
SMALLEST_Q, LARGEST_Q = 1.0, 1e3
"""Where q* is looked for: from the variance of standardised inputs on. Below it, a function that is smooth at 0 has
stable points with ever less σ_b, where it is ever more a linear one."""
STEPS = 240


class Edge(NamedTuple):
    """A point on the edge of chaos."""

    weight_variance: float
    """σ_w²: fan-in times the variance of a weight."""
    bias_variance: float
    """σ_b²."""
    q: float
    """q*, the variance of every layer's pre-activations."""
    slope: float
    """d ln V / d ln q at q*; 1 for a scale-free function, where every q is as good, and below for a stable one."""


def edge_at(q: float, m: Moments) -> Edge:
    """Return the edge's point whose fixed point is q, of moments m; its σ_b² may be negative: then there is none."""
    weight = 1 / m.slope_square
    return Edge(weight, q - weight * m.square, q, weight * m.growth / q)


@lru_cache
def edge_of_chaos(function: Function) -> Edge:
    """Return the edge's stable point of least σ_b; of a scale-free function, the point with q* = 1.

    Raises:
        FunctionError: no q* between 1 and 1e3 is stable, or the function has no slope.
    """

    def at(log_q: float) -> Edge:
        q = float(np.exp(log_q))
        return edge_at(q, moments(function, q))

    if is_constant(function):
        raise FunctionError(f"{function.name}: is constant, so that no gradient passes; no initializer can help")
    grid = np.linspace(np.log(SMALLEST_Q), np.log(LARGEST_Q), STEPS)
    edges = [at(log_q) for log_q in grid]
    negligible = function.precision.negligible
    # Where no point of the edge has biases, and each a slope of 1, V(q) = q: any q is a fixed point.
    if not any(_needs_biases(edge, negligible) or abs(edge.slope - 1) > negligible for edge in edges):
        return at(0.0)._replace(bias_variance=0.0)
    allowed = [i for i, e in enumerate(edges) if _margin(e) >= 0]
    if not allowed:
        raise FunctionError(
            f"{function.name}: has no stable edge of chaos with q* from {SMALLEST_Q:g} to {LARGEST_Q:g}; "
            "no weights and biases keep its signals' variance and its gradients at once"
        )
    best = min(allowed, key=lambda i: edges[i].bias_variance)
    for beside in (best - 1, best + 1):  # the bound lies between the last point of the grid that it allows and the next
        if 0 <= beside < STEPS and beside not in allowed:
            inside, _ = bisect(lambda log_q: _margin(at(log_q)) >= 0, grid[best], grid[beside], 1e-12)
            found = at(inside)
            return found._replace(bias_variance=found.bias_variance if _needs_biases(found, negligible) else 0.0)
    return edges[best]


def _needs_biases(edge: Edge, negligible: float) -> bool:
    return abs(edge.bias_variance) > negligible * edge.q


def _margin(edge: Edge) -> float:
    """Return a number that is not negative where a point of the edge exists and is stable."""
    return min(STEEPEST - abs(edge.slope), edge.bias_variance / edge.q)
