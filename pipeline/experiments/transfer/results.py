"""The tables that transfer experiments make. They hold nothing that changes from run to run, but for the timings."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from ...config import Transfer
from ...training.names import METRICS
from ...training.outcome import Outcome
from ...training.results import SCORES, final_scores
from ...training.tables import save_tables
from ..names import TRANSFER_SETTING
from .tasks import Task

if TYPE_CHECKING:  # it imports torch, which those who only read the tables need not wait for
    from .networks import TransferNetwork

KEY = [*TRANSFER_SETTING, "seed"]
OF_EXPERIMENT = ["task_a", "task_b", "task_a_inputs", "reuse_from", "unfrozen_learning_rate"]
"""Columns that say what an experiment's networks have in common; tasks as the names of their classes."""


class TransferResults(NamedTuple):
    """A study's transfer tables."""

    transfer: pd.DataFrame
    """One row per network: ``experiment``, ``task``, ``method`` (scratch, reuse), ``labels``, ``reused`` (hidden layers
    taken from A), ``unfrozen`` (of these), ``seed``, ``status``, ``epochs``, and the final scores; a network that
    diverged guesses. And what the experiment has for all its networks: `OF_EXPERIMENT`."""
    transfer_history: pd.DataFrame
    """One row per network and finished epoch."""
    transfer_hits: pd.DataFrame
    """One row per network: bits, eight in a byte as ``numpy.packbits`` has them, one for each of the study's samples:
    ``tested``, which of them its test part has, and ``hits``, which it gets right; a diverged network guesses."""
    transfer_timings: pd.DataFrame
    """One row per network: ``seconds`` (its share of its stack's wall time), ``stack_size``, ``device``."""

    def save(self, folder: Path) -> None:
        """Write each table as ``<name>.parquet``. Equal tables give equal bytes."""
        save_tables(self._asdict(), folder)


def load_transfer(folder: Path) -> TransferResults:
    """Read the tables that `TransferResults.save` wrote."""
    return TransferResults(*(pd.read_parquet(folder / f"{name}.parquet") for name in TransferResults._fields))


def tabulate(
    experiments: Mapping[str, "Mapping[TransferNetwork, Outcome]"],
    tasks: Mapping[str, Mapping[str, Task]],
    asked: Mapping[str, Transfer],
) -> TransferResults:
    """Return the tables of some experiments' networks.

    Args:
        experiments: what the networks came to, by experiment.
        tasks: by experiment and name.
        asked: the experiments, as ``params.yaml`` has them.
    """
    rows, histories, hits, timings = [], [], [], []
    for name, trained in experiments.items():
        common = [_words(getattr(asked[name], column)) for column in OF_EXPERIMENT]
        for network in sorted(trained):
            outcome = trained[network]
            key = [name, network.task, network.method, *network[1:]]
            status = "trained" if outcome.alive else "diverged"
            task = tasks[name][network.task]
            scores = final_scores(outcome, task.card)
            rows.append([*key, status, outcome.epochs, *scores.values(), *common])
            histories += [[*key, epoch, *map(float, row)] for epoch, row in enumerate(outcome.history, 1)]
            hits.append([*key, *_bits(outcome, task, task.card.split_of(network.seed))])
            timings.append([*key, outcome.seconds, outcome.stack_size, outcome.device])
    return TransferResults(
        pd.DataFrame(rows, columns=[*KEY, "status", "epochs", *SCORES, *OF_EXPERIMENT]),
        pd.DataFrame(histories, columns=[*KEY, "epoch", *METRICS]),
        pd.DataFrame(hits, columns=[*KEY, "tested", "hits"]),
        pd.DataFrame(timings, columns=[*KEY, "seconds", "stack_size", "device"]),
    )


def _bits(outcome: Outcome, task: Task, split: int) -> tuple[bytes, bytes]:
    """Return a network's ``tested`` and ``hits``."""
    own = task.tested_on(split)
    if outcome.alive:
        right = np.unpackbits(outcome.hits, count=len(own)).astype(bool)
    else:
        right = task.number[task.whole.labels[own]] == task.card.guess
    bits = np.zeros((2, len(task.whole.labels)), bool)
    bits[0, own], bits[1, own] = True, right
    tested, hits = np.packbits(bits, axis=1)
    return tested.tobytes(), hits.tobytes()


def _words(value: object) -> object:
    return ", ".join(value) if isinstance(value, tuple) else value
