import math
from itertools import pairwise

import numpy as np
import pytest

from pipeline.axes.initializers import INITIALIZERS
from pipeline.theory.fluctuations import deviation, draw_networks, ratios
from pipeline.theory.initializers import layer_variances
from pipeline.theory.predict import predict
from tests.building import function

DRAWN = 1000


def drawn(activation: str, initializer: str, widths, **others):
    phi = function(activation)
    variances = layer_variances(INITIALIZERS.parse(initializer), phi, [*pairwise(widths)], 1.0)
    return draw_networks(phi, widths, variances, 1.0, orthogonal=initializer == "orthogonal", **others)


def real(activation: str, initializer: str, widths, networks: int, seed: int):
    """Return ln of the mean squares of z and of the gradient's share ``[network, layer]`` of networks in NumPy.

    The loss is linear, and of the output.
    """
    phi, rng = function(activation), np.random.default_rng(seed)
    variances = layer_variances(INITIALIZERS.parse(initializer), phi, [*pairwise(widths)], 1.0)
    (act,) = phi.branches
    a, weights, zs = np.ones((networks, 1, widths[0])), [], []
    for layer, (rows, columns) in enumerate(pairwise(widths)):
        weights.append(rng.standard_normal((networks, rows, columns)) * math.sqrt(variances[layer].weight))
        if initializer == "orthogonal":
            tall = weights[-1] if rows >= columns else weights[-1].transpose(0, 2, 1)
            q, r = np.linalg.qr(tall)
            q *= np.sign(np.einsum("nii->ni", r))[:, None]
            weights[-1] = (q if rows >= columns else q.transpose(0, 2, 1)) * math.sqrt(
                variances[layer].weight * max(rows, columns)
            )
        zs.append(a @ weights[-1] + rng.standard_normal((networks, 1, columns)) * math.sqrt(variances[layer].bias))
        a = act(zs[-1])
    gradient, shares = rng.standard_normal((networks, 1, widths[-1])), []
    for z, weight in zip(zs[-2::-1], weights[:0:-1], strict=True):
        step = 1e-6 * np.abs(z)
        gradient = gradient @ weight.transpose(0, 2, 1) * (act(z + step) - act(z - step)) / (2 * step)
        shares.append(np.log(np.square(gradient).mean((1, 2))))
    signals = np.array([np.log(np.square(z).mean((1, 2))) for z in zs[:-1]]).T
    return signals, np.array(shares[::-1]).T - shares[0][:, None]


def test_relus_moments_are_known() -> None:
    """E[φ²] = q / 2, E[φ⁴] = 3 q² / 2, E[φ′²] = E[φ′⁴] = 1 / 2, E[φ² φ′²] = q / 2."""
    for q in (1e-3, 1.0, 50.0):
        np.testing.assert_allclose(ratios(function("relu"), q), [1, 0, 6, 0, 0, 2, 2, 1], atol=1e-9)


def test_derivatives_by_the_variance_are_those_of_differences() -> None:
    phi, q, h = function("gelu"), 2.0, 1e-3
    at, above, below = (ratios(phi, q * math.exp(step)) for step in (0, h, -h))
    slope_of_slope = (above.slope - below.slope) / (2 * h)  # = bend + slope - slope²
    assert slope_of_slope == pytest.approx(at.bend + at.slope - at.slope**2, abs=1e-6)
    slope_of_slope = (above.slope_slope - below.slope_slope) / (2 * h)
    assert slope_of_slope == pytest.approx(at.slope_bend + at.slope_slope - at.slope_slope**2, abs=1e-6)


@pytest.mark.parametrize("width", [64, 256, 1024])
def test_with_relu_and_he_the_variance_grows_by_five_over_the_width(width: int) -> None:
    """Hanin & Nica 2020; the lowest layer's own draw is 2 / width."""
    found = drawn("relu", "he_normal", [50, *[width] * 40, 10])
    layers = np.arange(40)
    for logs, variance in ((found.signal, (2 + 5 * layers) / width), (found.gradient, 5 * layers[::-1] / width)):
        np.testing.assert_allclose(logs.var(1), variance, rtol=0.2)
        expected = -variance / 2 + (math.log(2) if logs is found.signal else 0)
        np.testing.assert_allclose(logs.mean(1), expected, atol=4 * math.sqrt(5 * 40 / width / DRAWN))


def test_orthonormal_weights_keep_a_length() -> None:
    """Of square layers, so that only φ adds to the variance: 3 / width with ReLU."""
    found = drawn("relu", "orthogonal", [64] * 42)
    np.testing.assert_allclose(found.signal.var(1), 3 * np.arange(40) / 64, rtol=0.2, atol=1e-12)
    narrowing = drawn("relu", "orthogonal", [200, 50, 10])
    assert narrowing.signal[0].var() == pytest.approx(2 / 50 * (1 - 50 / 200), rel=0.2)


def test_dropout_adds_to_the_fourth_moment() -> None:
    """With ReLU E[a⁴] / E[a²]² is 6 / kept, and E[φ′⁴] as much."""
    found = drawn("relu", "he_normal", [50, *[256] * 40, 10], kept=0.5)
    assert found.signal[-1].var() == pytest.approx(2 / 256 + 39 * 11 / 256, rel=0.2)
    assert found.gradient[0].var() == pytest.approx(39 * 11 / 256, rel=0.2)
    assert found.gradient[0].mean() == pytest.approx(39 * (math.log(2) - 11 / 512), abs=0.3)


@pytest.mark.parametrize("width", [64, 256, 1024])
@pytest.mark.parametrize("activation", ["relu", "tanh", "selu", "gelu"])
def test_what_is_off_by_shrinks_with_the_width(activation: str, width: int) -> None:
    """In a stable or a neutral setting, the bias and the variance as 1 / width."""
    widths = [64, *[width] * 12, 10]
    phi = function(activation)
    infinite = predict(phi, widths, layer_variances(INITIALIZERS.parse("lecun_normal"), phi, [*pairwise(widths)], 1.0),
                       np.ones(1))  # fmt: skip
    found = drawn(activation, "lecun_normal", widths)
    off = found.signal.mean(1) - infinite.log_signal
    assert np.abs(off).max() < 70 / width / 2
    assert found.signal.var(1).max() < 70 / width


SETTINGS = [
    ("relu", "he_normal"), ("relu", "orthogonal"), ("leaky_relu", "he_normal"), ("tanh", "lecun_normal"),
    ("tanh", "he_normal"), ("tanh", "orthogonal"), ("selu", "lecun_normal"), ("elu", "he_normal"),
    ("gelu", "lecun_normal"), ("gelu", "critical"), ("sigmoid", "glorot_uniform"),
]  # fmt: skip


@pytest.mark.parametrize(("activation", "initializer"), SETTINGS)
def test_real_networks_have_the_bias_and_the_spread_that_are_drawn(activation: str, initializer: str) -> None:
    widths, networks = [40, *[64] * 20, 10], 400
    theory = drawn(activation, initializer, widths)
    measured = [np.concatenate(parts) for parts in zip(
        *(real(activation, initializer, widths, 100, seed) for seed in range(networks // 100)), strict=True
    )]  # fmt: skip
    for logs, own in zip(theory[:2], measured, strict=True):
        sd = np.maximum(logs.std(1), 1e-3)
        z = (own.mean(0) - logs.mean(1)) / (sd * math.sqrt(1 / networks + 1 / DRAWN))
        assert np.abs(z).max() < 4.5
        np.testing.assert_allclose(own.std(0), logs.std(1), rtol=0.2, atol=5e-3)


@pytest.mark.parametrize(
    ("activation", "initializer", "width"), [("relu", "he_normal", 256), ("tanh", "he_normal", 64)]
)
def test_the_test_is_of_its_stated_size(activation: str, initializer: str, width: int) -> None:
    """Three networks at a time, 5 %: of 200 tests at most 21, which by chance are more in one of a thousand runs."""
    widths, initializer = [40, *[width] * 10, 10], "he_normal"
    theory = drawn(activation, initializer, widths)
    rejected = np.zeros((2, 200), dtype=bool)
    for batch in range(20):
        measured = real(activation, initializer, widths, 30, batch)
        for quantity in range(2):
            for group in range(10):
                three = measured[quantity][3 * group : 3 * group + 3]
                rejected[quantity, 10 * batch + group] = deviation(theory[quantity], three).p < 0.05
    assert (rejected.sum(1) <= 21).all()
    assert rejected.any()


def test_a_shift_that_no_layer_alone_shows_by_chance_is_seen() -> None:
    theory = drawn("tanh", "he_normal", [40, *[64] * 10, 10])
    three = theory.signal[:, :3].T
    assert deviation(theory.signal, three).p > 0.05
    shifted = deviation(theory.signal, three + 4 * theory.signal.std(1) / math.sqrt(3))
    assert shifted.p < 0.05
    assert shifted.z.shape == (10,)
    assert deviation(theory.signal, np.full((3, 10), np.nan)).p < 0.002


def test_an_unstable_map_and_few_units_foretell_nothing() -> None:
    """GELU with He enlarges what a layer is off by; a step of first order is not enough for 8 units."""
    for activation, initializer, widths, foretold in (
        ("relu", "he_normal", [64] * 52, True),
        ("gelu", "he_normal", [64] * 52, False),
        ("gelu", "he_normal", [4096] * 52, True),
        ("relu", "he_normal", [8] * 5, False),
    ):
        found = drawn(activation, initializer, widths)
        assert found.foretold(found.signal) is foretold


def test_the_same_networks_are_drawn_again() -> None:
    first, second = (drawn("elu", "he_normal", [20, 30, 30, 5]) for _ in range(2))
    np.testing.assert_array_equal(first.signal, second.signal)
