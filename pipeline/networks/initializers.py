"""A stack's first weights and biases: every network's own draws, scaled as its initializer says."""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..axes.initializers import Distribution, Initializer
from ..theory.functions import function_of
from ..theory.initializers import weight_contexts
from .linear import StackedLinear
from .seeds import generator
from .stack import Design

CUT = 2.0
"""Where `truncated_normal` ends, in standard deviations of the normal that is truncated."""
BELOW_CUT = 0.5 * math.erfc(CUT / math.sqrt(2))
"""Probability that a standard normal is below -CUT."""
TRUNCATED_SD = math.sqrt(1 - 2 * CUT * math.exp(-(CUT**2) / 2) / math.sqrt(2 * math.pi) / (1 - 2 * BELOW_CUT))
"""Standard deviation of a standard normal truncated at ± CUT: 0.8796."""

Matrix = Float[Tensor, "rows columns"]
SMALL = 2**14
"""Numbers in a matrix that is worth keeping; a thousand of them take 128 MB."""


# Each distribution takes u ~ U(0, 1) to mean 0 and variance 1, so that one seed's u pairs all initializers.


def normal(u: Matrix) -> Matrix:
    """Return N(0, 1)."""
    z: Tensor = torch.special.ndtri(u)
    return z


def truncated_normal(u: Matrix) -> Matrix:
    """Return N(0, 1) truncated at ± 2, rescaled to variance 1."""
    return normal(BELOW_CUT + u * (1 - 2 * BELOW_CUT)) / TRUNCATED_SD


def uniform(u: Matrix) -> Matrix:
    """Return U(-√3, √3)."""
    return (2 * u - 1) * math.sqrt(3)


def orthogonal(u: Matrix) -> Matrix:
    """Return Gaussian weights made orthonormal, times √(the longer side); its signs make it Haar's (Mezzadri 2007)."""
    gaussian = normal(u)
    tall = gaussian if len(u) >= u.shape[1] else gaussian.T
    columns, r = np.linalg.qr(tall.numpy())
    q: Matrix = torch.from_numpy(columns * np.sign(np.diag(r))) * math.sqrt(len(tall))
    return q if len(u) >= u.shape[1] else q.T


def identity(u: Matrix) -> Matrix:
    """Return √rows · I, of which no number is drawn."""
    return torch.eye(*u.shape, dtype=u.dtype) * math.sqrt(len(u))


DISTRIBUTIONS: dict[Distribution, Callable[[Matrix], Matrix]] = {
    "normal": normal,
    "truncated_normal": truncated_normal,
    "uniform": uniform,
    "orthogonal": orthogonal,
    "identity": identity,
}


def draw(
    distributions: Sequence[Distribution],
    variances: Sequence[float],
    seeds: Sequence[int],
    purpose: tuple[str, int],
    rows: int,
    columns: int,
) -> Float[Tensor, "network rows columns"]:
    """Return one layer's first weights or biases of every network, float32.

    The same seed and purpose give paired draws under every distribution and variance.

    Args:
        distributions: each network's.
        variances: each network's; 0 gives zeros.
        seeds: each network's.
        purpose: what they are for, such as ``("weights", 0)`` for the first layer's weights.
        rows: fan-in; 1 for biases.
        columns: fan-out.
    """
    out = torch.zeros(len(seeds), rows, columns)
    for network, (distribution, variance, seed) in enumerate(zip(distributions, variances, seeds, strict=True)):
        if variance != 0:
            unit = unit_draws if rows * columns <= SMALL else unit_draws.__wrapped__
            out[network] = unit(distribution, seed, purpose, rows, columns) * math.sqrt(variance)
    return out


@lru_cache(maxsize=1024)
def unit_draws(distribution: Distribution, seed: int, purpose: tuple[str, int], rows: int, columns: int) -> Matrix:
    """Return a seed's draws of variance 1. Small ones are kept: every activation and placement starts with the same."""
    u = torch.rand(rows, columns, dtype=torch.float64, generator=generator(seed, *purpose))
    return DISTRIBUTIONS[distribution](u.clamp_(min=2.0**-54))


class StackedStart:
    """The dense layers of a stack before training.

    Args:
        design: of all networks.
        initializers: each network's.
        seeds: each network's.
        input_squares: each network's mean square of a feature.

    Raises:
        FunctionError: ``critical``, and the activation has no stable edge of chaos.
    """

    def __init__(
        self, design: Design, initializers: Sequence[Initializer], seeds: Sequence[int], input_squares: Sequence[float]
    ) -> None:
        self.fans = design.architecture.fans(design.shape, design.hidden, design.outputs)
        self.seeds, self.starts = seeds, list(zip(initializers, input_squares, strict=True))
        function = function_of(design.activation)
        contexts = {square: weight_contexts(function, self.fans, square) for square in {*input_squares}}
        self.layers = {
            (one, square): [(law.distribution, *law.variances) for law in map(one.law, contexts[square])]
            for one, square in {*self.starts}
        }

    def dense(self, layer: int, bias: bool) -> StackedLinear:
        """Return a layer, counted from 0, with or without a bias."""
        fan_in, fan_out = self.fans[layer]
        distributions, weights, biases = zip(*(self.layers[start][layer] for start in self.starts), strict=True)
        return StackedLinear(
            draw(distributions, weights, self.seeds, ("weights", layer), fan_in, fan_out),
            draw(distributions, biases, self.seeds, ("biases", layer), 1, fan_out) if bias else None,
        )
