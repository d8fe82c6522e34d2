"""The matrix products of an epoch and nothing else, each by the fastest library at hand: what no trainer can beat.

Weights, activations and gradients are at hand; the gradient of the input is needed where batch norm stands there, and
nowhere else. One thread: the driver runs one on each core at the same time.
"""

import os
import time
from collections.abc import Callable
from itertools import pairwise

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"  # before the libraries are loaded

import numpy as np
import torch
from task import Task, run

SHORTEST, TRIES = 0.05, 5


def libraries(a: np.ndarray, b: np.ndarray) -> list[Callable[[], object]]:
    """Return one product by each library."""
    first, second = torch.from_numpy(a), torch.from_numpy(b)
    out, into = np.empty((len(a), b.shape[1]), np.float32), torch.empty(len(a), b.shape[1])
    found: list[Callable[[], object]] = [
        lambda: np.matmul(a, b, out=out),
        lambda: torch.mm(first, second, out=into),
    ]
    if torch.backends.mkldnn.is_available():
        packed = second.t().contiguous().to_mkldnn()
        dense = first.contiguous()
        found.append(lambda: torch.ops.mkldnn._linear_pointwise(dense, packed, None, "none", [], ""))
    return found


def seconds(a: np.ndarray, b: np.ndarray) -> float:
    """Return how long the fastest library takes for a product."""
    times = []
    for product in libraries(a, b):
        product()
        count, best = 1, float("inf")
        for _ in range(TRIES):
            while True:
                start = time.perf_counter()
                for _ in range(count):
                    product()
                taken = time.perf_counter() - start
                if taken > SHORTEST / TRIES:
                    break
                count *= 2
            best = min(best, taken / count)
        times.append(best)
    return min(times)


def train(task: Task) -> Callable[[], float]:
    """Return what multiplies."""
    x, _, validation_x, _ = task.parts()
    widths, batch = [x.shape[1], *task.hidden, 10], task.batch_size
    draw = np.random.default_rng(0)

    def matrix(rows: int, columns: int) -> np.ndarray:
        return draw.standard_normal((rows, columns), np.float32)

    def layer(fan_in: int, units: int) -> tuple[float, float, float]:
        """Return the seconds of a step without the input's gradient, of that gradient, and of validation."""
        forwards = seconds(matrix(batch, fan_in), matrix(fan_in, units))
        backwards = seconds(matrix(batch, fan_in).T, matrix(batch, units))
        below = seconds(matrix(batch, units), matrix(fan_in, units).T)
        return forwards + backwards, below, seconds(matrix(len(validation_x), fan_in), matrix(fan_in, units))

    def once() -> float:
        step = score = 0.0
        shapes = list(pairwise(widths))
        times = {shape: layer(*shape) for shape in set(shapes)}
        for place, shape in enumerate(shapes):
            own, below, scored = times[shape]
            step += own + below if place or task.batch_norm else own
            score += scored
        return (step * len(x) / batch + score) / task.networks

    return once


if __name__ == "__main__":
    run(train)
