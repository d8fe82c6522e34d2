import math

import pytest
import torch
from scipy import stats

from pipeline.networks import StackedMLP
from pipeline.networks.initializers import TRUNCATED_SD, draw, unit_draws
from pipeline.params import INITIALIZERS as NAMES
from pipeline.theory.edge import edge_of_chaos
from pipeline.theory.functions import activation_function
from pipeline.theory.initializers import INITIALIZERS, scales

FAN_IN, FAN_OUT = 300, 500
VARIANCE = {
    "standard_normal": 1.0,
    "glorot_normal": 2 / (FAN_IN + FAN_OUT),
    "glorot_uniform": 2 / (FAN_IN + FAN_OUT),
    "lecun_normal": 1 / FAN_IN,
    "lecun_uniform": 1 / FAN_IN,
    "he_normal": 2 / FAN_IN,
    "he_uniform": 2 / FAN_IN,
    "critical": 2 / FAN_IN,  # of ReLU
}


def draw_weights(name, params, seed: int, layer: int = 1, fan_in: int = FAN_IN, fan_out: int = FAN_OUT):
    function = activation_function("relu", params.activations)
    variance = scales(name, function, [fan_in, fan_in, fan_out], 1.0)[1].weight
    return draw([INITIALIZERS[name].law], [variance], [seed], ("weights", layer), fan_in, fan_out)[0]


def test_the_registry_has_every_name_of_the_parameters() -> None:
    assert tuple(INITIALIZERS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_weights_have_mean_0_and_the_textbooks_variance(name, params) -> None:
    weights = draw_weights(name, params, seed=1).double()
    n = weights.numel()
    sd = math.sqrt(VARIANCE[name])
    assert abs(weights.mean()) < 4 * sd / math.sqrt(n)
    assert weights.var().item() == pytest.approx(VARIANCE[name], rel=5 * math.sqrt(2 / n))


@pytest.mark.parametrize("name", NAMES)
def test_weights_follow_their_law(name, params) -> None:
    weights = draw_weights(name, params, seed=2).flatten().double()
    sd = math.sqrt(VARIANCE[name])
    if name.endswith("uniform"):
        law = stats.uniform(-math.sqrt(3) * sd, 2 * math.sqrt(3) * sd)
    elif name in {"standard_normal", "critical"}:
        law = stats.norm(0, sd)
    else:  # Keras's: cut at two standard deviations of the normal that is then rescaled
        law = stats.truncnorm(-2, 2, scale=sd / stats.truncnorm(-2, 2).std())
    assert stats.kstest(weights.numpy(), law.cdf).pvalue > 1e-3


def test_the_truncated_normals_deviation_is_scipys() -> None:
    assert pytest.approx(stats.truncnorm(-2, 2).std(), abs=1e-12) == TRUNCATED_SD


def test_glorot_uniform_reaches_as_far_as_the_paper_says(params) -> None:
    weights = draw_weights("glorot_uniform", params, seed=0)
    radius = math.sqrt(6 / (FAN_IN + FAN_OUT))  # and not sqrt(2 / fan_avg) = 0.82 of it
    assert 0.99 * radius < weights.abs().max() <= radius


def test_a_seed_pairs_the_initializers(params) -> None:
    he, lecun = (draw_weights(name, params, seed=5, fan_in=40, fan_out=30) for name in ("he_normal", "lecun_normal"))
    torch.testing.assert_close(he, lecun * math.sqrt(2))
    assert not torch.equal(he, draw_weights("he_normal", params, seed=6, fan_in=40, fan_out=30))


def test_draws_that_are_kept_are_those_drawn_anew() -> None:
    kept = unit_draws("normal", 3, ("weights", 0), 20, 10)
    assert unit_draws("normal", 3, ("weights", 0), 20, 10) is kept
    assert torch.equal(kept, unit_draws.__wrapped__("normal", 3, ("weights", 0), 20, 10))


def test_biases_start_at_0_but_for_critical(params) -> None:
    widths = [30, 4000, 4000, 10]
    names = ["he_normal", "critical"]
    networks = StackedMLP(widths, "gelu", "none", names, [0, 0], params.activations, params.batch_norm, 1.0)
    edge = edge_of_chaos(activation_function("gelu", params.activations))
    for layer in networks.dense[:2]:
        assert layer.bias is not None
        assert not layer.bias[0].any()
        assert layer.bias[1].std().item() == pytest.approx(math.sqrt(edge.bias_variance), rel=0.05)
    assert networks.dense[1].weight[1].std().item() == pytest.approx(math.sqrt(edge.weight_variance / 4000), rel=0.01)
