"""Initializers: a law, and variances of the weights and biases from the layer's fan-in and fan-out.

The laws are Keras's, as in the source: a ``*_normal`` law is a normal truncated at two standard deviations and
rescaled to keep its variance, a ``*_uniform`` law is uniform on [-r, r] with r = sqrt(3 · variance). Biases start at 0,
but for those of ``critical``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

from pipeline.params import Initializer as InitializerName
from pipeline.theory.edge import edge_of_chaos
from pipeline.theory.functions import Function

Law = Literal["normal", "truncated_normal", "uniform"]


class Scale(NamedTuple):
    """Variances in one layer."""

    weight: float
    bias: float


class Place(NamedTuple):
    """What an initializer may know of a layer."""

    fan_in: int
    fan_out: int
    first: bool
    input_square: float
    """Mean square of a feature of the network's input."""
    function: Function
    """The activation of the hidden layers."""


@dataclass(frozen=True)
class Initializer:
    """A registry entry."""

    law: Law
    scale: Callable[[Place], Scale]
    source: str


def _critical(place: Place) -> Scale:
    edge = edge_of_chaos(place.function)
    if place.first:  # the signal starts at q*
        return Scale((edge.q - edge.bias_variance) / (place.fan_in * place.input_square), edge.bias_variance)
    return Scale(edge.weight_variance / place.fan_in, edge.bias_variance)


def _unit(_: Place) -> Scale:
    return Scale(1.0, 0.0)


def _glorot(place: Place) -> Scale:
    return Scale(2 / (place.fan_in + place.fan_out), 0.0)


def _lecun(place: Place) -> Scale:
    return Scale(1 / place.fan_in, 0.0)


def _he(place: Place) -> Scale:
    return Scale(2 / place.fan_in, 0.0)


INITIALIZERS: dict[InitializerName, Initializer] = {
    "standard_normal": Initializer(
        "normal", _unit, "the classical default; Glorot & Bengio 2010, section 4.2.1, warn of it"
    ),
    "glorot_normal": Initializer("truncated_normal", _glorot, "Glorot & Bengio 2010, eq. 12"),
    "glorot_uniform": Initializer("uniform", _glorot, "Glorot & Bengio 2010, eq. 16"),
    "lecun_normal": Initializer("truncated_normal", _lecun, "LeCun et al. 1998, eq. 16"),
    "lecun_uniform": Initializer("uniform", _lecun, "LeCun et al. 1998, eq. 16"),
    "he_normal": Initializer("truncated_normal", _he, "He et al. 2015, eq. 10"),
    "he_uniform": Initializer("uniform", _he, "He et al. 2015, eq. 10"),
    "critical": Initializer("normal", _critical, "Schoenholz et al. 2017; Hayou et al. 2019"),
}


def scales(name: InitializerName, function: Function, widths: Sequence[int], input_square: float) -> list[Scale]:
    """Return the variances of every layer's weights and biases, lowest layer first.

    Args:
        name: the initializer.
        function: the activation of the hidden layers.
        widths: features, units of every hidden layer, classes.
        input_square: mean square of a feature.

    Raises:
        FunctionError: ``critical``, and the function has no stable edge of chaos.
    """
    return [
        INITIALIZERS[name].scale(Place(fan_in, fan_out, layer == 0, input_square, function))
        for layer, (fan_in, fan_out) in enumerate(pairwise(widths))
    ]
