"""Synthetic sequences of any length: delayed recall, and the adding problem.

Every number is drawn as a uniform one, which comes out the same on every processor.
"""

import numpy as np
from numpy.typing import NDArray

from ..config.data import SequenceData
from .samples import Samples

NOISE = 0.5
"""Of recall: each feature of a step after the first is U(-NOISE, NOISE)."""


def read_sequences(data: SequenceData) -> Samples:
    """Draw a study's sequences, as many of each class as there can be."""
    draw = np.random.default_rng(data.seed)
    values, labels = (_recall if data.task == "recall" else _adding)(draw, data)
    samples, steps, features = values.shape
    return Samples(
        features=values.reshape(samples, steps * features),
        names=tuple(f"step_{step}_{feature}" for step in range(1, steps + 1) for feature in range(1, features + 1)),
        labels=labels,
        classes=tuple(map(str, range(data.classes))) if data.task == "recall" else ("less", "more"),
        class_type="int" if data.task == "recall" else "str",
        shape=(steps, features),
    )


def _recall(draw: np.random.Generator, data: SequenceData) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return ``[sample, step, symbol]``: a symbol, and noise."""
    labels = np.arange(data.samples) % data.classes
    values = draw.uniform(-NOISE, NOISE, (data.samples, data.steps, data.classes))
    values[:, 0] = np.eye(data.classes)[labels]
    return values, labels


def _adding(draw: np.random.Generator, data: SequenceData) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return ``[sample, step, (number, mark)]``. Every second sample's numbers are 1 less the one's before it."""
    pairs = -(-data.samples // 2)
    half = data.steps // 2
    numbers = draw.uniform(size=(pairs, data.steps))
    numbers = np.stack([numbers, 1 - numbers], 1).reshape(2 * pairs, data.steps)[: data.samples]
    marked = np.stack([draw.integers(0, half, 2 * pairs), draw.integers(half, data.steps, 2 * pairs)], 1)[
        : data.samples
    ]
    # Both of a pair bear their marks at the same steps, so that one sums to more and one to less.
    marked[1::2] = marked[: len(marked) - 1 : 2]
    marks = np.zeros((data.samples, data.steps))
    np.put_along_axis(marks, marked, 1.0, axis=1)
    sums = np.take_along_axis(numbers, marked, axis=1).sum(1)
    return np.stack([numbers, marks], 2), (sums > 1).astype(np.int64)
