"""Gaussian integrals against closed forms and SciPy's quadrature."""

import numpy as np
import pytest
from scipy import integrate, special, stats

from pipeline.axes.activations import ACTIVATIONS, RReLU
from pipeline.theory.functions import as_function
from pipeline.theory.gaussian import moments, product_moment, table
from tests.building import function

Q = [1e-6, 0.01, 0.5, 1.0, 3.0, 40.0, 1e4, 1e8]


def relu_family(slope: float):
    """Return E[φ], E[φ²], E[φ′²] of max(z, slope·z)."""
    return lambda q: ((1 - slope) * np.sqrt(q / (2 * np.pi)), (1 + slope**2) * q / 2, (1 + slope**2) / 2)


def gelu(q: float) -> tuple[float, float, float]:
    s = q / (1 + q)
    square = q / 4 + q / (2 * np.pi) * (np.arcsin(s) + 2 * q / ((1 + q) * np.sqrt(1 + 2 * q)))
    slope = (
        0.25
        + np.arcsin(s) / (2 * np.pi)
        + 2 * s / (2 * np.pi * np.sqrt((1 + q) * (1 + s)))
        + q / (2 * np.pi * (1 + 2 * q) ** 1.5)
    )
    return q / np.sqrt(2 * np.pi * (1 + q)), square, slope


CLOSED = {
    "relu": relu_family(0.0),
    "leaky_relu": relu_family(0.3),
    "prelu": relu_family(0.0),
    "gelu": gelu,
}


@pytest.mark.parametrize("q", Q)
@pytest.mark.parametrize("name", CLOSED)
def test_moments_are_the_closed_forms(name: str, q: float) -> None:
    found = moments(function(name), q)
    assert found[:3] == pytest.approx(CLOSED[name](q), rel=1e-8, abs=0)


@pytest.mark.parametrize("q", Q)
def test_moments_of_identity_and_erf_are_the_closed_forms(q: float) -> None:
    assert moments(as_function("identity", lambda x: x), q) == pytest.approx((0, q, 1, q), rel=1e-10, abs=1e-10)
    erf = moments(as_function("erf", special.erf), q)
    assert erf.square == pytest.approx(2 / np.pi * np.arcsin(2 * q / (1 + 2 * q)), rel=1e-8)
    assert erf.slope_square == pytest.approx(4 / np.pi / np.sqrt(1 + 4 * q), rel=1e-8)


@pytest.mark.parametrize("name", ACTIVATIONS.names)
@pytest.mark.parametrize("q", [0.01, 1.0, 50.0])
def test_moments_are_those_of_adaptive_quadrature(name: str, q: float) -> None:
    exact = function(name)
    found = moments(exact, q)
    for power, value in ((1, found.mean), (2, found.square)):

        def integrand(z: float, power: int = power) -> float:
            at = np.array([np.sqrt(q) * z])
            return float(np.mean([b(at)[0] ** power for b in exact.branches]) * stats.norm.pdf(z))

        expected = sum(
            integrate.quad(integrand, *ends, epsabs=1e-13, epsrel=1e-12, limit=200)[0]
            for ends in ((-12, -1), (-1, 0), (0, 1), (1, 12))
        )
        assert value == pytest.approx(expected, rel=1e-8, abs=1e-10)


@pytest.mark.parametrize("name", ACTIVATIONS.names)
def test_growth_is_the_derivative_of_the_mean_square(name: str) -> None:
    exact = function(name)
    step = 1e-5
    up, down = moments(exact, 2 * (1 + step)).square, moments(exact, 2 * (1 - step)).square
    assert moments(exact, 2.0).growth == pytest.approx((up - down) / (2 * step), rel=1e-8)


def test_rrelu_is_taken_in_expectation_over_its_slope() -> None:
    found = moments(function("rrelu"), 2.0)
    low, high = RReLU().lower, RReLU().upper
    slope_square = (low**2 + low * high + high**2) / 3
    assert found.square == pytest.approx(1 + slope_square, rel=1e-12)
    assert found.slope_square == pytest.approx((1 + slope_square) / 2, rel=1e-12)


def test_gauss_hermite_would_be_wrong_by_percents() -> None:
    """Why the integrals are cut at the kinks: the ordinary rule has a node at 0."""
    z, weight = np.polynomial.hermite_e.hermegauss(41)
    slope_square = (weight * (z > 0)).sum() / weight.sum()
    assert abs(slope_square - 0.5) > 0.01
    assert moments(function("relu"), 1.0).slope_square == pytest.approx(0.5, abs=1e-12)


@pytest.mark.parametrize("c", [-1.0, -0.7, 0.0, 0.3, 0.9, 0.999, 1.0])
def test_products_are_the_closed_forms(c: float) -> None:
    q = 1.7
    relu = product_moment(function("relu"), q, c)
    angle = np.arccos(c)
    assert relu == pytest.approx(q / (2 * np.pi) * (np.sin(angle) + (np.pi - angle) * c), abs=1e-8)  # Cho & Saul 2009
    erf = product_moment(as_function("erf", special.erf), q, c)
    assert erf == pytest.approx(2 / np.pi * np.arcsin(2 * q * c / (1 + 2 * q)), abs=1e-8)  # Williams 1997
    assert product_moment(as_function("identity", lambda x: x), q, c) == pytest.approx(q * c, abs=1e-8)


@pytest.mark.parametrize("name", ACTIVATIONS.names)
def test_the_table_reads_what_the_integrals_give(name: str) -> None:
    tabled = function(name)
    q = np.array([1e-20, 1e-12, 1e-3, 0.37, 1.0, 12.0, 1e3, 1e12, 1e25])
    mean, log_square, log_slope_square = table(tabled)(np.log(q))
    square, slope_square = np.exp(log_square), np.exp(log_slope_square)
    exact = [moments(tabled, value) for value in q]
    np.testing.assert_allclose(square, [m.square for m in exact], rtol=1e-4)
    np.testing.assert_allclose(slope_square, [m.slope_square for m in exact], rtol=1e-4)
    np.testing.assert_allclose(mean, [m.mean / np.sqrt(m.square) for m in exact], atol=1e-4)
    inside = slice(2, 7)
    np.testing.assert_allclose(square[inside], [m.square for m in exact[inside]], rtol=1e-7)
