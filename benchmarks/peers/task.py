"""What every peer is asked to do. It imports nothing that an environment may lack."""

import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Task:
    """Networks to train by plain SGD on softmax cross-entropy, validated after each epoch."""

    study: str
    """Whose data it is."""
    data: str
    """A file with ``train_x``, ``train_y``, ``validation_x``, ``validation_y``."""
    hidden: list[int]
    activation: str
    """``relu``, ``selu`` or ``gelu``."""
    batch_norm: bool
    """Before each activation and on the input, with Keras's constants."""
    learning_rate: float
    batch_size: int
    epochs: int
    repeats: int
    networks: int
    """Trained side by side, where a peer does that."""

    def parts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return training samples and labels, validation samples and labels."""
        with np.load(self.data) as file:
            return file["train_x"], file["train_y"], file["validation_x"], file["validation_y"]


def run(train: Callable[[Task], Callable[[], float]]) -> None:
    """Do the task named on the command line.

    Args:
        train: makes ready, warm-up included, and returns what trains once: it returns seconds for a network-epoch,
            or a number below 0 where it does not measure itself.
    """
    task = Task(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    once = train(task)
    found = []
    for _ in range(task.repeats):
        start = time.perf_counter()
        seconds = once()
        if seconds < 0:
            seconds = (time.perf_counter() - start) / task.epochs / task.networks
        found.append(1000 * seconds)
    print(json.dumps({"milliseconds": found, "median": statistics.median(found)}))
