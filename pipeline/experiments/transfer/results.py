"""The tables that transfer experiments make. They hold nothing that changes from run to run."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from pipeline.config import Transfer
from pipeline.data import Card
from pipeline.experiments.names import TRANSFER_SETTING
from pipeline.training.names import METRICS
from pipeline.training.outcome import Outcome
from pipeline.training.results import SCORES, final_scores, save_tables

if TYPE_CHECKING:  # it imports torch, which those who only read the tables need not wait for
    from pipeline.experiments.transfer.networks import TransferNetwork

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

    def save(self, folder: Path) -> None:
        """Write each table as ``<name>.parquet``. Equal tables give equal bytes."""
        save_tables(self._asdict(), folder)


def load_transfer(folder: Path) -> TransferResults:
    """Read the tables that `TransferResults.save` wrote."""
    return TransferResults(*(pd.read_parquet(folder / f"{name}.parquet") for name in TransferResults._fields))


def tabulate(
    experiments: Mapping[str, "Mapping[TransferNetwork, Outcome]"],
    cards: Mapping[str, Mapping[str, Card]],
    asked: Mapping[str, Transfer],
) -> TransferResults:
    """Return the tables of some experiments' networks.

    Args:
        experiments: what the networks came to, by experiment.
        cards: of the data, by experiment and task.
        asked: the experiments, as ``params.yaml`` has them.
    """
    rows, histories = [], []
    for name, trained in experiments.items():
        common = [_words(getattr(asked[name], column)) for column in OF_EXPERIMENT]
        for network in sorted(trained):
            outcome = trained[network]
            key = [name, network.task, network.method, *network[1:]]
            status = "trained" if outcome.alive else "diverged"
            scores = final_scores(outcome, cards[name][network.task])
            rows.append([*key, status, outcome.epochs, *scores.values(), *common])
            histories += [[*key, epoch, *map(float, row)] for epoch, row in enumerate(outcome.history, 1)]
    return TransferResults(
        pd.DataFrame(rows, columns=[*KEY, "status", "epochs", *SCORES, *OF_EXPERIMENT]),
        pd.DataFrame(histories, columns=[*KEY, "epoch", *METRICS]),
    )


def _words(value: object) -> object:
    return ", ".join(value) if isinstance(value, tuple) else value
