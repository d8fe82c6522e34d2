"""What is seen of the layers against plain ``torch.nn`` layers, one network at a time."""

from itertools import product

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pipeline.networks import StackedMLP
from pipeline.networks.observe import observe
from pipeline.params import ACTIVATIONS
from pipeline.theory.functions import activation_function

WIDTHS = (12, 16, 9, 4)


def stack(params, activation: str, batch_norm, names=("standard_normal", "critical"), widths=WIDTHS) -> StackedMLP:
    seeds = list(range(len(names)))
    return StackedMLP(widths, activation, batch_norm, list(names), seeds, params.activations, params.batch_norm, 1.0)


@pytest.mark.parametrize(
    ("activation", "batch_norm"), [p for p in product(ACTIVATIONS, ("none", "before", "after")) if p[0] != "rrelu"]
)
def test_a_layers_state_is_that_of_plain_layers(activation: str, batch_norm: str, params) -> None:
    networks = stack(params, activation, batch_norm).double()
    x, y = torch.randn(40, 12).double(), torch.arange(40) % 4
    function = activation_function(activation, params.activations)
    seen = observe(networks, function, x, y)
    for k in range(2):
        z, given, taken, out = [], [], [], x
        plain = networks.unstack(k).double().train()
        for layer in plain:
            before, out = out, layer(out)
            if isinstance(layer, nn.Linear):
                out.retain_grad()
                z.append(out)
            elif not isinstance(layer, nn.BatchNorm1d):
                taken.append(before)
                given.append(out)
        F.cross_entropy(out, y, reduction="sum").backward()
        low, high = function.linear_within
        for at in range(2):
            torch.testing.assert_close(seen.signal[k, at], z[at].square().mean())
            torch.testing.assert_close(seen.gradient[k, at], z[at].grad.square().mean())
            torch.testing.assert_close(seen.mean[k, at], given[at].mean())
            torch.testing.assert_close(seen.sd[k, at], given[at].std(unbiased=False))
            assert seen.dead[k, at].item() == pytest.approx((given[at] == 0).all(0).double().mean().item())
            outside = (taken[at] < low) | (taken[at] > high)
            torch.testing.assert_close(seen.saturated[k, at], outside.double().mean())


@pytest.mark.parametrize(("activation", "batch_norm"), [("rrelu", "before"), ("prelu", "after")])
def test_looking_changes_nothing(activation: str, batch_norm: str, params) -> None:
    networks = stack(params, activation, batch_norm)
    before = {name: value.clone() for name, value in networks.state_dict().items()}
    observe(networks, activation_function(activation, params.activations), torch.randn(20, 12), torch.arange(20) % 4)
    for name, value in networks.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(parameter.grad is None for parameter in networks.parameters())


def test_a_unit_that_is_0_on_every_sample_is_dead(params) -> None:
    networks = stack(params, "relu", "none")
    with torch.no_grad():
        networks.dense[0].bias[0, 0, :4] = -1e6
    relu = activation_function("relu", params.activations)
    seen = observe(networks, relu, torch.randn(50, 12), torch.arange(50) % 4)
    assert seen.dead[:, 0].tolist() == [0.25, 0.0]


def test_what_one_network_shows_does_not_depend_on_the_others(params) -> None:
    """At widths that are no multiple of a vector, where the ends of a thread's share are rounded by other code."""
    x, y = torch.randn(37, 12), torch.arange(37) % 4
    names = ["he_normal", "glorot_uniform", "critical", "lecun_normal", "standard_normal"]
    for activation in ACTIVATIONS:
        function = activation_function(activation, params.activations)
        widths = (12, 50, 9, 4)
        together = observe(stack(params, activation, "none", names, widths), function, x, y)
        first = observe(stack(params, activation, "none", names[:1], widths), function, x, y)
        for ours, alone in zip(together, first, strict=True):
            assert torch.equal(ours[:1], alone)
