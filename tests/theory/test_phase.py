"""The edge of chaos as a curve, against integrals by scipy and against published points."""

import numpy as np
import pytest
from scipy import integrate, optimize, stats

from pipeline.theory.functions import known_function
from pipeline.theory.phase import critical_weight_variance, log_chi, trainable_band


def mean(function) -> float:
    """Return E[function(z)] for a standard normal z."""
    return integrate.quad(lambda z: function(z) * stats.norm.pdf(z), -12, 12, epsabs=1e-12, limit=200)[0]


def chi_of_tanh(weight: float, bias: float) -> float:
    """Schoenholz et al. 2017, equations 3 and 7, with nothing of this project's."""

    def grown(q: float) -> float:
        return weight * mean(lambda z: np.tanh(np.sqrt(q) * z) ** 2) + bias - q

    q = optimize.brentq(grown, 1e-8, weight + bias + 1)
    return weight * mean(lambda z: np.cosh(np.sqrt(q) * z) ** -4.0)


@pytest.mark.parametrize(("weight", "bias"), [(1.5, 0.05), (1.76, 0.05), (3.0, 0.05), (1.2, 0.4), (4.0, 0.001)])
def test_chi_is_that_of_the_integrals(weight: float, bias: float) -> None:
    found = log_chi(known_function("tanh"), np.array([weight]), np.array([bias]))
    assert found[0] == pytest.approx(np.log(chi_of_tanh(weight, bias)), abs=1e-5)


@pytest.mark.parametrize("bias", [0.01, 0.05, 0.3])
def test_on_the_curve_chi_is_1(bias: float) -> None:
    weight = critical_weight_variance(known_function("tanh"), bias, 0.5, 8)
    assert weight is not None
    assert chi_of_tanh(weight, bias) == pytest.approx(1, abs=1e-4)


def test_the_curve_passes_through_the_published_points() -> None:
    """Schoenholz et al. 2017, figure 5: σ_b² = 0.05 is critical at σ_w² = 1.76 for tanh; ReLU at He's 2, any bias."""
    assert critical_weight_variance(known_function("tanh"), 0.05, 0.5, 8) == pytest.approx(1.76, abs=0.005)
    for bias in (0.0, 0.3):
        assert critical_weight_variance(known_function("relu"), bias, 0.5, 8) == pytest.approx(2, rel=1e-5)


def test_without_a_bias_tanhs_edge_is_at_1() -> None:
    """There q shrinks to 0 as 1/depth only, so that 500 layers are a little off."""
    assert critical_weight_variance(known_function("tanh"), 0.0, 0.5, 8) == pytest.approx(1, abs=0.015)


def test_the_edge_that_is_not_between_the_bounds_is_none() -> None:
    relu = known_function("relu")
    assert critical_weight_variance(relu, 0.0, 2.5, 8) is None
    assert critical_weight_variance(relu, 0.0, 0.5, 1.5) is None
    assert critical_weight_variance(relu, 0.0, 2.5, 8, np.log(3 / 2)) == pytest.approx(3, rel=1e-5)


def test_the_band_is_six_depth_scales() -> None:
    """ξ = 1/|ln χ|, Schoenholz et al. 2017, equation 9; trainable up to a depth of 6 ξ, their figure 5."""
    assert trainable_band(50) == pytest.approx(6 / 50)
