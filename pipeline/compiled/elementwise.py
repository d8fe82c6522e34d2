"""Activations of one network and their gradients, rounded as those of `pipeline.networks.elementwise` are.

Arrays are flat, in single precision, sample after sample. ``z`` is what the activation takes, ``a`` what it gives,
``kept`` what its gradient needs beside these; ``grad`` of ``a`` becomes ``out``, the gradient of ``z``.
"""

from typing import Any

import numpy as np

from ..networks.elementwise import ERF
from .native import copy, exp, fma, inner, log, tanh

ZERO, HALF, ONE, TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
THREE, SIX = np.float32(3), np.float32(6)
MISH_LINEAR = np.float32(20)
SMALLEST = np.float32(2.0**-25)
ERF_P, ERF_1, ERF_2, ERF_3, ERF_4, ERF_5 = (np.float32(c) for c in ERF)
ROOT_HALF, DENSITY = np.float32(0.5**0.5), np.float32((2 * np.pi) ** -0.5)


@inner
def at_most(z: Any, top: Any) -> Any:
    """Return min(z, top); NaN stays."""
    return top if z > top else z


@inner
def at_least(z: Any, bottom: Any) -> Any:
    """Return max(z, bottom); NaN stays."""
    return bottom if z < bottom else z


@inner
def positive(z: Any) -> Any:
    """Return 1 where z > 0, else 0."""
    return ONE if z > ZERO else ZERO


@inner
def _sigmoid_of_minus(x: Any) -> None:
    """Replace x by sigmoid(-x)."""
    exp(x)
    for i in range(x.size):
        x[i] = ONE / (x[i] + ONE)


@inner
def sigmoid(z: Any, a: Any) -> None:
    """1 / (1 + exp(-z))."""
    for i in range(z.size):
        a[i] = -z[i]
    _sigmoid_of_minus(a)


@inner
def sigmoid_gradient(a: Any, grad: Any, out: Any) -> None:
    """σ · (1 - σ)."""
    for i in range(a.size):
        out[i] = grad[i] * ((ONE - a[i]) * a[i])


@inner
def tanh_of(z: Any, a: Any) -> None:
    """Tanh z."""
    copy(z, a)
    tanh(a)


@inner
def tanh_gradient(a: Any, grad: Any, out: Any) -> None:
    """1 - tanh²."""
    for i in range(a.size):
        out[i] = (ONE - a[i] * a[i]) * grad[i]


@inner
def relu(z: Any, a: Any) -> None:
    """max(z, 0)."""
    for i in range(z.size):
        a[i] = at_least(z[i], ZERO)


@inner
def relu_gradient(a: Any, grad: Any, out: Any) -> None:
    """1 where the output is above 0, else 0."""
    for i in range(a.size):
        out[i] = ZERO if a[i] <= ZERO else grad[i]


@inner
def leaky_relu(z: Any, a: Any, slope: Any) -> None:
    """Z where it is above 0, else slope · z."""
    for i in range(z.size):
        a[i] = z[i] if z[i] > ZERO else z[i] * slope


@inner
def leaky_relu_gradient(z: Any, grad: Any, out: Any, slope: Any) -> None:
    """1 where z > 0, else the slope."""
    for i in range(z.size):
        out[i] = grad[i] if z[i] > ZERO else grad[i] * slope


@inner
def sloped_relu(z: Any, a: Any, slope: Any) -> None:
    """max(z, 0) + slope · min(z, 0), the slope as long as z, or the units' own."""
    for start in range(0, z.size, slope.size):
        for i in range(slope.size):
            at = start + i
            a[at] = fma(at_most(z[at], ZERO), slope[i], at_least(z[at], ZERO))


@inner
def sloped_relu_gradient(z: Any, grad: Any, out: Any, slope: Any) -> None:
    """1 where z > 0, else the slope."""
    for start in range(0, z.size, slope.size):
        for i in range(slope.size):
            at = start + i
            out[at] = grad[at] * fma(positive(z[at]), ONE - slope[i], slope[i])


@inner
def elu(z: Any, a: Any, alpha: Any, scale: Any) -> None:
    """Scale · (z if z > 0 else alpha · (exp z - 1)), the last by way of tanh(z / 2)."""
    for i in range(z.size):
        a[i] = at_most(z[i], ZERO) * HALF
    tanh(a)
    for i in range(z.size):
        a[i] = (a[i] / (ONE - a[i]) * (TWO * alpha) + at_least(z[i], ZERO)) * scale


@inner
def elu_gradient(a: Any, grad: Any, out: Any, at_zero: Any, jump: Any) -> None:
    """Scale where the output is above 0, else output + scale · alpha."""
    for i in range(a.size):
        out[i] = grad[i] * (fma(positive(a[i]), jump, at_most(a[i], ZERO)) + at_zero)


@inner
def swish(z: Any, a: Any, kept: Any, beta: Any) -> None:
    """Z · sigmoid(beta · z); the sigmoid is kept."""
    for i in range(z.size):
        kept[i] = -(beta * z[i])
    _sigmoid_of_minus(kept)
    for i in range(z.size):
        a[i] = z[i] * kept[i]


@inner
def swish_gradient(z: Any, kept: Any, grad: Any, out: Any, beta: Any) -> None:
    """σ · (1 + beta · z · (1 - σ))."""
    for i in range(z.size):
        out[i] = grad[i] * (((ONE - kept[i]) * z[i] * beta + ONE) * kept[i])


@inner
def mish(z: Any, a: Any, kept: Any) -> None:
    """Z · tanh(ln(1 + e)) with e = exp z, which is kept."""
    for i in range(z.size):
        kept[i] = at_most(z[i], MISH_LINEAR)
    exp(kept)
    for i in range(z.size):
        w = kept[i] * (kept[i] + TWO)
        a[i] = z[i] * (w / (w + TWO))


@inner
def mish_gradient(z: Any, kept: Any, grad: Any, out: Any) -> None:
    """Tanh + 4 · z · e · (e + 1) / (w + 2)²."""
    for i in range(z.size):
        e = kept[i]
        w = e * (e + TWO)
        inverse = ONE / (w + TWO)
        slope = (e + ONE) * e * inverse * inverse * at_most(z[i], MISH_LINEAR) * (TWO + TWO) + w / (w + TWO)
        out[i] = grad[i] * slope


@inner
def softplus(z: Any, a: Any, kept: Any) -> None:
    """max(z, 0) + ln(1 + exp(-|z|))."""
    for i in range(z.size):
        kept[i] = -abs(z[i])
    exp(kept)
    for i in range(z.size):
        a[i] = kept[i] + ONE
    log(a)
    for i in range(z.size):
        e = kept[i]
        above = (e + ONE) - ONE
        logarithm = a[i] * (e / at_least(above, SMALLEST)) + e * (ONE - positive(above))
        a[i] = at_least(z[i], ZERO) + logarithm


@inner
def softplus_gradient(z: Any, kept: Any, grad: Any, out: Any) -> None:
    """1 / (1 + exp(-z))."""
    sigmoid(z, kept)
    for i in range(z.size):
        out[i] = grad[i] * kept[i]


@inner
def hard_sigmoid(z: Any, a: Any) -> None:
    """min(max(z + 3, 0), 6) / 6."""
    for i in range(z.size):
        a[i] = at_most(at_least(z[i] + THREE, ZERO), SIX) / SIX


@inner
def hard_sigmoid_gradient(z: Any, grad: Any, out: Any) -> None:
    """1 / 6 where z + 3 is within 0 and 6, else 0."""
    for i in range(z.size):
        shifted = z[i] + THREE
        out[i] = grad[i] / SIX if ZERO <= shifted <= SIX else ZERO


@inner
def _normal_cdf(z: Any, e: Any) -> Any:
    """Return Φ(z), where e = exp(-z² / 2); Abramowitz & Stegun 1964, 7.1.26."""
    t = ONE / (abs(z) * ROOT_HALF * ERF_P + ONE)
    tail = ((((t * ERF_5 + ERF_4) * t + ERF_3) * t + ERF_2) * t + ERF_1) * t * e * HALF
    return (ONE - tail * TWO) * positive(z) + tail


@inner
def gelu(z: Any, a: Any, kept: Any) -> None:
    """Z · Φ(z); exp(-z² / 2) is kept."""
    for i in range(z.size):
        x = abs(z[i]) * ROOT_HALF
        kept[i] = -(x * x)
    exp(kept)
    for i in range(z.size):
        a[i] = z[i] * _normal_cdf(z[i], kept[i])


@inner
def gelu_gradient(z: Any, kept: Any, grad: Any, out: Any) -> None:
    """Φ(z) + z · φ(z), the normal density."""
    for i in range(z.size):
        out[i] = grad[i] * (z[i] * kept[i] * DENSITY + _normal_cdf(z[i], kept[i]))
