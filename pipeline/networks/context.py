"""Where in a stack a layer stands, and the layers that an axis's entry may choose from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..axes.activations import SELU_ALPHA, SELU_SCALE
from . import elementwise
from .activations import Elementwise, Formula, StackedPReLU, StackedRReLU
from .dropout import StackedAlphaDropout, StackedDropout
from .normalization import StackedBatchNorm, StackedLayerNorm


@dataclass(frozen=True)
class LayerContext:
    """A place in a stack. Its methods return layers on ``[network, batch, unit]``, of this place's size."""

    layer: int
    """The hidden layer, from 0; -1 is the input."""
    units: int
    seeds: Sequence[int]
    """Each network's seed."""

    def sigmoid(self) -> nn.Module:
        """Return 1 / (1 + exp(-z))."""
        return Elementwise(elementwise.Sigmoid.apply, (), nn.Sigmoid())

    def tanh(self) -> nn.Module:
        """Return tanh z."""
        return Elementwise(elementwise.Tanh.apply, (), nn.Tanh())

    def relu(self) -> nn.Module:
        """Return max(z, 0)."""
        return nn.ReLU()

    def leaky_relu(self, slope: float) -> nn.Module:
        """Return max(z, slope · z)."""
        return nn.LeakyReLU(slope)

    def rrelu(self, lower: float, upper: float) -> nn.Module:
        """Return max(z, slope · z), with slopes drawn from U(lower, upper) while training."""
        return StackedRReLU(self.seeds, self.layer, lower, upper)

    def prelu(self, start: float) -> nn.Module:
        """Return max(z, slope · z), with a slope learned for each unit."""
        return StackedPReLU(len(self.seeds), self.units, start)

    def elu(self, alpha: float) -> nn.Module:
        """Return z where it is above 0, else alpha · (exp z - 1)."""
        return Elementwise(elementwise.ELU.apply, (alpha, 1.0), nn.ELU(alpha))

    def selu(self) -> nn.Module:
        """Return ELU with the two constants of Klambauer et al. 2017."""
        return Elementwise(elementwise.ELU.apply, (SELU_ALPHA, SELU_SCALE), nn.SELU())

    def gelu(self) -> nn.Module:
        """Return z · Φ(z)."""
        return Elementwise(elementwise.GELU.apply, (), nn.GELU())

    def swish(self, beta: float) -> nn.Module:
        """Return z · sigmoid(beta · z)."""
        plain = nn.SiLU() if beta == 1 else Formula(lambda z: z * torch.sigmoid(beta * z))
        return Elementwise(elementwise.Swish.apply, (beta,), plain)

    def mish(self) -> nn.Module:
        """Return z · tanh(ln(1 + exp z))."""
        return Elementwise(elementwise.Mish.apply, (), nn.Mish())

    def softplus(self) -> nn.Module:
        """Return ln(1 + exp z)."""
        return Elementwise(elementwise.Softplus.apply, (), nn.Softplus())

    def hard_sigmoid(self) -> nn.Module:
        """Return min(max(z + 3, 0), 6) / 6."""
        return Elementwise(elementwise.hard_sigmoid, (), nn.Hardsigmoid())

    def identity(self) -> nn.Module:
        """Return z."""
        return nn.Identity()

    def formula(self, formula: Callable[[Tensor], Tensor]) -> nn.Module:
        """Return a formula of torch operations as a layer.

        Arithmetic, ``abs``, ``sign`` and ``clamp`` round alike wherever an element stands. For ``exp``, ``sqrt`` and
        ``tanh`` see `pipeline.networks.elementwise`: torch's own differ between kinds of processors.
        """
        return Formula(formula)

    def batch_norm(self, momentum: float, eps: float, affine: bool = True) -> nn.Module:
        """Return batch norm of every network and unit by itself."""
        return StackedBatchNorm(len(self.seeds), self.units, momentum, eps, affine)

    def layer_norm(self, eps: float) -> nn.Module:
        """Return layer norm of every network and sample by itself."""
        return StackedLayerNorm(len(self.seeds), self.units, eps)

    def dropout(self, rate: float) -> nn.Module:
        """Return dropout."""
        return StackedDropout(self.seeds, self.layer, rate)

    def alpha_dropout(self, rate: float, scale: float, shift: float) -> nn.Module:
        """Return dropout to SELU's limit, the output then scaled and shifted."""
        return StackedAlphaDropout(self.seeds, self.layer, rate, scale, shift)
