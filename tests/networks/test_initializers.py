import math

import pytest
import torch
from scipy import stats

from pipeline.networks.initializers import INITIALIZERS, TRUNCATED_SD, draw_weights
from pipeline.params import INITIALIZERS as NAMES

FAN_IN, FAN_OUT = 300, 500
VARIANCE = {
    "standard_normal": 1.0,
    "glorot_normal": 2 / (FAN_IN + FAN_OUT),
    "glorot_uniform": 2 / (FAN_IN + FAN_OUT),
    "lecun_normal": 1 / FAN_IN,
    "lecun_uniform": 1 / FAN_IN,
    "he_normal": 2 / FAN_IN,
    "he_uniform": 2 / FAN_IN,
}


def test_the_registry_has_every_name_of_the_parameters() -> None:
    assert tuple(INITIALIZERS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_weights_have_mean_0_and_the_textbooks_variance(name) -> None:
    weights = draw_weights(name, seed=1, layer=0, fan_in=FAN_IN, fan_out=FAN_OUT).double()
    n = weights.numel()
    sd = math.sqrt(VARIANCE[name])
    assert abs(weights.mean()) < 4 * sd / math.sqrt(n)
    assert weights.var().item() == pytest.approx(VARIANCE[name], rel=5 * math.sqrt(2 / n))


@pytest.mark.parametrize("name", NAMES)
def test_weights_follow_their_law(name) -> None:
    weights = draw_weights(name, seed=2, layer=1, fan_in=FAN_IN, fan_out=FAN_OUT).flatten().double()
    sd = math.sqrt(VARIANCE[name])
    if name.endswith("uniform"):
        law = stats.uniform(-math.sqrt(3) * sd, 2 * math.sqrt(3) * sd)
    elif name == "standard_normal":
        law = stats.norm(0, 1)
    else:  # Keras's: cut at two standard deviations of the normal that is then rescaled
        law = stats.truncnorm(-2, 2, scale=sd / stats.truncnorm(-2, 2).std())
    assert stats.kstest(weights.numpy(), law.cdf).pvalue > 1e-3


def test_the_truncated_normals_deviation_is_scipys() -> None:
    assert pytest.approx(stats.truncnorm(-2, 2).std(), abs=1e-12) == TRUNCATED_SD


def test_glorot_uniform_reaches_as_far_as_the_paper_says() -> None:
    weights = draw_weights("glorot_uniform", seed=0, layer=0, fan_in=FAN_IN, fan_out=FAN_OUT)
    radius = math.sqrt(6 / (FAN_IN + FAN_OUT))  # and not sqrt(2 / fan_avg) = 0.82 of it
    assert 0.99 * radius < weights.abs().max() <= radius


def test_a_seed_pairs_the_initializers() -> None:
    he, lecun = (draw_weights(name, 5, 0, 40, 30) for name in ("he_normal", "lecun_normal"))
    torch.testing.assert_close(he, lecun * math.sqrt(2))
    assert not torch.equal(he, draw_weights("he_normal", 6, 0, 40, 30))
