"""The theory's float64 functions against torch's, and callables of every kind."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from pipeline.errors import FunctionError
from pipeline.params import ACTIVATIONS
from pipeline.theory.functions import BRANCHES, activation_function, as_function, import_function, known_function

X = np.linspace(-15, 15, 6001)
TORCH = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": F.relu,
    "leaky_relu": lambda x: F.leaky_relu(x, 0.3),
    "rrelu": lambda x: F.rrelu(x, training=False),
    "prelu": F.relu,
    "elu": F.elu,
    "selu": F.selu,
    "gelu": F.gelu,
    "gelu_sigmoid": lambda x: x * torch.sigmoid(1.702 * x),
    "swish": F.silu,
    "mish": F.mish,
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activations_mean_is_torchs_function(name: str, params) -> None:
    ours = activation_function(name, params.activations).mean(X)
    np.testing.assert_allclose(ours, TORCH[name](torch.from_numpy(X)).numpy(), rtol=1e-12, atol=1e-14)


def test_the_theory_knows_every_activation() -> None:
    assert tuple(BRANCHES) == ACTIVATIONS


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        # where the slope is 5 % of the steepest: σ(1 - σ) = 0.05 / 4, 1 - tanh² = 0.05, exp x = 0.05
        ("sigmoid", -math.log((1 + math.sqrt(0.95)) / (1 - math.sqrt(0.95))), None),
        ("tanh", -math.atanh(math.sqrt(0.95)), None),
        ("elu", math.log(0.05), math.inf),
        ("selu", math.log(0.05), math.inf),
        ("relu", -math.inf, math.inf),
        ("leaky_relu", -math.inf, math.inf),
    ],
)
def test_units_saturate_where_the_slope_has_gone(name: str, low: float, high: float | None, params) -> None:
    found = activation_function(name, params.activations).linear_within
    assert found == pytest.approx((low, -low if high is None else high), abs=2e-3)


def test_kinks_are_found_wherever_they_lie() -> None:
    pieces = as_function("kinked", lambda x: np.clip(x, -1 / 3, math.pi)).pieces
    for kink in (-1 / 3, math.pi):
        assert np.abs(pieces - kink).min() < 2e-9


def test_functions_of_tensors_and_of_arrays_are_the_same(params) -> None:
    for path in ("torch.nn.functional:gelu", "torch.nn:GELU"):
        gelu = import_function(path)
        np.testing.assert_allclose(gelu.mean(X), activation_function("gelu", params.activations).mean(X), atol=1e-12)
    assert import_function("numpy:tanh").mean(X)[0] == np.tanh(-15.0)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("gelo", "did you mean 'gelu'"),
        ("nowhere.at_all:f", "cannot be imported"),
        ("numpy:tanhh", "did you mean 'tanh'"),
        ("math:tanh", "takes neither a NumPy array"),
        ("numpy:sum", "does not keep the shape"),
    ],
)
def test_what_is_no_function_is_refused(path: str, message: str, params) -> None:
    with pytest.raises(FunctionError, match=message):
        known_function(path, params.activations)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (np.sign, "jumps near"),
        (lambda x: np.floor(x / 0.7), "jumps near"),
        (np.exp, "is not finite at"),
        (lambda x: np.where(np.abs(x) < 2, x, np.nan), "is not finite at"),
    ],
)
def test_what_the_theory_cannot_treat_is_refused(function, message: str) -> None:
    with pytest.raises(FunctionError, match=message):
        _ = as_function("mine", function).pieces
