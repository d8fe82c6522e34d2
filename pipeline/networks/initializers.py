"""A stack's first weights and biases: every network's own draws, scaled as its initializer says."""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from pipeline.networks.seeds import generator
from pipeline.theory.initializers import Law

CUT = 2.0
"""Where `truncated_normal` ends, in standard deviations of the normal that is truncated."""
BELOW_CUT = 0.5 * math.erfc(CUT / math.sqrt(2))
"""Probability that a standard normal is below -CUT."""
TRUNCATED_SD = math.sqrt(1 - 2 * CUT * math.exp(-(CUT**2) / 2) / math.sqrt(2 * math.pi) / (1 - 2 * BELOW_CUT))
"""Standard deviation of a standard normal truncated at ± CUT: 0.8796."""

Matrix = Float[Tensor, "rows columns"]
SMALL = 2**14
"""Numbers in a matrix that is worth keeping; a thousand of them take 128 MB."""


# Each law takes u ~ U(0, 1) to a variable of mean 0 and variance 1, so that one seed's u pairs all initializers.


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


LAWS: dict[Law, Callable[[Matrix], Matrix]] = {
    "normal": normal,
    "truncated_normal": truncated_normal,
    "uniform": uniform,
}


def draw(
    laws: Sequence[Law],
    variances: Sequence[float],
    seeds: Sequence[int],
    purpose: tuple[str, int],
    rows: int,
    columns: int,
) -> Float[Tensor, "network rows columns"]:
    """Return one layer's first weights or biases of every network, float32.

    The same seed and purpose give paired draws under every law and variance.

    Args:
        laws: each network's.
        variances: each network's; 0 gives zeros.
        seeds: each network's.
        purpose: what they are for, such as ``("weights", 0)`` for the first layer's weights.
        rows: fan-in; 1 for biases.
        columns: fan-out.
    """
    out = torch.zeros(len(seeds), rows, columns)
    for network, (law, variance, seed) in enumerate(zip(laws, variances, seeds, strict=True)):
        if variance != 0:
            unit = unit_draws if rows * columns <= SMALL else unit_draws.__wrapped__
            out[network] = unit(law, seed, purpose, rows, columns) * math.sqrt(variance)
    return out


@lru_cache(maxsize=1024)
def unit_draws(law: Law, seed: int, purpose: tuple[str, int], rows: int, columns: int) -> Matrix:
    """Return a seed's draws of variance 1. Small ones are kept: every activation and placement starts with the same."""
    u = torch.rand(rows, columns, dtype=torch.float64, generator=generator(seed, *purpose))
    return LAWS[law](u.clamp_(min=2.0**-54))
