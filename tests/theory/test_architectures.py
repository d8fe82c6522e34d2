"""Predictions for skips, dropout, layer norm and steps in time: closed forms, and wide networks as measured."""

import math
from itertools import pairwise

import numpy as np
import pytest

from pipeline.axes.activations import ACTIVATIONS
from pipeline.axes.architectures import ARCHITECTURES
from pipeline.axes.initializers import INITIALIZERS
from pipeline.axes.normalization import NORMALIZATIONS
from pipeline.axes.regularizers import REGULARIZERS
from pipeline.experiments.propagation import Probe, Start, setting_tables
from pipeline.networks import Design
from pipeline.theory.initializers import layer_variances
from pipeline.theory.predict import Prediction, predict, predict_recurrent
from tests.building import function

DEPTH, WIDTH = 11, 100
WIDTHS = (WIDTH,) * (DEPTH + 2)
FANS = [*pairwise(WIDTHS)]


def predicted(activation: str, initializer: str, **levels) -> Prediction:
    f = function(activation)
    return predict(f, WIDTHS, layer_variances(INITIALIZERS.parse(initializer), f, FANS, 1.0), np.ones(1), **levels)


def test_a_linear_residual_network_doubles_its_signal_and_gradient_with_each_skip() -> None:
    found = predicted("identity", "lecun_normal", architecture=ARCHITECTURES.parse("residual"))
    blocks = np.arange(6)
    np.testing.assert_allclose(found.log_signal[::2], blocks * math.log(2), atol=1e-6)
    np.testing.assert_allclose(found.log_gradient[::2][::-1], blocks * math.log(2), atol=1e-6)


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_dropout_multiplies_both_variances_by_the_inverse_of_what_is_kept(rate: float) -> None:
    found = predicted("relu", "he_normal", regularization=REGULARIZERS.parse(f"dropout({rate})"))
    layers = np.arange(DEPTH) * -math.log(1 - rate)
    np.testing.assert_allclose(found.log_signal - found.log_signal[0], layers, atol=1e-6)
    np.testing.assert_allclose(found.log_gradient[::-1], layers, atol=1e-6)


def test_alpha_dropout_keeps_selus_fixed_point() -> None:
    found = predicted("selu", "lecun_normal", regularization=REGULARIZERS.parse("alpha_dropout(0.2)"))
    np.testing.assert_allclose(found.log_signal, 0.0, atol=1e-3)


def test_a_linear_recurrent_network_adds_up_what_comes_in() -> None:
    f, steps = function("identity"), 30
    fans = ARCHITECTURES.parse("recurrent").fans((steps, WIDTH), (WIDTH,) * steps, 10)
    variances = layer_variances(INITIALIZERS.parse("orthogonal"), f, fans, 1.0)
    found = predict_recurrent(f, WIDTH, variances, np.ones((1, steps)), WIDTH)
    np.testing.assert_allclose(np.exp(found.log_signal), np.arange(1, steps + 1), rtol=1e-5)
    np.testing.assert_allclose(found.log_gradient, 0.0, atol=1e-5)


@pytest.mark.parametrize(
    ("architecture", "activation", "normalization", "regularization", "initializer", "off"),
    [
        ("mlp", "relu", "layer_norm", "none", "he_normal", 0.1),
        ("mlp", "gelu", "layer_norm", "none", "glorot_uniform", 0.1),
        ("residual", "tanh", "none", "none", "lecun_normal", 0.1),
        ("residual", "relu", "none", "none", "he_normal", 0.35),
        ("residual", "relu", "layer_norm", "none", "he_normal", 0.15),
        ("residual", "selu", "none", "dropout(0.2)", "lecun_normal", 0.15),
        ("mlp", "selu", "none", "alpha_dropout(0.2)", "lecun_normal", 0.1),
        ("mlp", "selu", "none", "dropout(0.2)", "lecun_normal", 0.1),
        ("mlp", "relu", "before", "dropout(0.2)", "he_normal", 0.3),
        ("mlp", "relu", "after", "dropout(0.2)", "he_normal", 0.35),
        ("wide_and_deep", "relu", "none", "none", "he_normal", 0.4),
        ("mlp", "tanh", "none", "none", "orthogonal", 0.05),
        ("recurrent", "tanh", "none", "none", "orthogonal", 0.1),
        ("recurrent", "tanh", "none", "none", "standard_normal", 0.3),
        ("recurrent", "tanh", "layer_norm", "none", "he_normal", 0.4),
    ],
)
def test_a_wide_network_does_as_predicted(
    architecture: str, activation: str, normalization: str, regularization: str, initializer: str, off: float
) -> None:
    draw = np.random.default_rng(0)
    shape = (12, 20) if architecture == "recurrent" else (64,)
    x, y = draw.standard_normal((128, math.prod(shape))), np.arange(128) % 10
    design = Design(
        shape, (400,) * 12, 10, ARCHITECTURES.parse(architecture), ACTIVATIONS.parse(activation),
        NORMALIZATIONS.parse(normalization), REGULARIZERS.parse(regularization),
    )  # fmt: skip
    probe = Probe(x, y, float(np.square(x).mean()), range(4))
    table = setting_tables(Start("wide", design, (INITIALIZERS.parse(initializer),)), probe)
    for name in ("signal", "gradient"):
        gap = np.log(table[name] / table[f"{name}_predicted"]).abs().max()
        assert gap < off, (name, gap)


@pytest.mark.parametrize(
    ("architecture", "initializer"), [("residual(preactivation=false)", "he_normal"), ("mlp", "identity")]
)
def test_where_the_theory_says_nothing_nothing_is_said(architecture: str, initializer: str) -> None:
    x, y = np.random.default_rng(0).standard_normal((16, 8)), np.arange(16) % 4
    design = Design(
        (8,), (8,) * 4, 4, ARCHITECTURES.parse(architecture), ACTIVATIONS.parse("relu"), NORMALIZATIONS.parse("none"),
        REGULARIZERS.parse("none"),
    )  # fmt: skip
    table = setting_tables(Start("s", design, (INITIALIZERS.parse(initializer),)), Probe(x, y, 1.0, range(2)))
    assert table[["signal_predicted", "gradient_predicted"]].isna().all(axis=None)
    assert np.isfinite(table[["signal", "gradient"]]).all(axis=None)
