"""How far one network of finite width may be from the theory of infinite width, to first order in 1/N.

A layer of N units takes the mean of φ² over N numbers where the theory takes the expectation, and hands on what it is
off by. Let y[l] be ln of the mean square of z on one sample, and g[l] the mean square of ∂loss/∂z: a Markov chain,

    y[l+1] = ln V(exp y[l]) + ε[l] + τ[l+1],    ln g[l] = ln g[l+1] + ln χ(exp y[l]) + η[l],

with V and χ of `pipeline.theory.maps`. τ is what the draw of a layer's weights adds, ε what the mean of φ² over its
units is off once that of z² is known, η the same of φ′² times the square of what comes down. Their variances are
moments over N, their means minus half of that. With ReLU and weights of He the variances of y and ln g grow by 5/N a
layer (Hanin & Nica 2020, "Products of many large random matrices and gradients in deep neural networks"); for any φ see
Yaida 2020, "Non-Gaussian processes and neural networks at finite widths", and Roberts, Yaida & Hanin 2022, "The
principles of deep learning theory", chapters 4 and 9. The chain is drawn many times rather than expanded around the
infinite network: where V bends within what a network is off by, an expansion over all layers fails long before that of
one layer does.

It is a chain for one sample alone. The mean over samples would need their correlations, which depend on the data.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..axes.initializers import Variances
from ..axes.special import Array
from .functions import DERIVATIVE, Function
from .gaussian import panels, table
from .predict import TRAINABLE

FARTHEST = 24.0
"""Of ln q: beyond it, in either direction, a function is taken for a power of its argument."""
STEP, COARSE = 0.05, 0.5
"""Of ln q, between which V and χ, and the moments of the noise, are interpolated."""
NETWORKS = 50_000
"""Drawn for a setting, times its layers."""
FEWEST, MOST = 500, 1_000
"""Networks drawn for a setting."""
PRECISION = 1e-6
"""Of the infinite network's logarithms: what does not vary, as a length under orthonormal weights, is known to this."""
ROUGH = 0.2
"""Variance of one layer's noise from which the first order in 1/N is not enough: its sd is 10 % off there."""


class Ratios(NamedTuple):
    """Moments of φ(√q z) and φ′(√q z), z ~ N(0, 1), free of scale; F = E[φ²], H = E[φ′²]."""

    slope: float
    """d ln F / d ln q."""
    bend: float
    """q² F″ / F."""
    fourth: float
    """E[φ⁴] / F²."""
    slope_slope: float
    """d ln H / d ln q."""
    slope_bend: float
    """q² H″ / H."""
    slope_fourth: float
    """E[φ′⁴] / H²."""
    both: float
    """E[φ² φ′²] / (F H)."""
    coherence: float
    """E[φ φ′ z]² / (F H): of what leans towards a layer's signal, the share that leans towards the one below."""


def ratios(function: Function, q: float) -> Ratios:
    """Return the ratios at one variance.

    Derivatives by q are moments, whether g is smooth or not: q d E[g] / dq = ½ E[g·(z² - 1)], and
    q² d² E[g] / dq² = ¼ E[g·(z⁴ - 6 z² + 3)].
    """
    sd = np.sqrt(q)
    z, weight, half = panels(function.pieces / sd)
    factors = (np.ones_like(z), (z**2 - 1) / 2, (z**4 - 6 * z**2 + 3) / 4)
    totals = np.zeros(9)
    for branch in function.branches:
        value = branch(sd * z)
        square, slope_square = value**2, (value @ DERIVATIVE.T / half) ** 2 / q
        integrands = [g * factor for g in (square, slope_square) for factor in (*factors, g)]
        totals += [(weight * integrand).sum() for integrand in (*integrands, square * slope_square)]
    f, f_1, f_2, f_4, h, h_1, h_2, h_4, both = totals / len(function.branches)
    slope = f_1 / f
    return Ratios(
        slope, f_2 / f, f_4 / f**2, h_1 / h, h_2 / h, h_4 / h**2, both / (f * h), slope**2 * f / (q * h)
    )  # fmt: skip


@lru_cache
def _tabulated(function: Function) -> Array:
    """Return ln F, ln H and the ratios over a grid of ln q: ``[node, 2 + ratio]``."""
    grid = np.arange(-FARTHEST, FARTHEST + STEP / 2, STEP)
    coarse = np.arange(-FARTHEST, FARTHEST + COARSE / 2, COARSE)
    with np.errstate(all="ignore"):
        found = np.array([ratios(function, q) for q in np.exp(coarse)])
    _, square, slope_square = table(function)(grid)
    columns = [np.interp(grid, coarse, column) for column in found.T]
    return np.stack([square, slope_square, *columns], 1)


def _read(function: Function, log_q: Array) -> tuple[Array, Array, Ratios]:
    """Return ln F, ln H and the ratios for each ln q ``[draw]``."""
    nodes = _tabulated(function)
    position = (log_q + FARTHEST) / STEP
    inside = np.clip(position, 0.0, len(nodes) - 1.0)
    low = np.minimum(inside.astype(np.int64), len(nodes) - 2)
    below, above = nodes[low], nodes[low + 1]
    values = below + (inside - low)[:, None] * (above - below)
    # Beyond the grid, on along its last piece
    values[:, :2] += (position - inside)[:, None] * (above - below)[:, :2]
    square, slope_square, *others = values.T
    return square, slope_square, Ratios(*others)


class Networks(NamedTuple):
    """Networks of a setting, drawn by the theory: what each shows on one sample."""

    signal: Array
    """``[layer, network]``: ln of the mean square of z."""
    gradient: Array
    """``[layer, network]``: ln of the mean square of ∂loss/∂z, as a share of the highest hidden layer's."""
    roughest: float
    """Largest variance of a layer's noise, of the median network."""

    def foretold(self, logs: Array) -> bool:
        """Say whether logarithms of these networks ``[layer, network]`` are foretold at all.

        They are not where a layer is too narrow for the first order, or where two standard deviations are more than
        what may change in a network that can be trained: an unstable map has enlarged what a layer is off by.
        """
        return self.roughest < ROUGH and bool(2 * logs.std(1).max() <= TRAINABLE)


def draw_networks(
    function: Function,
    widths: Sequence[int],
    variances: Sequence[Variances],
    input_square: float,
    orthogonal: bool = False,
    kept: float = 1.0,
) -> Networks:
    """Return what networks of these widths show on one sample; the same ones for the same number of layers.

    Orthonormal weights keep a length exactly where a layer is not narrower than the one that it takes: τ is nothing.
    A gradient comes down through the weights that the signal went up through, so that it leans towards the signal: with
    c the squared cosine between ∂loss/∂z and z without its biases, ``lean`` is N·c - 1, which would be 0 on average of
    independent ones, and of which the gradient gains ``leaning``. What it starts from is taken to know nothing of the
    signal.

    Args:
        function: φ of every hidden layer.
        widths: features, units of every hidden layer, classes.
        variances: of every layer's weights and biases, the output layer's last.
        input_square: the sample's mean square of a feature.
        orthogonal: whether weights are orthonormal; else their entries are independent.
        kept: share of units that dropout keeps.
    """
    layers = len(widths) - 2
    noise = _noise(layers)
    signal, log_chi, fresh_lean, leaning, pull = np.empty((5, layers, noise.shape[2]))
    roughest = 0.0
    square = np.full(noise.shape[2], np.log(input_square))
    handed_on: Array | float = 0.0  # ε of the layer below, and what the bend of V adds
    for layer in range(layers):
        below, units, above = widths[layer : layer + 3]
        weight, bias = variances[layer]
        through = np.log(below * weight) + square
        log_v = np.logaddexp(through, np.log(bias)) if bias else through
        share = np.exp(through - log_v)
        own = 2 / units * (max(0.0, 1 - units / below) if orthogonal else 1.0)
        y = log_v + share * handed_on + _logarithm(noise[layer, 0], own)
        signal[layer] = y
        square, slope_square, at = _read(function, y)
        fresh = max(0.0, 1 - units / above) if orthogonal else 1.0
        forward = np.maximum(at.fourth / kept - 1 - 2 * at.slope**2, 0) / units
        both = (at.both / kept - 1 - 2 * at.slope * at.slope_slope) / units
        backward = np.maximum(3 * (at.slope_fourth / kept - 1) - 2 * at.slope_slope**2 + 2 * fresh, 0) / units
        roughest = max(roughest, float(np.median(forward)), float(np.median(backward)))
        handed_on = _logarithm(noise[layer, 1], forward) - at.bend / units
        shared = np.clip(both / np.sqrt(np.maximum(forward * backward, 1e-30)), -1, 1)
        eta = _logarithm(shared * noise[layer, 1] + np.sqrt(1 - shared**2) * noise[layer, 2], backward)
        log_chi[layer] = np.log(above * variances[layer + 1].weight / kept) + slope_square + eta - at.slope_bend / units
        leaning[layer] = (at.both / kept - 1 + fresh) / units
        fresh_lean[layer], pull[layer] = 2 * share * at.slope_slope, share * at.coherence
        square = square - np.log(kept)
    gradient = np.zeros_like(signal)
    lean = fresh_lean[-1]
    for layer in reversed(range(layers - 1)):
        more = 1 + leaning[layer] * lean
        gradient[layer] = gradient[layer + 1] + log_chi[layer] + np.log(more)
        lean = (1 + fresh_lean[layer] + pull[layer] * lean) / more - 1
    return Networks(signal, gradient, roughest)


@lru_cache(maxsize=2)
def _noise(layers: int) -> Array:
    """Return standard normals ``[layer, kind, network]``, whose means and variances over the networks are 0 and 1."""
    networks = min(max(NETWORKS // layers, FEWEST), MOST)
    drawn = np.random.default_rng(0).standard_normal((layers, 3, networks))
    standard: Array = (drawn - drawn.mean(2, keepdims=True)) / drawn.std(2, keepdims=True)
    return standard


def _logarithm(noise: Array, variance: Array | float) -> Array:
    """Return ln of 1 and some noise of a variance, whose mean is 1."""
    logarithm: Array = np.sqrt(variance) * noise - variance / 2
    return logarithm


class Deviation(NamedTuple):
    """How far measured networks are from drawn ones."""

    z: Array
    """``[layer]``: of the mean over the networks, in standard deviations of such means."""
    p: float
    """Share of drawn means whose largest abs(z) of a layer is as large: the test's p-value over all layers at once."""


def deviation(drawn: Array, measured: Array) -> Deviation:
    """Return how far means of networks are from what the theory draws, simultaneously over the layers.

    Args:
        drawn: ``[layer, network]``.
        measured: ``[seed, layer]``.
    """
    mean, seeds = drawn.mean(1), len(measured)
    scale = np.maximum(drawn.std(1), PRECISION) / np.sqrt(seeds)
    z = (measured.mean(0) - mean) / scale
    rng = np.random.default_rng(1)
    groups = sum((drawn[:, rng.permutation(drawn.shape[1])] for _ in range(seeds - 1)), drawn) / seeds
    extremes = np.abs((groups - mean[:, None]) / scale[:, None]).max(0)
    # A measurement that is lost is as far away as can be.
    largest = np.inf if np.isnan(z).any() else np.abs(z).max()
    return Deviation(z, float((1 + np.sum(extremes >= largest)) / (1 + len(extremes))))
