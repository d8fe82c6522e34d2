"""The tables that training makes. They hold nothing that changes from run to run, but for the timings."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from pipeline.params import AXES, Network, Verdicts
from pipeline.training.verdicts import verdicts

if TYPE_CHECKING:  # reading tables takes no torch
    from torch import Tensor

    from pipeline.training.health import Record
    from pipeline.training.module import StackModule

KEY = [*AXES, "seed"]
"""The columns that say which network a row is about."""
METRICS = ("train_loss", "train_accuracy", "val_loss", "val_accuracy")
"""Losses in nats, accuracies from 0 to 1."""
OF_STEPS = ("gradient_norm", "clipped_norm", "clipped_share", "update_ratio")
OF_STATES = ("signal", "gradient", "activation_mean", "activation_sd", "dead", "saturated", "prelu_slope")
MEASURES = (*OF_STEPS, *OF_STATES)
"""Of a layer's health, see `HealthRecorder`."""


class Results(NamedTuple):
    """A study's tables."""

    networks: pd.DataFrame
    """One row per network: `KEY`, ``status``, ``health``, ``epochs``, the final `METRICS`, ``test_loss``,
    ``test_accuracy``. A diverged network has no metrics; ``epochs`` says how many it finished with a finite loss."""
    history: pd.DataFrame
    """One row per network and finished epoch, from 1: `KEY`, ``epoch``, `METRICS`."""
    layers: pd.DataFrame
    """One row per network, recorded epoch (0 is before the first step) and layer (from 1, the output layer last):
    `KEY`, ``epoch``, ``layer``, and the `MEASURES` of `HealthRecorder`; no rows after a network has diverged."""
    timings: pd.DataFrame
    """One row per network: `KEY`, ``seconds`` (its share of its stack's wall time), ``stack_size``, ``device``."""

    def save(self, folder: Path) -> None:
        """Write each table as ``<name>.parquet``. Equal tables give equal bytes."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in self._asdict().items():
            table.to_parquet(folder / f"{name}.parquet", index=False)


def load_results(folder: Path) -> Results:
    """Read the tables that `Results.save` wrote."""
    return Results(**{name: pd.read_parquet(folder / f"{name}.parquet") for name in Results._fields})


def tabulate(module: "StackModule", thresholds: Verdicts, seconds: float, device: str) -> Results:
    """Return the tables of one trained stack."""
    assert module.test is not None  # noqa: S101
    keys = pd.DataFrame([(*network.cell, network.seed) for network in module.stack.networks], columns=KEY)
    alive, epochs = _numpy(module.alive), _numpy(module.epochs)
    records = module.health.records
    # [epoch, metric, network]
    values = np.stack([[_numpy(v) for part in epoch for v in part] for epoch in module.history]).astype(np.float64)
    scores = np.vstack([values[-1], [_numpy(v) for v in module.test]])
    scores[:, ~alive] = np.nan
    networks = keys.assign(
        status=np.where(alive, "trained", "diverged"),
        health=pd.Series(verdicts(alive, records[max(records)] if records else None, thresholds), dtype="str"),
        epochs=epochs,
        **dict(zip((*METRICS, "test_loss", "test_accuracy"), scores, strict=True)),
    )
    number = np.arange(1, len(values) + 1)
    history = _concat(
        [
            keys.assign(epoch=epoch, **dict(zip(METRICS, values[epoch - 1], strict=True)))[epochs >= epoch]
            for epoch in number
        ]
    )
    layers = _concat([_layers(keys, epochs >= epoch, epoch, record) for epoch, record in records.items()])
    timings = keys.assign(seconds=seconds / len(keys), stack_size=len(keys), device=device)
    return Results(networks, history, layers, timings)


def combine(results: Iterable[Results]) -> Results:
    """Return the tables of several stacks as one, sorted by network (and epoch)."""
    networks, history, layers, timings = zip(*results, strict=True)
    return Results(
        pd.concat(networks).sort_values(KEY, ignore_index=True),
        _concat(history).sort_values([*KEY, "epoch"], ignore_index=True),
        _concat(layers).sort_values([*KEY, "epoch", "layer"], ignore_index=True),
        pd.concat(timings).sort_values(KEY, ignore_index=True),
    )


def rows_of(table: pd.DataFrame, network: Network) -> pd.DataFrame:
    """Return a table's rows about one network."""
    wanted = (*network.cell, network.seed)
    return table[np.logical_and.reduce([table[column] == value for column, value in zip(KEY, wanted, strict=True)])]


def _layers(keys: pd.DataFrame, kept: np.ndarray, epoch: int, record: "Record") -> pd.DataFrame:
    """Return one record of the networks that are kept, a row for each layer."""
    layers = next(iter(record.values())).shape[1]
    unknown = np.full((len(keys), layers), np.nan)
    rows = keys[kept].loc[lambda frame: frame.index.repeat(layers)]
    measures = {name: record.get(name, unknown)[kept].ravel() for name in MEASURES}
    return rows.assign(epoch=epoch, layer=np.tile(np.arange(1, layers + 1), kept.sum()), **measures)


def _concat(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the tables as one; those without rows have no say in the columns' types."""
    filled = [table for table in tables if len(table)]
    if filled:
        return pd.concat(filled, ignore_index=True)
    return tables[0] if tables else pd.DataFrame(columns=[*KEY, "epoch", "layer", *MEASURES])


def _numpy(tensor: "Tensor") -> np.ndarray:
    return tensor.detach().cpu().numpy()
