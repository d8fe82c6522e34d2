import math
from itertools import pairwise

import numpy as np
import pytest

from pipeline.axes.initializers import INITIALIZERS, Critical
from pipeline.axes.normalization import NORMALIZATIONS
from pipeline.theory.edge import edge_of_chaos
from pipeline.theory.initializers import layer_variances
from pipeline.theory.maps import LayerMap
from pipeline.theory.predict import predict, trainable_depth
from tests.building import function

ONE = np.ones(1)


def predicted(activation: str, initializer: str, widths, normalization: str = "none", squares=ONE):
    phi = function(activation)
    variances = layer_variances(INITIALIZERS.parse(initializer), phi, [*pairwise(widths)], 1.0)
    return predict(phi, widths, variances, squares, NORMALIZATIONS.parse(normalization))


def test_a_network_of_constant_width_follows_its_map() -> None:
    layer = LayerMap(function("gelu"), 2.0)
    q, log_chi = 2.0, []
    found = predicted("gelu", "he_normal", [100] * 12)
    for layer_index in range(10):
        assert found.log_signal[layer_index] == pytest.approx(math.log(q), abs=1e-7)
        log_chi.append(math.log(layer.chi(q)))
        q = layer.variance(q)
    np.testing.assert_allclose(found.log_gradient, [sum(log_chi[lowest:-1]) for lowest in range(10)], atol=1e-6)


def test_glorot_keeps_forward_or_backward_variance_where_layers_are_not_square() -> None:
    """ReLU, 400-100-100-10: the weights' variance is 2 / (fan-in + fan-out)."""
    found = predicted("relu", "glorot_normal", [400, 100, 50, 10])
    assert np.exp(found.log_signal) == pytest.approx([400 * 2 / 500, 100 * 2 / 150 * 400 * 2 / 500 / 2])
    assert math.exp(found.log_gradient[0]) == pytest.approx(50 * 2 / 150 / 2)


def test_every_sample_takes_its_own_way() -> None:
    each = [predicted("tanh", "he_normal", [50] * 6, squares=np.array([s])) for s in (0.1, 4.0)]
    both = predicted("tanh", "he_normal", [50] * 6, squares=np.array([0.1, 4.0]))
    np.testing.assert_allclose(np.exp(both.log_signal), np.mean([np.exp(p.log_signal) for p in each], axis=0))
    np.testing.assert_allclose(np.exp(both.log_gradient), np.mean([np.exp(p.log_gradient) for p in each], axis=0))


@pytest.mark.parametrize("initializer", INITIALIZERS.names)
@pytest.mark.parametrize("normalization", ["before", "after"])
def test_batch_norm_makes_relus_gradient_explode_by_the_papers_factor(initializer: str, normalization: str) -> None:
    """Yang et al. 2019: π / (π - 1) a layer, whatever the initializer."""
    found = predicted("relu", initializer, [100] * 10, f"{normalization}(eps=1e-300)")
    np.testing.assert_allclose(-np.diff(found.log_gradient)[1:], math.log(math.pi / (math.pi - 1)), rtol=1e-6)


@pytest.mark.parametrize("activation", ["relu", "tanh", "selu", "gelu", "swish", "mish", "sigmoid"])
def test_critical_keeps_both_variances_at_any_depth(activation: str) -> None:
    found = predicted(activation, "critical", [100] * 202)
    q = edge_of_chaos(function(activation)).q
    np.testing.assert_allclose(found.log_signal, math.log(q), atol=1e-5)
    np.testing.assert_allclose(found.log_gradient, 0, atol=1e-3)
    assert trainable_depth(found) == 200


def test_critical_fits_its_first_layer_to_the_input() -> None:
    tanh = function("tanh")
    edge = edge_of_chaos(tanh)
    first, second, _ = layer_variances(Critical(), tanh, [(64, 50), (50, 50), (50, 10)], input_square=0.3)
    assert 64 * 0.3 * first.weight + first.bias == pytest.approx(edge.q)
    assert (50 * second.weight, second.bias) == pytest.approx((edge.weight_variance, edge.bias_variance))


def test_the_trainable_depth_is_where_a_variance_has_changed_by_e_to_the_6() -> None:
    found = predicted("relu", "lecun_normal", [100] * 52)
    assert trainable_depth(found) == math.floor(6 / math.log(2)) + 1
    assert trainable_depth(predicted("relu", "he_normal", [100] * 52)) == 50


def test_what_is_out_of_float64s_reach_is_still_a_number() -> None:
    found = predicted("relu", "standard_normal", [1000] * 302)
    assert np.isfinite(found.log_signal).all()
    assert np.isfinite(found.log_gradient).all()
