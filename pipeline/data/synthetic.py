"""Synthetic points whose difficulty is a number: the depth of a teacher, the turns of spirals, the bits of a parity.

Every number is drawn as a uniform one, and computed so that it comes out the same on every processor.
"""

import numpy as np
from numpy.typing import NDArray

from ..config.data import ParityData, SpiralsData, TeacherData
from .samples import Samples

FINEST = 2.0**-10
"""Numbers of the teacher are multiples of it: its products and sums have no rounding, in whichever order."""
FINE = 2.0**-20
"""Coordinates of the spirals are multiples of it: sines and cosines that differ in their last bit do not show."""

Array = NDArray[np.float64]


def read_teacher(data: TeacherData) -> Samples:
    """Draw points and let a teacher name them; see `TeacherData`."""
    draw = np.random.default_rng(data.seed)
    points = _on_grid(draw.uniform(-1, 1, (data.samples, data.features)), FINEST)
    signal: Array = points
    bound = np.sqrt(6 / data.features)  # He's, uniform
    for _ in range(data.depth):
        weights = _on_grid(draw.uniform(-bound, bound, (data.features, data.features)), FINEST)
        biases = _on_grid(draw.uniform(-0.5, 0.5, data.features), FINEST)
        signal = _on_grid(np.maximum(signal @ weights + biases, 0), FINEST)
    output = signal @ _on_grid(draw.uniform(-bound, bound, data.features), FINEST)
    place = np.argsort(np.argsort(output, kind="stable"), kind="stable")
    return _samples(points, place * data.classes // data.samples, data.classes)


def read_spirals(data: SpiralsData) -> Samples:
    """Draw points on the arms of a spiral; see `SpiralsData`."""
    draw = np.random.default_rng(data.seed)
    labels = np.arange(data.samples) % data.classes
    along = np.sqrt(draw.uniform(0, 1, data.samples))
    angle = 2 * np.pi * (data.turns * along + labels / data.classes)
    arms = np.stack([along * np.cos(angle), along * np.sin(angle)], 1)
    points = _on_grid(arms + draw.uniform(-data.noise, data.noise, arms.shape), FINE)
    return _samples(points, labels, data.classes)


def read_parity(data: ParityData) -> Samples:
    """Draw words; see `ParityData`."""
    draw = np.random.default_rng(data.seed)
    words = draw.integers(0, 2, (data.samples, data.features))
    labels = words[:, : data.bits].sum(1) % 2
    return _samples(np.where(words, -1.0, 1.0), labels, 2)


def _on_grid(values: Array, step: float) -> Array:
    rounded: Array = np.round(values / step) * step
    return rounded


def _samples(points: Array, labels: NDArray[np.int64], classes: int) -> Samples:
    names = tuple(f"x{number}" for number in range(1, points.shape[1] + 1))
    return Samples(points, names, labels.astype(np.int64), tuple(map(str, range(classes))), "int")
