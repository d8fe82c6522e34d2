import math

import numpy as np
import pytest
from scipy import special

from pipeline.theory.functions import as_function
from pipeline.theory.maps import LayerMap
from tests.building import function


@pytest.fixture
def relu():
    return function("relu")


def test_at_hes_gain_every_variance_of_relu_is_a_fixed_point(relu) -> None:
    (point,) = LayerMap(relu, 2.0).variance_fixed_points()
    assert point.slope == pytest.approx(1)
    assert not point.stable
    assert point.depth_scale == math.inf


def test_at_lecuns_gain_relus_variance_halves(relu) -> None:
    (point,) = LayerMap(relu, 1.0).variance_fixed_points()
    assert (point.value, point.slope) == (0, pytest.approx(0.5))
    assert point.stable
    assert point.depth_scale == pytest.approx(1 / math.log(2))


def test_selus_fixed_point_is_that_of_the_paper() -> None:
    """Klambauer et al. 2017, theorem 1: LeCun's gain keeps mean 0 and variance 1."""
    layer = LayerMap(function("selu"), 1.0)
    unstable, stable = layer.variance_fixed_points()
    assert (unstable.value, unstable.stable) == (0, False)
    assert stable.value == pytest.approx(1, abs=1e-9)
    assert stable.stable


def test_a_deep_erf_networks_fixed_point_solves_its_closed_form() -> None:
    layer = LayerMap(as_function("erf", special.erf), 2.0, 0.1)
    (point,) = layer.variance_fixed_points()
    q = point.value
    assert 2 * (2 / math.pi) * math.asin(2 * q / (1 + 2 * q)) + 0.1 == pytest.approx(q, rel=1e-9)
    assert layer.variance_slope(q) == pytest.approx(2 * (4 / math.pi) / ((1 + 2 * q) * math.sqrt(1 + 4 * q)), rel=1e-8)


def test_chi_is_the_slope_of_the_correlation_map_at_1() -> None:
    layer = LayerMap(function("tanh"), 1.5, 0.2)
    (point,) = layer.variance_fixed_points()
    q, step = point.value, 1e-5
    slope = (layer.correlation(q, 1.0) - layer.correlation(q, 1 - step)) / step
    assert layer.correlation(q, 1.0) == pytest.approx(1, rel=1e-9)
    assert slope == pytest.approx(layer.chi(q), rel=1e-3)


@pytest.mark.parametrize(("weight_variance", "chaotic"), [(1.1, False), (3.0, True)])
def test_inputs_come_together_in_the_ordered_phase_and_apart_in_the_chaotic_one(
    weight_variance: float, chaotic: bool
) -> None:
    layer = LayerMap(function("tanh"), weight_variance, 0.05)
    (point,) = layer.variance_fixed_points()
    points = layer.correlation_fixed_points(point.value)
    assert points[-1].value == 1
    assert points[-1].stable != chaotic
    assert len(points) == 1 + chaotic
    c = 0.5
    for _ in range(200):
        c = layer.correlation(point.value, c)
    assert c == pytest.approx(points[0].value, abs=1e-4)
    assert points[0].stable


def test_a_random_activation_tears_equal_inputs_apart() -> None:
    layer = LayerMap(function("rrelu"), 1.9)
    assert layer.correlation(1.0, 1.0) < 1


def test_the_depth_scale_is_how_fast_a_distance_shrinks() -> None:
    layer = LayerMap(function("tanh"), 2.0, 0.1)
    (point,) = layer.variance_fixed_points()
    q = point.value * 1.001
    for _ in range(5):
        q = layer.variance(q)
    expected = 0.001 * point.value * np.exp(-5 / point.depth_scale)
    assert q - point.value == pytest.approx(expected, rel=1e-2)
