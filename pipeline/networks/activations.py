"""Activation layers of a stack.

A plain ``torch.nn`` module does not care how many networks a tensor holds, and serves where it also rounds alike in
any stack (see `elementwise`). The two whose slope belongs to the network, learned in PReLU and random in RReLU, have
stacked forms here.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from . import elementwise
from .seeds import counter_uniform, stream_keys


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


class Formula(nn.Module):
    """A formula of torch operations, each of which rounds alike wherever an element stands."""

    def __init__(self, formula: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.formula = formula

    def forward(self, z: Tensor) -> Tensor:
        """Return the activation of z, element by element."""
        return self.formula(z)


class StackedPReLU(nn.Module):
    """max(z, 0) + slope · min(z, 0), a learned slope for each unit of each network (as in Keras)."""

    def __init__(self, networks: int, units: int, start: float) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.full((networks, 1, units), start))

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

    def __init__(self, seeds: Sequence[int], layer: int, lower: float, upper: float) -> None:
        super().__init__()
        self.lower, self.upper = lower, upper
        self.register_buffer("keys", stream_keys(seeds, "rrelu", layer), persistent=False)
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
