"""Initializers: a distribution, and the variances of weights and biases from a layer's fan-in and fan-out.

The distributions are Keras's: a ``*_normal`` initializer draws from a normal truncated at two standard deviations and
rescaled to keep its variance, a ``*_uniform`` one from U(-r, r) with r = sqrt(3 · variance). Biases start at 0, but for
those of ``critical``.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

from .level import Level, NotNegative, Positive, Registry

if TYPE_CHECKING:
    from ..theory.edge import Edge

Distribution = Literal["normal", "truncated_normal", "uniform", "orthogonal", "identity"]


class Variances(NamedTuple):
    """Of the entries of one layer's weights, and of its biases."""

    weight: float
    bias: float


class Law(NamedTuple):
    """What one layer's weights and biases are drawn from."""

    distribution: Distribution
    variances: Variances


@dataclass(frozen=True)
class WeightContext:
    """What an initializer may know of a layer."""

    fan_in: int
    fan_out: int
    first: bool
    last: bool
    """Whether it is the output layer."""
    input_square: float
    """Mean square of a feature of the network's input."""
    edge: "Callable[[], Edge]"
    """Returns the activation's point on the edge of chaos; `FunctionError` where it has none."""


class Initializer(Level):
    """How weights and biases are drawn."""

    theory = "Poole et al. 2016; Schoenholz et al. 2017"
    distribution: ClassVar[Distribution]
    fitted: ClassVar[bool] = False
    """Whether it looks at the activation and the data."""
    free: ClassVar[bool] = False
    """Whether its variances are whatever they are set to: then nobody can say how it does without them."""
    output: Literal["same", "glorot_uniform"] = field(default="same", kw_only=True)
    """The output layer's law: the hidden layers', or glorot_uniform, which Keras takes where none is named."""

    def law(self, layer: WeightContext) -> Law:
        """Return how a layer's weights and biases are drawn."""
        if layer.last and self.output == "glorot_uniform":
            return Law("uniform", _glorot(layer))
        return Law(self.distribution_of(layer), self.variances(layer))

    def distribution_of(self, layer: WeightContext) -> Distribution:
        """Return the distribution in one layer."""
        del layer
        return self.distribution

    def variances(self, layer: WeightContext) -> Variances:
        """Return the variances in one layer."""
        raise NotImplementedError


def _glorot(layer: WeightContext) -> Variances:
    return Variances(2 / (layer.fan_in + layer.fan_out), 0.0)


INITIALIZERS = Registry[Initializer]("initializer")


class _Glorot(Initializer):
    formula = "variance scale/fan_avg"
    scale: Positive = 1.0

    def variances(self, layer: WeightContext) -> Variances:
        return Variances(2 * self.scale / (layer.fan_in + layer.fan_out), 0.0)


class _LeCun(Initializer):
    formula = "variance 1/fan_in"

    def variances(self, layer: WeightContext) -> Variances:
        return Variances(1 / layer.fan_in, 0.0)


class _He(Initializer):
    formula = "variance 2/fan_in"

    def variances(self, layer: WeightContext) -> Variances:
        return Variances(2 / layer.fan_in, 0.0)


@INITIALIZERS.register
class StandardNormal(Initializer):
    name, formula, distribution = "standard_normal", "variance 1", "normal"
    source = "the classical default; Glorot & Bengio 2010, section 4.2.1, warn of it"

    def variances(self, layer: WeightContext) -> Variances:
        return Variances(1.0, 0.0)


@INITIALIZERS.register
class GlorotNormal(_Glorot):
    name, distribution, source = "glorot_normal", "truncated_normal", "Glorot & Bengio 2010, eq. 12"


@INITIALIZERS.register
class GlorotUniform(_Glorot):
    name, distribution, source = "glorot_uniform", "uniform", "Glorot & Bengio 2010, eq. 16"


@INITIALIZERS.register
class LeCunNormal(_LeCun):
    name, distribution, source = "lecun_normal", "truncated_normal", "LeCun et al. 1998, eq. 16"


@INITIALIZERS.register
class LeCunUniform(_LeCun):
    name, distribution, source = "lecun_uniform", "uniform", "LeCun et al. 1998, eq. 16"


@INITIALIZERS.register
class HeNormal(_He):
    name, distribution, source = "he_normal", "truncated_normal", "He et al. 2015, eq. 10"


@INITIALIZERS.register
class HeUniform(_He):
    name, distribution, source = "he_uniform", "uniform", "He et al. 2015, eq. 10"


@INITIALIZERS.register
class Critical(Initializer):
    """The first layer's signal starts at the fixed point q*."""

    name, distribution, fitted = "critical", "normal", True
    formula = "variances σ_w²/fan_in and σ_b² on the activation's edge of chaos"
    source = "Schoenholz et al. 2017; Hayou et al. 2019"

    def variances(self, layer: WeightContext) -> Variances:
        edge = layer.edge()
        if layer.first:
            return Variances((edge.q - edge.bias_variance) / (layer.fan_in * layer.input_square), edge.bias_variance)
        return Variances(edge.weight_variance / layer.fan_in, edge.bias_variance)


@INITIALIZERS.register
class Gaussian(Initializer):
    """Any point of the plane in which the edge of chaos is a curve."""

    name, distribution, free = "gaussian", "normal", True
    formula, source = "variances weight/fan_in and bias", "Poole et al. 2016, eq. 1: σ_w² and σ_b²"
    weight: Positive = 1.0
    bias: NotNegative = 0.0

    def variances(self, layer: WeightContext) -> Variances:
        return Variances(self.weight / layer.fan_in, self.bias)


@INITIALIZERS.register
class Orthogonal(Initializer):
    """Gaussian weights made orthonormal, in rectangular layers their rows or columns."""

    name, distribution = "orthogonal", "orthogonal"
    theory = "as of independent weights of that variance; Pennington et al. 2017"
    formula, source = "gain·Q of a QR decomposition of Gaussian weights", "Saxe et al. 2014, section 3"
    gain: Positive = 1.0

    def variances(self, layer: WeightContext) -> Variances:
        return Variances(self.gain**2 / max(layer.fan_in, layer.fan_out), 0.0)


@INITIALIZERS.register
class IdentityWeights(Initializer):
    """Square layers above the first; the others are drawn as by glorot_uniform, Keras's default."""

    name, distribution, theory = "identity", "identity", ""
    formula, source = "scale·I between layers, or steps, of one width", "Le, Jaitly & Hinton 2015"
    scale: Positive = 1.0

    def distribution_of(self, layer: WeightContext) -> Distribution:
        return "identity" if self._square(layer) else "uniform"

    def variances(self, layer: WeightContext) -> Variances:
        if self._square(layer):
            return Variances(self.scale**2 / layer.fan_in, 0.0)
        return _glorot(layer)

    def _square(self, layer: WeightContext) -> bool:
        return layer.fan_in == layer.fan_out and not layer.first
