"""How a network's weights start: a law, and a variance from the layer's fan-in and fan-out.

The laws are Keras's, as in the source: a ``*_normal`` law is a normal truncated at two standard deviations and
rescaled to keep its variance, a ``*_uniform`` law is uniform on [-r, r] with r = sqrt(3 · variance). Biases start at 0.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pipeline.networks.seeds import generator
from pipeline.params import Initializer as InitializerName

Law = Callable[[Float[Tensor, "fan_in fan_out"]], Float[Tensor, "fan_in fan_out"]]

CUT = 2.0
"""Where `truncated_normal` ends, in standard deviations of the normal that is truncated."""
BELOW_CUT = 0.5 * math.erfc(CUT / math.sqrt(2))
"""Probability that a standard normal is below -CUT."""
TRUNCATED_SD = math.sqrt(1 - 2 * CUT * math.exp(-(CUT**2) / 2) / math.sqrt(2 * math.pi) / (1 - 2 * BELOW_CUT))
"""Standard deviation of a standard normal truncated at ± CUT: 0.8796."""


# Each law takes u ~ U(0, 1) to a variable of mean 0 and variance 1, so that one seed's u pairs all initializers.


def normal(u: Float[Tensor, "fan_in fan_out"]) -> Float[Tensor, "fan_in fan_out"]:
    """Return N(0, 1)."""
    z: Tensor = torch.special.ndtri(u)
    return z


def truncated_normal(u: Float[Tensor, "fan_in fan_out"]) -> Float[Tensor, "fan_in fan_out"]:
    """Return N(0, 1) truncated at ± 2, rescaled to variance 1."""
    return normal(BELOW_CUT + u * (1 - 2 * BELOW_CUT)) / TRUNCATED_SD


def uniform(u: Float[Tensor, "fan_in fan_out"]) -> Float[Tensor, "fan_in fan_out"]:
    """Return U(-√3, √3)."""
    return (2 * u - 1) * math.sqrt(3)


@dataclass(frozen=True)
class Initializer:
    """A registry entry."""

    law: Law
    variance: Callable[[int, int], float]
    """Variance of a weight, from fan-in and fan-out."""
    source: str


def _one(_fan_in: int, _fan_out: int) -> float:
    return 1.0


def _glorot(fan_in: int, fan_out: int) -> float:
    return 2 / (fan_in + fan_out)


def _lecun(fan_in: int, _fan_out: int) -> float:
    return 1 / fan_in


def _he(fan_in: int, _fan_out: int) -> float:
    return 2 / fan_in


INITIALIZERS: dict[InitializerName, Initializer] = {
    "standard_normal": Initializer(
        normal, _one, "the classical default; Glorot & Bengio 2010, section 4.2.1, warn of it"
    ),
    "glorot_normal": Initializer(truncated_normal, _glorot, "Glorot & Bengio 2010, eq. 12"),
    "glorot_uniform": Initializer(uniform, _glorot, "Glorot & Bengio 2010, eq. 16"),
    "lecun_normal": Initializer(truncated_normal, _lecun, "LeCun et al. 1998, eq. 16"),
    "lecun_uniform": Initializer(uniform, _lecun, "LeCun et al. 1998, eq. 16"),
    "he_normal": Initializer(truncated_normal, _he, "He et al. 2015, eq. 10"),
    "he_uniform": Initializer(uniform, _he, "He et al. 2015, eq. 10"),
}


def draw_weights(
    name: InitializerName, seed: int, layer: int, fan_in: int, fan_out: int
) -> Float[Tensor, "fan_in fan_out"]:
    """Return one layer's first weights, float32. The same seed and layer give paired draws under every initializer."""
    u = torch.rand(fan_in, fan_out, dtype=torch.float64, generator=generator(seed, "weights", layer))
    initializer = INITIALIZERS[name]
    weights = initializer.law(u.clamp_(min=2.0**-54)) * math.sqrt(initializer.variance(fan_in, fan_out))
    return weights.to(torch.float32)
