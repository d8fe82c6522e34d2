"""Activation functions: one line of mathematics beside the name and its source.

A plain ``torch.nn`` module does not care how many networks a tensor holds, and serves where it also rounds alike in
any stack (see `elementwise`). The two whose slope belongs to the network, learned in PReLU and random in RReLU, have
stacked forms here.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.networks import elementwise
from pipeline.networks.seeds import counter_uniform, stream_keys
from pipeline.params import Activations
from pipeline.theory.functions import SELU_ALPHA, SELU_SCALE


@dataclass(frozen=True)
class Place:
    """Where in a stack an activation stands."""

    layer: int
    """The hidden layer, from 0."""
    units: int
    seeds: Sequence[int]
    """Each network's seed."""


class Elementwise(nn.Module):
    """An activation without parameters of its own: a function that rounds alike in any stack, and its plain module."""

    def __init__(self, function: Callable[..., Any], constants: tuple[float, ...], plain: nn.Module) -> None:
        super().__init__()
        self.function, self.constants, self.plain = function, constants, plain

    def forward(self, z: Tensor) -> Tensor:
        """Return the activation of z, element by element."""
        return self.function(z, *self.constants)  # type: ignore[no-any-return]

    def unstack(self, network: int) -> nn.Module:  # noqa: ARG002
        """Return the plain module: it is the same for all networks of a stack."""
        return deepcopy(self.plain)


class ScaledSwish(nn.Module):
    """z · sigmoid(beta · z): what ``torch.nn`` has for beta = 1 alone."""

    def __init__(self, beta: float) -> None:
        super().__init__()
        self.beta = beta

    def forward(self, z: Tensor) -> Tensor:
        """Return the activation of z, element by element."""
        return z * torch.sigmoid(self.beta * z)

    def extra_repr(self) -> str:
        """Return what ``repr`` shows."""
        return f"beta={self.beta}"


class StackedPReLU(nn.Module):
    """max(z, 0) + slope · min(z, 0), a learned slope for each unit of each network (as in Keras)."""

    def __init__(self, start: float, place: Place) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.full((len(place.seeds), 1, place.units), start))

    def forward(self, z: Float[Tensor, "network batch unit"]) -> Float[Tensor, "network batch unit"]:
        """Return the activation of z."""
        return elementwise.SlopedReLU.apply(z, self.slope)  # type: ignore[no-any-return, no-untyped-call]

    def unstack(self, network: int) -> nn.PReLU:
        """Return one network's activation."""
        plain = nn.PReLU(self.slope.shape[-1])
        plain.weight.data.copy_(self.slope.data[network, 0])
        return plain


class StackedRReLU(nn.Module):
    """max(z, 0) + slope · min(z, 0); slope ~ U(lower, upper) anew for each element while training, then its mean."""

    keys: Tensor
    step: Tensor

    def __init__(self, lower: float, upper: float, place: Place) -> None:
        super().__init__()
        self.lower, self.upper = lower, upper
        self.register_buffer("keys", stream_keys(place.seeds, "rrelu", place.layer), persistent=False)
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    def forward(self, z: Float[Tensor, "network batch unit"]) -> Float[Tensor, "network batch unit"]:
        """Return the activation of z."""
        if not self.training:
            return F.leaky_relu(z, (self.lower + self.upper) / 2)
        u = counter_uniform(self.keys, self.step, z.shape[1], z.shape[2])
        self.step += 1
        slope = u.mul_(self.upper - self.lower).add_(self.lower)
        return elementwise.SlopedReLU.apply(z, slope)  # type: ignore[no-any-return, no-untyped-call]

    def unstack(self, network: int) -> nn.RReLU:  # noqa: ARG002
        """Return one network's activation; in training mode its slopes come from PyTorch's stream."""
        return nn.RReLU(self.lower, self.upper)


@dataclass(frozen=True)
class Activation:
    """A registry entry."""

    formula: str
    source: str
    build: Callable[[Any, Place], nn.Module]
    """From the activation's settings in ``params.yaml`` and its place to a module on ``[network, batch, unit]``."""


def _swish(beta: float) -> nn.Module:
    return Elementwise(elementwise.Swish.apply, (beta,), nn.SiLU() if beta == 1 else ScaledSwish(beta))


ACTIVATIONS: dict[str, Activation] = {
    "sigmoid": Activation(
        "1 / (1 + exp(-z))", "logistic function",
        lambda _s, _p: Elementwise(elementwise.Sigmoid.apply, (), nn.Sigmoid()),
    ),
    "tanh": Activation(
        "tanh z", "LeCun et al. 1998, section 4.4",
        lambda _s, _p: Elementwise(elementwise.Tanh.apply, (), nn.Tanh()),
    ),
    "relu": Activation(
        "max(z, 0)", "Nair & Hinton 2010",
        lambda _s, _p: nn.ReLU(),
    ),
    "leaky_relu": Activation(
        "max(z, slope·z)", "Maas et al. 2013",
        lambda s, _p: nn.LeakyReLU(s.slope),
    ),
    "rrelu": Activation(
        "max(z, slope·z), slope ~ U(lower, upper)", "Xu et al. 2015",
        lambda s, p: StackedRReLU(s.lower, s.upper, p),
    ),
    "prelu": Activation(
        "max(z, slope·z), slope learned", "He et al. 2015",
        lambda s, p: StackedPReLU(s.start, p),
    ),
    "elu": Activation(
        "z if z > 0 else alpha·(exp z - 1)", "Clevert et al. 2016",
        lambda s, _p: Elementwise(elementwise.ELU.apply, (s.alpha, 1.0), nn.ELU(s.alpha)),
    ),
    "selu": Activation(
        "1.0507·(z if z > 0 else 1.6733·(exp z - 1))", "Klambauer et al. 2017",
        lambda _s, _p: Elementwise(elementwise.ELU.apply, (SELU_ALPHA, SELU_SCALE), nn.SELU()),
    ),
    "gelu": Activation(
        "z·Φ(z)", "Hendrycks & Gimpel 2016",
        lambda _s, _p: nn.GELU(),
    ),
    "gelu_sigmoid": Activation(
        "z·sigmoid(scale·z)", "Hendrycks & Gimpel 2016, section 2",
        lambda s, _p: _swish(s.scale),
    ),
    "swish": Activation(
        "z·sigmoid(beta·z)", "Ramachandran et al. 2017",
        lambda s, _p: _swish(s.beta),
    ),
    "mish": Activation(
        "z·tanh(ln(1 + exp z))", "Misra 2019",
        lambda _s, _p: Elementwise(elementwise.Mish.apply, (), nn.Mish()),
    ),
}  # fmt: skip


def build_activation(name: str, settings: Activations, place: Place) -> nn.Module:
    """Return an activation for one hidden layer of a stack."""
    return ACTIVATIONS[name].build(getattr(settings, name), place)
