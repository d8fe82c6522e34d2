"""What is seen of the layers against plain ``torch.nn`` layers, one network at a time."""

from itertools import product

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pipeline.axes.activations import ACTIVATIONS
from pipeline.axes.normalization import NORMALIZATIONS
from pipeline.networks.observe import observe
from tests.building import build, function

WIDTHS = (12, 16, 9, 4)
EDGELESS = {"softplus"}


def pair(activation: str) -> tuple[str, str]:
    return "standard_normal", "he_normal" if activation in EDGELESS else "critical"


@pytest.mark.parametrize(
    ("activation", "normalization"), [p for p in product(ACTIVATIONS.names, NORMALIZATIONS.names) if p[0] != "rrelu"]
)
def test_a_layers_state_is_that_of_plain_layers(activation: str, normalization: str) -> None:
    networks = build(WIDTHS, activation, normalization, pair(activation)).double()
    x, y = torch.randn(40, 12).double(), torch.arange(40) % 4
    phi = function(activation)
    seen = observe(networks, phi, x, y)
    for k in range(2):
        z, given, taken, out = [], [], [], x
        plain = networks.unstack(k).double().train()
        for layer in plain:
            before, out = out, layer(out)
            if isinstance(layer, nn.Linear):
                out.retain_grad()
                z.append(out)
            elif not isinstance(layer, nn.BatchNorm1d | nn.LayerNorm):
                taken.append(before)
                given.append(out)
        F.cross_entropy(out, y, reduction="sum").backward()
        low, high = phi.unsaturated_range
        for at in range(2):
            torch.testing.assert_close(seen.signal[k, at], z[at].square().mean())
            torch.testing.assert_close(seen.gradient[k, at], z[at].grad.square().mean())
            torch.testing.assert_close(seen.mean[k, at], given[at].mean())
            torch.testing.assert_close(seen.sd[k, at], given[at].std(unbiased=False))
            assert seen.dead[k, at].item() == pytest.approx((given[at] == 0).all(0).double().mean().item())
            outside = (taken[at] < low) | (taken[at] > high)
            torch.testing.assert_close(seen.saturated[k, at], outside.double().mean())


@pytest.mark.parametrize(("activation", "normalization"), [("rrelu", "before"), ("prelu", "after")])
def test_looking_changes_nothing(activation: str, normalization: str) -> None:
    networks = build(WIDTHS, activation, normalization, pair(activation))
    before = {name: value.clone() for name, value in networks.state_dict().items()}
    observe(networks, function(activation), torch.randn(20, 12), torch.arange(20) % 4)
    for name, value in networks.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(parameter.grad is None for parameter in networks.parameters())


def test_a_unit_that_is_0_on_every_sample_is_dead() -> None:
    networks = build(WIDTHS, "relu", initializers=pair("relu"))
    with torch.no_grad():
        networks.hidden[0].dense.bias[0, 0, :4] = -1e6
    seen = observe(networks, function("relu"), torch.randn(50, 12), torch.arange(50) % 4)
    assert seen.dead[:, 0].tolist() == [0.25, 0.0]


def test_what_one_network_shows_does_not_depend_on_the_others() -> None:
    """At widths that are no multiple of a vector, where the ends of a thread's share are rounded by other code."""
    x, y = torch.randn(37, 12), torch.arange(37) % 4
    widths = (12, 50, 9, 4)
    for activation in ACTIVATIONS.names:
        names = ["he_normal", "glorot_uniform", pair(activation)[1], "lecun_normal", "standard_normal"]
        together = observe(build(widths, activation, initializers=names), function(activation), x, y)
        first = observe(build(widths, activation, initializers=names[:1]), function(activation), x, y)
        for ours, alone in zip(together, first, strict=True):
            assert torch.equal(ours[:1], alone)
