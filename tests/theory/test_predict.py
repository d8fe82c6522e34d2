import math

import numpy as np
import pytest

from pipeline.params import INITIALIZERS
from pipeline.theory.edge import edge_of_chaos
from pipeline.theory.functions import activation_function
from pipeline.theory.initializers import scales
from pipeline.theory.maps import LayerMap
from pipeline.theory.predict import predict, trainable_depth

ONE = np.ones(1)


def predicted(params, activation: str, initializer, widths, batch_norm="none", squares=ONE, eps: float = 0.0):
    function = activation_function(activation, params.activations)
    return predict(function, widths, scales(initializer, function, widths, 1.0), squares, batch_norm, eps)


def test_a_network_of_constant_width_follows_its_map(params) -> None:
    function = activation_function("gelu", params.activations)
    layer = LayerMap(function, 2.0)
    q, log_chi = 2.0, []
    found = predicted(params, "gelu", "he_normal", [100] * 12)
    for layer_index in range(10):
        assert found.log_signal[layer_index] == pytest.approx(math.log(q), abs=1e-7)
        log_chi.append(math.log(layer.chi(q)))
        q = layer.variance(q)
    np.testing.assert_allclose(found.log_gradient, [sum(log_chi[lowest:-1]) for lowest in range(10)], atol=1e-6)


def test_glorot_keeps_forward_or_backward_variance_where_layers_are_not_square(params) -> None:
    """ReLU, 400-100-100-10: the weights' variance is 2 / (fan-in + fan-out)."""
    found = predicted(params, "relu", "glorot_normal", [400, 100, 50, 10])
    assert np.exp(found.log_signal) == pytest.approx([400 * 2 / 500, 100 * 2 / 150 * 400 * 2 / 500 / 2])
    assert math.exp(found.log_gradient[0]) == pytest.approx(50 * 2 / 150 / 2)


def test_every_sample_takes_its_own_way(params) -> None:
    each = [predicted(params, "tanh", "he_normal", [50] * 6, squares=np.array([s])) for s in (0.1, 4.0)]
    both = predicted(params, "tanh", "he_normal", [50] * 6, squares=np.array([0.1, 4.0]))
    np.testing.assert_allclose(np.exp(both.log_signal), np.mean([np.exp(p.log_signal) for p in each], axis=0))
    np.testing.assert_allclose(np.exp(both.log_gradient), np.mean([np.exp(p.log_gradient) for p in each], axis=0))


@pytest.mark.parametrize("initializer", INITIALIZERS)
@pytest.mark.parametrize("batch_norm", ["before", "after"])
def test_batch_norm_makes_relus_gradient_explode_by_the_papers_factor(initializer, batch_norm: str, params) -> None:
    """Yang et al. 2019: π / (π - 1) a layer, whatever the initializer."""
    found = predicted(params, "relu", initializer, [100] * 10, batch_norm)
    np.testing.assert_allclose(-np.diff(found.log_gradient)[1:], math.log(math.pi / (math.pi - 1)), rtol=1e-6)


@pytest.mark.parametrize("activation", ["relu", "tanh", "selu", "gelu", "swish", "mish", "sigmoid"])
def test_critical_keeps_both_variances_at_any_depth(activation: str, params) -> None:
    found = predicted(params, activation, "critical", [100] * 202)
    q = edge_of_chaos(activation_function(activation, params.activations)).q
    np.testing.assert_allclose(found.log_signal, math.log(q), atol=1e-5)
    np.testing.assert_allclose(found.log_gradient, 0, atol=1e-3)
    assert trainable_depth(found) == 200


def test_critical_fits_its_first_layer_to_the_input(params) -> None:
    function = activation_function("tanh", params.activations)
    edge = edge_of_chaos(function)
    first, second, _ = scales("critical", function, [64, 50, 50, 10], input_square=0.3)
    assert 64 * 0.3 * first.weight + first.bias == pytest.approx(edge.q)
    assert (50 * second.weight, second.bias) == pytest.approx((edge.weight_variance, edge.bias_variance))


def test_the_trainable_depth_is_where_a_variance_has_changed_by_e_to_the_6(params) -> None:
    found = predicted(params, "relu", "lecun_normal", [100] * 52)
    assert trainable_depth(found) == math.floor(6 / math.log(2)) + 1
    assert trainable_depth(predicted(params, "relu", "he_normal", [100] * 52)) == 50


def test_what_is_out_of_float64s_reach_is_still_a_number(params) -> None:
    found = predicted(params, "relu", "standard_normal", [1000] * 302)
    assert np.isfinite(found.log_signal).all()
    assert np.isfinite(found.log_gradient).all()
