"""The stack against the same networks built from ``torch.nn`` layers, one at a time."""

from itertools import product

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pipeline.axes.activations import ACTIVATIONS
from pipeline.axes.normalization import NORMALIZATIONS
from pipeline.networks import StackedNetwork
from tests.building import build

WIDTHS = (12, 16, 9, 4)


def stack(activation: str = "relu", normalization: str = "none") -> StackedNetwork:
    return build(WIDTHS, activation, normalization, ["he_normal", "glorot_uniform", "lecun_normal"])


def moved(networks: StackedNetwork, steps: int = 3) -> StackedNetwork:
    """Train a little, so that nothing is left at its start."""
    for _ in range(steps):
        loss = F.cross_entropy(
            networks(torch.randn(networks.networks, 20, WIDTHS[0])).flatten(0, 1), torch.arange(60) % 4
        )
        networks.zero_grad()
        loss.backward()
        with torch.no_grad():
            for p in networks.parameters():
                p -= p.grad
    return networks


@pytest.mark.parametrize(("activation", "normalization"), list(product(ACTIVATIONS.names, NORMALIZATIONS.names)))
def test_an_unstacked_network_gives_the_stacks_outputs(activation: str, normalization: str) -> None:
    networks = moved(stack(activation, normalization).train()).eval()
    x = torch.randn(3, 30, WIDTHS[0])
    for k in range(3):
        plain = networks.unstack(k)
        assert type(plain) is nn.Sequential
        torch.testing.assert_close(plain(x[k]), networks(x)[k], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("activation", "normalization"), [p for p in product(ACTIVATIONS.names, NORMALIZATIONS.names) if p[0] != "rrelu"]
)  # fmt: skip
def test_a_stack_trains_as_plain_layers_do(activation: str, normalization: str) -> None:
    networks = stack(activation, normalization).train()
    plain = [networks.unstack(k).train() for k in range(3)]
    for _ in range(5):
        x, y = torch.randn(3, 20, WIDTHS[0]), torch.randint(0, 4, (3, 20))
        networks.zero_grad()
        F.cross_entropy(networks(x).flatten(0, 1), y.flatten(), reduction="sum").div(20).backward()
        with torch.no_grad():
            for p in networks.parameters():
                p -= 0.05 * p.grad
        for k, network in enumerate(plain):
            network.zero_grad()
            loss = F.cross_entropy(network(x[k]), y[k])
            loss.backward()
            with torch.no_grad():
                for p in network.parameters():
                    p -= 0.05 * p.grad
    for k, network in enumerate(plain):
        ours = dict(networks.unstack(k).named_parameters())
        for name, value in network.named_parameters():
            torch.testing.assert_close(ours[name], value, rtol=2e-4, atol=2e-5)


def test_parameter_counts_are_the_notebooks() -> None:
    after = build((784, 300, 100, 10), "relu", "after").unstack(0)
    # Keras counts the moving mean and variance too: 4 vectors for each batch norm.
    counts = [
        sum(p.numel() for p in layer.parameters()) * (2 if isinstance(layer, nn.BatchNorm1d) else 1)
        for layer in after
        if list(layer.parameters())
    ]
    assert counts == [3136, 235500, 1200, 30100, 400, 1010]


def test_batch_norm_in_front_of_the_activation_takes_the_bias_away() -> None:
    linear = [layer for layer in stack("relu", "before").unstack(0) if isinstance(layer, nn.Linear)]
    assert [layer.bias is not None for layer in linear] == [False, False, True]


@pytest.mark.parametrize(
    ("normalization", "kinds"),
    [
        ("none", "Linear ReLU Linear ReLU Linear"),
        ("before", "BatchNorm1d Linear BatchNorm1d ReLU Linear BatchNorm1d ReLU Linear"),
        ("after", "BatchNorm1d Linear ReLU BatchNorm1d Linear ReLU BatchNorm1d Linear"),
    ],
)
def test_layers_stand_in_the_sources_order(normalization: str, kinds: str) -> None:
    assert " ".join(type(layer).__name__ for layer in stack("relu", normalization).unstack(0)) == kinds


def test_unstacking_copies() -> None:
    networks = stack()
    before = networks.kernels[0].detach().clone()
    with torch.no_grad():
        networks.unstack(0)[0].weight.zero_()
    assert torch.equal(networks.kernels[0], before)
