import math

import pytest
import torch
from scipy import stats

from pipeline.axes.initializers import INITIALIZERS
from pipeline.networks.initializers import TRUNCATED_SD, unit_draws
from pipeline.theory.edge import edge_of_chaos
from tests.building import build, function

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
    "gaussian": 1 / FAN_IN,
    "orthogonal": 1 / max(FAN_IN, FAN_OUT),
    "identity": 2 / (FAN_IN + FAN_OUT),  # where a layer is not square
}


def draw_weights(name: str, seed: int, fan_in: int = FAN_IN, fan_out: int = FAN_OUT) -> torch.Tensor:
    return build([fan_in, fan_in, fan_out], initializers=[name], seeds=[seed]).kernels[1][0].detach()


def test_the_registry_and_these_variances_name_the_same_initializers() -> None:
    assert INITIALIZERS.names == tuple(VARIANCE)


@pytest.mark.parametrize("name", INITIALIZERS.names)
def test_weights_have_mean_0_and_the_textbooks_variance(name: str) -> None:
    weights = draw_weights(name, seed=1).double()
    n = weights.numel()
    sd = math.sqrt(VARIANCE[name])
    assert abs(weights.mean()) < 4 * sd / math.sqrt(n)
    assert weights.var().item() == pytest.approx(VARIANCE[name], rel=5 * math.sqrt(2 / n))


@pytest.mark.parametrize("name", INITIALIZERS.names)
def test_weights_follow_their_distribution(name: str) -> None:
    weights = draw_weights(name, seed=2).flatten().double()
    sd = math.sqrt(VARIANCE[name])
    if name in {"glorot_uniform", "lecun_uniform", "he_uniform", "identity"}:
        distribution = stats.uniform(-math.sqrt(3) * sd, 2 * math.sqrt(3) * sd)
    elif name in {"standard_normal", "critical", "gaussian"}:
        distribution = stats.norm(0, sd)
    elif name == "orthogonal":  # a coordinate of a point on a sphere
        distribution = stats.beta((FAN_OUT - 1) / 2, (FAN_OUT - 1) / 2, loc=-1, scale=2)
    else:  # Keras's: cut at two standard deviations of the normal that is then rescaled
        distribution = stats.truncnorm(-2, 2, scale=sd / stats.truncnorm(-2, 2).std())
    assert stats.kstest(weights.numpy(), distribution.cdf).pvalue > 1e-3


@pytest.mark.parametrize("name", INITIALIZERS.names)
def test_the_output_layer_may_have_keras_default(name: str) -> None:
    """A Dense layer that names no initializer is Glorot's: uniform on ±sqrt(6 / (fan_in + fan_out))."""
    own, by_default = (build([30, 40, 200], initializers=[f"{name}{how}"]) for how in ("", "(output=glorot_uniform)"))
    assert torch.equal(own.kernels[0], by_default.kernels[0])
    output = by_default.kernels[1][0].detach().flatten().double()
    radius = math.sqrt(6 / (40 + 200))
    assert stats.kstest(output.numpy(), stats.uniform(-radius, 2 * radius).cdf).pvalue > 1e-3


def test_the_truncated_normals_deviation_is_scipys() -> None:
    assert pytest.approx(stats.truncnorm(-2, 2).std(), abs=1e-12) == TRUNCATED_SD


def test_glorot_uniform_reaches_as_far_as_the_paper_says() -> None:
    weights = draw_weights("glorot_uniform", seed=0)
    radius = math.sqrt(6 / (FAN_IN + FAN_OUT))  # and not sqrt(2 / fan_avg) = 0.82 of it
    assert 0.99 * radius < weights.abs().max() <= radius


def test_a_seed_pairs_the_initializers() -> None:
    he, lecun = (draw_weights(name, seed=5, fan_in=40, fan_out=30) for name in ("he_normal", "lecun_normal"))
    torch.testing.assert_close(he, lecun * math.sqrt(2))
    assert not torch.equal(he, draw_weights("he_normal", seed=6, fan_in=40, fan_out=30))


def test_orthogonal_weights_have_orthonormal_rows_or_columns() -> None:
    for kernel in build([30, 50, 20, 20, 5], initializers=["orthogonal(gain=2)"]).kernels:
        short = kernel[0] if kernel.shape[1] <= kernel.shape[2] else kernel[0].T
        torch.testing.assert_close(short @ short.T, 4 * torch.eye(len(short)), rtol=0, atol=1e-5)


def test_identity_weights_are_the_identity_between_layers_of_one_width() -> None:
    first, second, third, _ = build([20, 20, 20, 20, 5], initializers=["identity(scale=0.5)"]).kernels
    assert torch.equal(second[0], 0.5 * torch.eye(20))
    assert torch.equal(third[0], 0.5 * torch.eye(20))
    assert torch.equal(first[0], build([20, 20, 20, 20, 5], initializers=["glorot_uniform"]).kernels[0][0])


def test_draws_that_are_kept_are_those_drawn_anew() -> None:
    kept = unit_draws("normal", 3, ("weights", 0), 20, 10)
    assert unit_draws("normal", 3, ("weights", 0), 20, 10) is kept
    assert torch.equal(kept, unit_draws.__wrapped__("normal", 3, ("weights", 0), 20, 10))


def test_biases_start_at_0_but_for_critical() -> None:
    widths = [30, 4000, 4000, 10]
    networks = build(widths, "gelu", initializers=["he_normal", "critical"], seeds=[0, 0])
    edge = edge_of_chaos(function("gelu"))
    for dense in (layer.dense for layer in networks.hidden):
        assert dense.bias is not None
        assert not dense.bias[0].any()
        assert dense.bias[1].std().item() == pytest.approx(math.sqrt(edge.bias_variance), rel=0.05)
    assert networks.kernels[1][1].std().item() == pytest.approx(math.sqrt(edge.weight_variance / 4000), rel=0.01)
