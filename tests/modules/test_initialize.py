"""Anyone's networks, initialised by theory: their signals' variances are measured, and compared with the prediction."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.errors import FunctionError, LevelError
from pipeline.modules.graph import Weighted
from pipeline.modules.initialize import Initialization, initialize_

DEPTH, WIDTH, SAMPLES = 50, 256, 64


class Plain(nn.Sequential):
    def __init__(self, activation: type[nn.Module], depth: int = DEPTH, width: int = WIDTH) -> None:
        hidden = [layer for _ in range(depth) for layer in (nn.Linear(width, width), activation())]
        super().__init__(*hidden, nn.Linear(width, 10))


class Residual(nn.Module):
    """Pre-activation blocks on a stream that nothing normalises."""

    def __init__(self, blocks: int = DEPTH // 2, width: int = WIDTH) -> None:
        super().__init__()
        self.stem, self.head = nn.Linear(width, width), nn.Linear(width, 10)
        self.first = nn.ModuleList(nn.Linear(width, width) for _ in range(blocks))
        self.second = nn.ModuleList(nn.Linear(width, width) for _ in range(blocks))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for first, second in zip(self.first, self.second, strict=True):
            x = x + second(F.gelu(first(F.gelu(x))))
        return self.head(F.gelu(x))


class Cnn(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 64, 3, padding="same", padding_mode="circular"), nn.ReLU(),
            nn.Conv2d(64, 64, 3, padding="same", padding_mode="circular"), nn.ReLU(), nn.Dropout(0.2),
            nn.Conv2d(64, 128, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(128 * 7 * 7, 128), nn.Tanh(),
            nn.Linear(128, 10),
        )  # fmt: skip


class Block(nn.Module):
    """He et al. 2016: batch norm behind each convolution, and a shortcut with weights where the size changes."""

    def __init__(self, into: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(into, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out)
        self.conv2, self.bn2 = nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out)
        self.shortcut = nn.Sequential()
        if stride > 1:
            self.shortcut = nn.Sequential(nn.Conv2d(into, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(out + self.shortcut(x))


class ResNet(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
            Block(32, 32, 1), Block(32, 64, 2), Block(64, 64, 1),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
        )  # fmt: skip


class TransformerMlp(nn.Module):
    """The feed-forward halves of a transformer, normalised before each."""

    def __init__(self, blocks: int = 8, width: int = 128) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(blocks))
        self.up = nn.ModuleList(nn.Linear(width, 4 * width) for _ in range(blocks))
        self.down = nn.ModuleList(nn.Linear(4 * width, width) for _ in range(blocks))
        self.drop = nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        for norm, up, down in zip(self.norms, self.up, self.down, strict=True):
            x = x + self.drop(down(F.gelu(up(norm(x)), approximate="tanh")))
        return x


def measured(module: nn.Module, x: Tensor) -> dict[str, float]:
    """Return the mean square of every layer's output, while training."""
    found: dict[str, float] = {}
    hooks = [
        layer.register_forward_hook(lambda _, __, out, name=name: found.update({name: float(out.square().mean())}))
        for name, layer in module.named_modules()
        if isinstance(layer, Weighted)
    ]
    with torch.no_grad():
        module.train()(x)
    for hook in hooks:
        hook.remove()
    return found


def ratios(module: nn.Module, done: Initialization, x: Tensor) -> list[float]:
    """Return each layer's measured variance over the predicted one."""
    found = measured(module, x)
    return [found[layer.name] / layer.variance for layer in done.layers if layer.variance]


def drawn(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("activation", [nn.GELU, nn.Tanh, nn.SELU, nn.ReLU])
def test_fifty_layers_keep_the_variance_where_pytorchs_default_does_not(activation: type[nn.Module]) -> None:
    torch.manual_seed(0)
    network, x = Plain(activation), torch.randn(SAMPLES, WIDTH)
    before = [*measured(network, x).values()][:DEPTH]
    assert before[-1] < before[0] / 50
    done = initialize_(network, generator=drawn())
    after = [*measured(network, x).values()][:DEPTH]
    assert max(after) < 4 * min(after)
    assert all(1 / 4 < ratio < 4 for ratio in ratios(network, done, x)[:DEPTH])
    assert not done.left


def test_a_residual_network_keeps_it_and_its_stream_at_most_doubles() -> None:
    torch.manual_seed(0)
    network, x = Residual(), torch.randn(SAMPLES, WIDTH)
    before = [value for name, value in measured(network, x).items() if name.startswith("second")]
    done = initialize_(network, generator=drawn())
    assert all(1 / 2 < ratio < 2 for ratio in ratios(network, done, x))
    ends = [layer for layer in done.layers if layer.residual > 1]
    assert [layer.name for layer in ends] == [f"second.{block}" for block in range(DEPTH // 2)]
    assert all(layer.residual == DEPTH // 2 for layer in ends)
    stream = done.layers[0].variance
    assert sum(layer.variance for layer in ends) == pytest.approx(stream)
    assert max(before) / min(before) > 1  # the default's branches are of any size


@pytest.mark.parametrize(
    ("network", "shape", "off"),
    [(Cnn, (3, 16, 16), 3.0), (ResNet, (3, 16, 16), 4.0), (TransformerMlp, (128,), 1.2)],
    ids=["plain CNN", "ResNet", "transformer MLP"],
)
def test_networks_as_people_write_them_have_the_predicted_variances(
    network: type[nn.Module], shape: tuple[int, ...], off: float
) -> None:
    torch.manual_seed(0)
    module, x = network(), torch.randn(SAMPLES, *shape)
    done = initialize_(module, generator=drawn())
    assert not done.left
    assert len(done.layers) == len([one for one in module.modules() if isinstance(one, Weighted)])
    assert all(1 / off < ratio < off for ratio in ratios(module, done, x)), (ratios(module, done, x), str(done))


def test_batch_norm_at_the_end_of_a_branch_scales_it() -> None:
    network = ResNet()
    initialize_(network)
    scales = {
        name: float(one.weight.detach()[0]) for name, one in network.named_modules() if isinstance(one, nn.BatchNorm2d)
    }
    assert {name for name, scale in scales.items() if scale != 1} == {"3.bn2", "4.bn2", "5.bn2"}
    assert scales["3.bn2"] == pytest.approx(3**-0.5)


def test_the_same_seed_draws_the_same_weights_and_no_other_random_numbers_are_taken() -> None:
    one, other = Plain(nn.Tanh, 3, 8), Plain(nn.Tanh, 3, 8)
    before = torch.get_rng_state()
    initialize_(one, generator=drawn(7))
    initialize_(other, generator=drawn(7))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize(
    ("scheme", "layer", "variance"),
    [
        ("he_normal", nn.Linear(200, 300), 2 / 200),
        ("lecun_uniform", nn.Linear(200, 300), 1 / 200),
        ("glorot_uniform", nn.Linear(200, 300), 2 / 500),
        ("he_uniform", nn.Conv2d(32, 64, 3), 2 / (32 * 9)),
        ("glorot_normal", nn.Conv2d(32, 64, 3), 2 / (96 * 9)),
        ("lecun_normal", nn.Conv2d(32, 64, 3, groups=4), 1 / (8 * 9)),
        ("lecun_normal", nn.ConvTranspose2d(64, 64, 4, stride=2), 1 / (64 * 4)),
        ("orthogonal", nn.Linear(200, 300), 1 / 300),
        ("standard_normal", nn.Linear(200, 300), 1.0),
    ],
)
def test_a_scheme_draws_its_variance(scheme: str, layer: nn.Module, variance: float) -> None:
    done = initialize_(nn.Sequential(layer, nn.ReLU()), scheme, generator=drawn())
    assert float(layer.weight.detach().square().mean()) == pytest.approx(variance, rel=0.05)
    assert done.layers[0].gain == pytest.approx((variance * done.layers[0].fan_in) ** 0.5)
    assert not layer.bias.any()


class Swish(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(x)


class Gated(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up, self.gate, self.down = nn.Linear(256, 256), nn.Linear(256, 256), nn.Linear(256, 256)
        self.act = Swish()

    def forward(self, x: Tensor) -> Tensor:
        return self.down(self.act(self.gate(x)) * self.up(x))


def test_a_function_of_ones_own_is_found_and_a_gate_multiplies() -> None:
    torch.manual_seed(0)
    network, x = Gated(), torch.randn(SAMPLES, 256)
    done = initialize_(network, generator=drawn())
    found = {layer.name: layer.activation for layer in done.layers}
    assert found == {"up": "identity", "gate": "Swish", "down": "identity"}
    assert all(ratio == pytest.approx(1, rel=0.25) for ratio in ratios(network, done, x))


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)
        self.attention = nn.MultiheadAttention(8, 2)
        self.unused = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        h = torch.relu(h) + torch.tanh(h)
        return torch.softmax(self.b(h), dim=-1) @ x


def test_what_cannot_be_placed_is_named_and_left_as_it_is() -> None:
    network = Branching()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    done = initialize_(network)
    assert {one.name: one.why for one in done.left} == {
        "a": "several activations follow it: relu, tanh; name one in `activations`",
        "b": "of what follows it, `softmax`, the theory knows nothing; name it in `activations`",
        "attention": "MultiheadAttention is no linear or convolutional layer",
        "attention.out_proj": "it is not called by itself",
        "unused": "it is not called by itself",
    }
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert "left as it is: a: several activations" in str(done)
    told = initialize_(network, activations={"a": "relu"})
    assert [layer.name for layer in told.layers] == ["a"]


class Untraceable(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(256, 256), nn.Linear(256, 256)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(F.gelu(self.first(x))) if x.sum() > -1e9 else x


def test_a_module_that_cannot_be_traced_asks_for_its_activations() -> None:
    torch.manual_seed(0)
    network, x = Untraceable(), torch.randn(SAMPLES, 256)
    with pytest.raises(FunctionError, match=r"Untraceable: cannot be traced .*activations=\{'first': …, 'second': …\}"):
        initialize_(network)
    done = initialize_(network, activations={"first": "gelu", "second": "identity"}, generator=drawn())
    assert all(ratio == pytest.approx(1, rel=0.2) for ratio in ratios(network, done, x))


def test_bad_input_is_named() -> None:
    with pytest.raises(LevelError, match="did you mean 'critical'"):
        initialize_(Plain(nn.Tanh, 2, 4), "crit")
    with pytest.raises(LevelError, match="is for layers of one width"):
        initialize_(Plain(nn.Tanh, 2, 4), "identity")
    with pytest.raises(FunctionError, match="activations: 'fc' is no linear or convolutional layer"):
        initialize_(Plain(nn.Tanh, 2, 4), activations={"fc": "relu"})
    with pytest.raises(ValueError, match="input_square: found 0; allowed: a positive number"):
        initialize_(Plain(nn.Tanh, 2, 4), input_square=0)
    lazy = nn.Sequential(nn.LazyLinear(3), nn.ReLU())
    assert initialize_(lazy).left[0].why == "its shape is not known before the module is called"
