"""Every architecture, normalization and regularization against plain ``torch.nn``, one network at a time."""

from itertools import product

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pipeline.axes.architectures import ARCHITECTURES
from pipeline.axes.normalization import NORMALIZATIONS
from pipeline.axes.regularizers import REGULARIZERS, SELU_LIMIT
from pipeline.networks import StackedNetwork
from pipeline.networks.plain import PlainRecurrent
from tests.building import build

KINDS = [*ARCHITECTURES.names, "residual(preactivation=false)"]
PAIRS = [
    (kind, normalization)
    for kind, normalization in product(KINDS, NORMALIZATIONS.names)
    if not (kind == "recurrent" and NORMALIZATIONS.parse(normalization).of_batch)
]
WIDTHS = (12, 16, 16, 16, 16, 4)
INITIALIZERS = ("he_normal", "orthogonal", "identity")


def networks_of(kind: str, normalization: str = "none", regularization: str = "none", activation: str = "tanh", **more):
    shape = (4, 3) if kind == "recurrent" else None
    return build(
        WIDTHS, activation, normalization, INITIALIZERS, architecture=kind, regularization=regularization, shape=shape,
        **more,
    )  # fmt: skip


def step(network: nn.Module, x: torch.Tensor, y: torch.Tensor, rate: float = 0.05) -> None:
    network.zero_grad()
    loss = F.cross_entropy(network(x).flatten(0, -2), y.flatten(), reduction="sum") / y.shape[-1]
    loss.backward()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter -= rate * parameter.grad


def train_both(networks: StackedNetwork) -> list[nn.Module]:
    """Train a stack and its networks alone on the same batches; return the latter."""
    alone = [networks.unstack(k).train() for k in range(3)]
    networks.train()
    for _ in range(5):
        x, y = torch.randn(3, 20, WIDTHS[0]), torch.randint(0, 4, (3, 20))
        step(networks, x, y)
        for k, plain in enumerate(alone):
            step(plain, x[k], y[k])
    return alone


@pytest.mark.parametrize(("kind", "normalization"), PAIRS)
def test_a_stack_trains_as_plain_layers_do(kind: str, normalization: str) -> None:
    networks = networks_of(kind, normalization)
    for k, plain in enumerate(train_both(networks)):
        ours = networks.unstack(k).state_dict()
        for name, value in plain.state_dict().items():
            if not name.endswith(("running_var", "num_batches_tracked")):  # PyTorch averages another variance
                torch.testing.assert_close(ours[name], value, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize(("kind", "regularization"), list(product(KINDS, ["dropout(0.3)", "alpha_dropout(0.2)"])))
def test_an_unstacked_network_gives_the_stacks_outputs(kind: str, regularization: str) -> None:
    networks = networks_of(kind, regularization=regularization, activation="prelu")
    train_both(networks)
    networks.eval()
    x = torch.randn(3, 30, WIDTHS[0])
    for k in range(3):
        torch.testing.assert_close(networks.unstack(k)(x[k]), networks(x)[k], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_a_recurrent_network_is_torchs(activation: str) -> None:
    plain = networks_of("recurrent", activation=activation).unstack(0)
    assert isinstance(plain, PlainRecurrent)
    theirs = nn.RNN(3, 16, nonlinearity=activation, batch_first=True)
    with torch.no_grad():
        theirs.weight_ih_l0.copy_(plain.into.weight)
        theirs.bias_ih_l0.copy_(plain.into.bias)
        theirs.weight_hh_l0.copy_(plain.recurrent.weight)
        theirs.bias_hh_l0.zero_()
    x = torch.randn(7, 12)
    torch.testing.assert_close(plain(x), plain.output(theirs(x.unflatten(1, (4, 3)))[0][:, -1]))


def test_a_recurrent_network_reads_the_first_of_the_steps() -> None:
    networks = build((12, 16, 16, 4), "tanh", architecture="recurrent", shape=(4, 3))
    x = torch.randn(1, 5, 12)
    changed = x.clone()
    changed[..., 6:] = 9.0
    assert torch.equal(networks(x), networks(changed))
    changed[..., 5] = 9.0
    assert not torch.equal(networks(x), networks(changed))


def test_a_skip_adds_what_the_formula_says() -> None:
    x = torch.randn(1, 5, 12)
    for kind, added in (("residual", "preactivations"), ("residual(preactivation=false)", "activation_outputs")):
        networks = build(WIDTHS, "tanh", architecture=kind)
        trace = networks.trace(x)
        below = x
        for layer in range(4):
            z = networks.hidden[layer].dense(below)
            if layer == 2:
                z = z + getattr(trace, added)[0]
            torch.testing.assert_close(trace.preactivations[layer], z)
            below = trace.activation_outputs[layer]


def test_the_input_joins_the_output_layer_of_a_wide_and_deep_network() -> None:
    networks = build(WIDTHS, "tanh", architecture="wide_and_deep")
    assert networks.output.weight.shape == (1, 16 + 12, 4)
    x = torch.randn(1, 5, 12)
    top = networks.trace(x).activation_outputs[-1]
    torch.testing.assert_close(networks(x), networks.output(torch.cat([top, x], 2)))


def test_orthogonal_weights_are_orthonormal_and_identity_weights_the_identity() -> None:
    networks = networks_of("mlp")
    square, first = networks.kernels[1][1].detach(), networks.kernels[0][1].detach()
    torch.testing.assert_close(square @ square.T, torch.eye(16), atol=1e-5, rtol=0)
    torch.testing.assert_close(first @ first.T, torch.eye(12), atol=1e-5, rtol=0)
    assert torch.equal(networks.kernels[1][2].detach(), torch.eye(16))
    assert not torch.equal(networks.kernels[0][2].detach(), torch.eye(12, 16))
    determinants = [
        torch.linalg.det(build((8, 8, 8, 2), initializers=["orthogonal"], seeds=[seed]).kernels[1][0]).item()
        for seed in range(40)
    ]
    assert 8 < sum(determinant > 0 for determinant in determinants) < 32  # Haar's are of both signs


@pytest.mark.parametrize("level", [level for level in REGULARIZERS if level.drops], ids=str)
def test_dropout_drops_its_share_anew_in_each_step_and_network(level) -> None:
    networks = build((8, 400, 4), "identity", regularization=str(level), initializers=["orthogonal"] * 2).train()
    (layer,) = networks.hidden[0].after
    x = torch.randn(2, 300, 400)
    first, second = layer(x), layer(x)
    alpha = level.name == "alpha_dropout"
    scale, shift = level.scale_and_shift if alpha else (1.0, 0.0)
    dropped = torch.tensor(scale * SELU_LIMIT + shift if alpha else 0.0)
    for out in (first, second):
        assert torch.isclose(out, dropped, atol=1e-6).float().mean().item() == pytest.approx(level.rate, abs=0.01)
        # Mean and, of alpha dropout, variance stay; dropout divides what is left.
        assert out.mean().item() == pytest.approx(0.0, abs=0.02)
        variance = 1.0 if alpha else 1 / (1 - level.rate)
        assert out.var().item() == pytest.approx(variance, rel=0.03)
    assert not torch.equal(first, second)
    assert not torch.equal(torch.isclose(first[0], dropped), torch.isclose(first[1], dropped))
    assert torch.equal(layer.eval()(x), x)


def test_alpha_dropout_is_torchs_in_its_moments() -> None:
    networks = build((8, 400, 4), "selu", regularization="alpha_dropout(0.2)").train()
    (layer,) = networks.hidden[0].after
    x = F.selu(torch.randn(1, 500, 400))
    ours, theirs = layer(x), F.alpha_dropout(x, 0.2, training=True)
    assert ours.mean().item() == pytest.approx(theirs.mean().item(), abs=0.01)
    assert ours.var().item() == pytest.approx(theirs.var().item(), rel=0.01)
    assert ours.min().item() == pytest.approx(theirs.min().item(), abs=0.01)
