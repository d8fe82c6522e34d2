"""Activation functions φ(z). An entry has φ twice: in NumPy for the theory, and as a stacked layer."""

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from .level import Level, Positive, Registry, Share
from .special import Array, expit, ndtr

if TYPE_CHECKING:
    from torch import nn

    from ..networks.context import LayerContext

Scalar = Callable[[Array], Array]

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805
"""Klambauer et al. 2017, eq. 14."""


class Activation(Level):
    """A function of each pre-activation by itself."""

    theory = "Poole et al. 2016; Schoenholz et al. 2017; Hayou et al. 2019"
    plain: ClassVar[bool] = True
    """Whether it is a function and nothing else: no slope is learned or random."""

    def branches(self) -> tuple[Scalar, ...]:
        """Return φ in NumPy: one function, or as many equally likely ones as a random activation takes."""
        raise NotImplementedError

    def build(self, context: "LayerContext") -> "nn.Module":
        """Return φ as a layer on ``[network, batch, unit]``, which rounds alike wherever an element stands."""
        raise NotImplementedError


ACTIVATIONS = Registry[Activation]("activation")


def _relu(slope: float) -> Scalar:
    return lambda z: np.where(z > 0, z, slope * z)


def _elu(alpha: float, scale: float) -> Scalar:
    return lambda z: scale * np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0)))


def _swish(beta: float) -> Scalar:
    return lambda z: z * expit(beta * z)


@ACTIVATIONS.register
class Sigmoid(Activation):
    name, formula, source = "sigmoid", "1 / (1 + exp(-z))", "logistic function"

    def branches(self) -> tuple[Scalar, ...]:
        return (expit,)

    def build(self, context: "LayerContext") -> "nn.Module":
        return context.sigmoid()


@ACTIVATIONS.register
class Tanh(Activation):
    name, formula, source = "tanh", "tanh z", "LeCun et al. 1998, section 4.4"

    def branches(self) -> tuple[Scalar, ...]:
        return (np.tanh,)

    def build(self, context: "LayerContext") -> "nn.Module":
        return context.tanh()


@ACTIVATIONS.register
class ReLU(Activation):
    name, formula, source = "relu", "max(z, 0)", "Nair & Hinton 2010"

    def branches(self) -> tuple[Scalar, ...]:
        return (_relu(0.0),)

    def build(self, context: "LayerContext") -> "nn.Module":
        return context.relu()


@ACTIVATIONS.register
class LeakyReLU(Activation):
    """Keras's default slope; PyTorch's is 0.01."""

    name, formula, source = "leaky_relu", "max(z, slope·z)", "Maas et al. 2013"
    slope: Share = 0.3

    def branches(self) -> tuple[Scalar, ...]:
        return (_relu(self.slope),)

    def build(self, context: "LayerContext") -> "nn.Module":
        return context.leaky_relu(self.slope)


@ACTIVATIONS.register
class RReLU(Activation):
    """The slope is random while training, and its mean afterwards."""

    name, formula, source = "rrelu", "max(z, slope·z), slope ~ U(lower, upper)", "Xu et al. 2015"
    plain = False
    lower: Share = 0.125
    upper: Share = 0.3333333333333333

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.lower > self.upper:
            raise ValueError(f"lower = {self.lower} above upper = {self.upper}")

    def branches(self) -> tuple[Scalar, ...]:
        # Gauss-Legendre's two nodes: the slope's mean and mean square over U(lower, upper) are exact.
        middle, half = (self.lower + self.upper) / 2, (self.upper - self.lower) / 2
        return tuple(_relu(middle + half * sign / np.sqrt(3)) for sign in (-1, 1))

    def build(self, context: "LayerContext") -> "nn.Module":
        return context.rrelu(self.lower, self.upper)


@ACTIVATIONS.register
class PReLU(Activation):
    """As in Keras one learned slope for each unit, from 0; PyTorch has one for all, from 0.25."""

    name, formula, source = "prelu", "max(z, slope·z), slope learned from start", "He et al. 2015"
    plain = False
    start: Share = 0.0

    def branches(self) -> tuple[Scalar, ...]:
        return (_relu(self.start),)

    def build(self, context: "LayerContext") -> "nn.Module":
        return context.prelu(self.start)


@ACTIVATIONS.register
class ELU(Activation):
    name, formula, source = "elu", "z if z > 0 else alpha·(exp z - 1)", "Clevert et al. 2016"
    alpha: Positive = 1.0

    def branches(self) -> tuple[Scalar, ...]:
        return (_elu(self.alpha, 1.0),)

    def build(self, context: "LayerContext") -> "nn.Module":
        return context.elu(self.alpha)


@ACTIVATIONS.register
class SELU(Activation):
    name, formula, source = "selu", "1.0507·(z if z > 0 else 1.6733·(exp z - 1))", "Klambauer et al. 2017"

    def branches(self) -> tuple[Scalar, ...]:
        return (_elu(SELU_ALPHA, SELU_SCALE),)

    def build(self, context: "LayerContext") -> "nn.Module":
        return context.selu()


@ACTIVATIONS.register
class GELU(Activation):
    name, formula, source = "gelu", "z·Φ(z)", "Hendrycks & Gimpel 2016"

    def branches(self) -> tuple[Scalar, ...]:
        return (lambda z: z * ndtr(z),)

    def build(self, context: "LayerContext") -> "nn.Module":
        return context.gelu()


@ACTIVATIONS.register
class GELUSigmoid(Activation):
    name, formula, source = "gelu_sigmoid", "z·sigmoid(scale·z)", "Hendrycks & Gimpel 2016, section 2"
    scale: Positive = 1.702

    def branches(self) -> tuple[Scalar, ...]:
        return (_swish(self.scale),)

    def build(self, context: "LayerContext") -> "nn.Module":
        return context.swish(self.scale)


@ACTIVATIONS.register
class Swish(Activation):
    name, formula, source = "swish", "z·sigmoid(beta·z)", "Ramachandran et al. 2017"
    beta: Positive = 1.0

    def branches(self) -> tuple[Scalar, ...]:
        return (_swish(self.beta),)

    def build(self, context: "LayerContext") -> "nn.Module":
        return context.swish(self.beta)


@ACTIVATIONS.register
class Mish(Activation):
    name, formula, source = "mish", "z·tanh(ln(1 + exp z))", "Misra 2019"

    def branches(self) -> tuple[Scalar, ...]:
        return (lambda z: z * np.tanh(np.logaddexp(0, z)),)

    def build(self, context: "LayerContext") -> "nn.Module":
        return context.mish()


@ACTIVATIONS.register
class Softplus(Activation):
    name, formula, source = "softplus", "ln(1 + exp z)", "Dugas et al. 2001"

    def branches(self) -> tuple[Scalar, ...]:
        return (lambda z: np.logaddexp(0, z),)

    def build(self, context: "LayerContext") -> "nn.Module":
        return context.softplus()


@ACTIVATIONS.register
class HardSigmoid(Activation):
    """As in Keras 3 and PyTorch; Keras 2 had a slope of 0.2."""

    name, formula, source = "hard_sigmoid", "min(max(z + 3, 0), 6) / 6", "Courbariaux et al. 2015, section 2.2"

    def branches(self) -> tuple[Scalar, ...]:
        return (lambda z: np.clip(z + 3, 0, 6) / 6,)

    def build(self, context: "LayerContext") -> "nn.Module":
        return context.hard_sigmoid()


@ACTIVATIONS.register
class Identity(Activation):
    """A deep linear network."""

    name, formula, source = "identity", "z", "Saxe et al. 2014"

    def branches(self) -> tuple[Scalar, ...]:
        return (lambda z: z,)

    def build(self, context: "LayerContext") -> "nn.Module":
        return context.identity()
