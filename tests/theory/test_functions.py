"""The theory's float64 functions against torch's, and callables of every kind."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from pipeline.axes.activations import ACTIVATIONS
from pipeline.errors import FunctionError
from pipeline.theory.edge import edge_of_chaos
from pipeline.theory.functions import SINGLE, as_function, function_of, import_function, known_function
from pipeline.theory.gaussian import moments
from tests.building import function

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
    "softplus": F.softplus,
    "hard_sigmoid": F.hardsigmoid,
    "identity": lambda x: x,
}


@pytest.mark.parametrize("name", ACTIVATIONS.names)
def test_an_activations_mean_is_torchs_function(name: str) -> None:
    ours = function(name).mean(X)
    np.testing.assert_allclose(ours, TORCH[name](torch.from_numpy(X)).numpy(), rtol=1e-12, atol=1e-14)


def test_the_theory_knows_every_activation() -> None:
    known = [function_of(entry) for entry in ACTIVATIONS]
    assert tuple(one.name for one in known) == ACTIVATIONS.names
    assert all(one.branches for one in known)


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
        ("leaky_relu(slope=0.01)", -math.inf, math.inf),  # little passes, but all the way out
    ],
)
def test_units_saturate_where_the_slope_has_gone(name: str, low: float, high: float | None) -> None:
    found = function(name).unsaturated_range
    assert found == pytest.approx((low, -low if high is None else high), abs=2e-3)


def test_kinks_are_found_wherever_they_lie() -> None:
    pieces = as_function("kinked", lambda x: np.clip(x, -1 / 3, math.pi)).pieces
    for kink in (-1 / 3, math.pi):
        assert np.abs(pieces - kink).min() < 2e-9


def test_functions_of_tensors_and_of_arrays_are_the_same() -> None:
    for path in ("torch.nn.functional:gelu", "torch.nn:GELU"):
        gelu = import_function(path)
        np.testing.assert_allclose(gelu.mean(X), function("gelu").mean(X), atol=1e-12)
    assert import_function("numpy:tanh").mean(X)[0] == np.tanh(-15.0)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("gelo", "did you mean 'gelu'"),
        ("nowhere.at_all:f", "cannot be imported"),
        ("numpy:tanhh", "did you mean 'tanh'"),
        ("math:tanh", "takes neither a NumPy array"),
        ("numpy:sum", "does not keep the shape"),
        (":relu", "is no import path"),
        ("numpy:", "is no import path"),
        (".numpy:tanh", "is no import path"),
        ("numpy.:tanh", "is no import path"),
        ("numpy:tanh:x", "is no import path"),
        ("torch.nn:Threshold", "is a class that needs arguments"),
        ("torch.nn:RReLU", "is random"),
        ("torch.nn:Dropout", "is random"),
        ("this_project_broken:f", "cannot be imported .ZeroDivisionError"),
        ("this_project_quits:f", "cannot be imported .SystemExit"),
    ],
)
def test_what_is_no_function_is_refused(
    path: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "this_project_broken.py").write_text("1 / 0")
    (tmp_path / "this_project_quits.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(FunctionError, match=message):
        known_function(path)


@pytest.mark.parametrize(
    ("scalar", "message"),
    [
        (np.sign, "jumps near"),
        (lambda x: np.floor(x / 0.7), "more than 20,000 pieces"),
        (lambda x: np.abs(x % 1 - 0.5), "more than 20,000 pieces"),
        (lambda x: np.float16(x) * 1.0 + np.cos(np.float32(x)), "more than 20,000 pieces"),
        (lambda x: x if x.max() < 1000 else 1 / 0, "stops on numbers from"),
        (lambda x: np.random.default_rng().normal(size=x.shape), "is random"),
        (lambda x: np.exp(x - x.max()), "looks at an element's neighbours"),
        (lambda x: np.cumsum(x), "looks at an element's neighbours"),
        (lambda x: x - x.mean(), "looks at an element's neighbours"),
        (lambda x: x.astype(np.float16), "numbers of 16 bits"),
        (lambda x: x * 1j, "takes neither"),
        (lambda _x: None, "takes neither"),
        (lambda x: x.astype(str), "takes neither"),
        (lambda x: np.outer(x, x), "takes neither"),
        (np.exp, r"allowed: up to 1e\+100 from -10000"),
        (lambda x: np.where(np.abs(x) < 2, x, np.nan), "is nan at"),
    ],
)
def test_what_the_theory_cannot_treat_is_refused(scalar, message: str) -> None:
    with pytest.raises(FunctionError, match=message):
        _ = as_function("mine", scalar).pieces


def in_single(scalar):
    """Return a function as ordinary torch or NumPy code has it: in 32 bits."""
    return lambda x: scalar(x.astype(np.float32)).astype(np.float32)


@pytest.mark.parametrize("name", sorted(set(ACTIVATIONS.names) - {"rrelu"}))
def test_a_function_in_32_bits_is_treated_to_its_precision(name: str) -> None:
    exact = function(name)
    single = as_function("mine", in_single(exact.mean))
    assert single.precision == SINGLE
    assert len(single.pieces) < 500
    for q in (0.1, 1.0, 10.0):
        np.testing.assert_allclose(moments(single, q)[1:], moments(exact, q)[1:], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", ["relu", "tanh", "gelu", "elu"])
def test_the_edge_of_a_function_in_32_bits_is_that_of_its_exact_twin(name: str) -> None:
    exact = function(name)
    ours, theirs = edge_of_chaos(as_function("mine", in_single(exact.mean))), edge_of_chaos(exact)
    assert ours.weight_variance == pytest.approx(theirs.weight_variance, rel=0.02)
    assert ours.bias_variance == pytest.approx(theirs.bias_variance, rel=0.1, abs=1e-3)


def test_a_function_that_changes_what_it_takes_changes_nothing_else() -> None:
    def relu_(x):
        np.maximum(x, 0, out=x)
        return x

    np.testing.assert_array_equal(as_function("relu_", relu_).pieces, as_function("relu", lambda x: x * (x > 0)).pieces)


def test_kinks_anywhere_take_few_pieces() -> None:
    """Rounding near a kink is not the function's."""
    assert len(as_function("hardswish", lambda x: x * np.clip(x + 3, 0, 6) / 6).pieces) < 200
    assert len(as_function("far", lambda x: np.maximum(x - 1234.5, 0)).pieces) < 200
