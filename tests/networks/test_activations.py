import math

import numpy as np
import pytest
import torch
from scipy import special, stats
from torch.autograd import gradcheck

from pipeline.axes.activations import ACTIVATIONS, SELU_ALPHA, SELU_SCALE
from pipeline.networks import elementwise
from pipeline.networks.context import LayerContext

Z = np.linspace(-12, 12, 4001)
FORMULAS = {
    "sigmoid": special.expit,
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.3 * z),
    "rrelu": lambda z: np.where(z > 0, z, (1 / 8 + 1 / 3) / 2 * z),  # at test: the mean slope
    "prelu": lambda z: np.where(z > 0, z, 0.0 * z),
    "elu": lambda z: np.where(z > 0, z, np.expm1(z)),
    "selu": lambda z: 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * np.expm1(z)),
    "gelu": lambda z: z * stats.norm.cdf(z),
    "gelu_sigmoid": lambda z: z * special.expit(1.702 * z),
    "swish": lambda z: z * special.expit(z),
    "mish": lambda z: z * np.tanh(np.log1p(np.exp(z))),
    "softplus": lambda z: np.log1p(np.exp(z)),
    "hard_sigmoid": lambda z: np.where(np.abs(z) < 3, z / 6 + 0.5, z > 0),
    "identity": lambda z: z,
}


def build(name: str, networks: int = 2, units: int = 3):
    return ACTIVATIONS.parse(name).build(LayerContext(layer=0, units=units, seeds=range(networks)))


def test_the_registry_and_these_formulas_name_the_same_activations() -> None:
    assert ACTIVATIONS.names == tuple(FORMULAS)


@pytest.mark.parametrize("name", ACTIVATIONS.names)
def test_an_activation_is_its_formula(name: str) -> None:
    module = build(name, networks=1, units=1).eval()
    out = module(torch.from_numpy(Z).float().view(1, -1, 1)).detach().double().numpy().ravel()
    np.testing.assert_allclose(out, FORMULAS[name](Z.astype(np.float32).astype(float)), rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("name", ACTIVATIONS.names)
def test_a_plain_activation_equals_the_stacked_one(name: str) -> None:
    module = build(name).eval()
    plain = module.unstack(1).eval() if hasattr(module, "unstack") else module
    z = torch.randn(2, 50, 3) * 3
    torch.testing.assert_close(plain(z[1]), module(z)[1])


@pytest.mark.parametrize(
    ("function", "constants"),
    [
        (elementwise.Sigmoid, ()), (elementwise.Tanh, ()), (elementwise.Swish, (1.0,)), (elementwise.Swish, (1.702,)),
        (elementwise.ELU, (1.0, 1.0)), (elementwise.ELU, (SELU_ALPHA, SELU_SCALE)), (elementwise.Mish, ()),
        (elementwise.Softplus, ()),
    ],
)  # fmt: skip
def test_closed_form_gradients_are_those_of_finite_differences(function, constants) -> None:
    z = torch.linspace(-6, 6, 100, dtype=torch.float64).requires_grad_()
    assert gradcheck(lambda z: function.apply(z, *constants), (z,))


def test_the_gradient_of_a_learned_slope_is_that_of_finite_differences() -> None:
    z = torch.randn(2, 5, 3, dtype=torch.float64).requires_grad_()
    slope = torch.rand(2, 1, 3, dtype=torch.float64).requires_grad_()
    assert gradcheck(elementwise.SlopedReLU.apply, (z, slope))


@pytest.mark.parametrize("name", ACTIVATIONS.names)
def test_extreme_inputs_give_no_nan(name: str) -> None:
    z = torch.tensor([-1e30, -100.0, -88.0, 88.0, 100.0, 1e30]).view(1, -1, 1).requires_grad_()
    out = build(name, networks=1, units=1)(z)
    out.sum().backward()
    assert not out.isnan().any()
    assert z.grad is not None
    assert not z.grad.isnan().any()
    # The slope has come to its limit on both sides.
    plain = torch.tensor([-60.0, 60.0], requires_grad=True)
    build(name, networks=1, units=1).eval()(plain.view(1, -1, 1)).sum().backward()
    assert plain.grad is not None
    if name != "rrelu":
        torch.testing.assert_close(z.grad.flatten()[[0, 5]], plain.grad, rtol=1e-6, atol=1e-6)


def test_the_sigmoid_approximation_of_gelu_is_off_by_two_hundredths() -> None:
    gap = np.abs(FORMULAS["gelu"](Z) - FORMULAS["gelu_sigmoid"](Z))
    assert gap.max() == pytest.approx(0.0203, abs=1e-4)
    assert abs(Z[gap.argmax()]) == pytest.approx(2.27, abs=0.02)


def test_rrelu_draws_its_slopes_between_its_bounds_anew_at_each_step() -> None:
    module = build("rrelu", networks=2, units=64).train()
    z = -torch.ones(2, 500, 64)
    first, second = -module(z), -module(z)
    for slopes in (first, second):
        assert slopes.min() >= 1 / 8
        assert slopes.max() <= 1 / 3
        assert slopes.mean().item() == pytest.approx((1 / 8 + 1 / 3) / 2, abs=1e-3)
        assert slopes.std().item() == pytest.approx((1 / 3 - 1 / 8) / math.sqrt(12), rel=0.02)
    assert not torch.equal(first, second)
    assert not torch.equal(first[0], first[1])


def test_prelu_has_a_slope_for_each_unit_of_each_network() -> None:
    assert build("prelu", networks=4, units=7).slope.shape == (4, 1, 7)
