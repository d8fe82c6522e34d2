import numpy as np
import pytest
from scipy import integrate, stats

from pipeline.axes.activations import ACTIVATIONS
from pipeline.errors import FunctionError
from pipeline.theory.edge import STEEPEST, edge_at, edge_of_chaos
from pipeline.theory.functions import as_function
from pipeline.theory.gaussian import moments
from tests.building import function

EDGELESS = {"softplus"}


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS.names if name not in EDGELESS])
def test_the_edge_is_a_fixed_point_at_which_chi_is_1(name: str) -> None:
    edge = edge_of_chaos(function(name))
    m = moments(function(name), edge.q)
    assert edge.weight_variance * m.square + edge.bias_variance == pytest.approx(edge.q, rel=1e-8)
    assert edge.weight_variance * m.slope_square == pytest.approx(1, rel=1e-12)
    assert edge.bias_variance >= 0
    assert edge.slope <= STEEPEST + 1e-9 or name in {"relu", "leaky_relu", "rrelu", "prelu", "identity"}


@pytest.mark.parametrize(
    ("name", "weight_variance"),
    [("relu", 2), ("prelu", 2), ("leaky_relu", 2 / 1.09), ("rrelu", 2 / (1 + (1 / 64 + 1 / 24 + 1 / 9) / 3))],
)
def test_the_relu_familys_is_he_corrected_for_the_slope(name: str, weight_variance: float) -> None:
    edge = edge_of_chaos(function(name))
    assert edge.weight_variance == pytest.approx(weight_variance, rel=1e-10)
    assert (edge.bias_variance, edge.q) == (0, 1)


@pytest.mark.parametrize(("name", "slope"), [("gelu", 1.144), ("swish", 1.173), ("mish", 1.076)])
def test_keeping_the_variance_at_1_is_unstable_for_the_smooth_relus(name: str, slope: float) -> None:
    """The naive gain: V(1) = 1. Its slope is above 1, so that a variance that is off drifts away."""
    m = moments(function(name), 1.0)
    assert m.growth / m.square == pytest.approx(slope, abs=1e-3)


@pytest.mark.parametrize("name", ["gelu", "swish", "mish"])
def test_no_stable_point_of_the_edge_has_smaller_biases(name: str) -> None:
    smooth = function(name)
    edge = edge_of_chaos(smooth)
    for q in np.geomspace(1, 1e3, 150):
        other = edge_at(q, moments(smooth, q))
        if 0 <= other.bias_variance < edge.bias_variance * (1 - 1e-9):
            assert abs(other.slope) > STEEPEST


def test_tanhs_edge_by_scipys_quadrature() -> None:
    edge = edge_of_chaos(function("tanh"))
    assert edge.q == pytest.approx(1, rel=1e-12)
    slope_square = integrate.quad(lambda z: (1 - np.tanh(z) ** 2) ** 2 * stats.norm.pdf(z), -12, 12)[0]
    square = integrate.quad(lambda z: np.tanh(z) ** 2 * stats.norm.pdf(z), -12, 12)[0]
    assert edge.weight_variance == pytest.approx(1 / slope_square, rel=1e-8)
    assert edge.bias_variance == pytest.approx(1 - square / slope_square, rel=1e-8)


@pytest.mark.parametrize(
    ("scalar", "message"),
    [
        (np.zeros_like, "no initializer can help"),
        (np.square, "no stable edge"),
        (lambda x: np.logaddexp(0, x), "no st"),
    ],
)
def test_a_function_without_an_edge_is_refused(scalar, message: str) -> None:
    with pytest.raises(FunctionError, match=message):
        edge_of_chaos(as_function("mine", scalar))
