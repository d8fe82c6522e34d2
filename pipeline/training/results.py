"""The tables that training makes. They hold nothing that changes from run to run, but for the timings."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..config.schema import Verdicts
from ..data import Card, Dataset
from ..grid import AXES, Cell, Network
from ..verdicts import Record, verdicts
from .names import KEY, MEASURES, METRICS
from .outcome import Outcome
from .tables import load_table, open_table, save_tables
from .tuning import COLUMNS

SCORES = [*METRICS, "test_loss", "test_accuracy"]
PART = {"train_accuracy": "train", "val_accuracy": "validation", "test_accuracy": "test"}
"""Of the samples that an accuracy is of."""


IN_PART = ("layers", "tuning_layers")
"""Tables of which evaluation needs a part alone."""


class Results(NamedTuple):
    """A study's tables."""

    networks: pd.DataFrame
    """One row per network: `KEY`, ``status``, whether its learning rate was ``tuned``, ``health``, ``epochs``, the
    final `METRICS`, ``test_loss``, ``test_accuracy``. A diverged network guesses: it has the accuracies of always
    naming the most frequent class, and no losses; ``epochs`` says how many it finished with a finite loss."""
    history: pd.DataFrame
    """One row per network and finished epoch, from 1: `KEY`, ``epoch``, `METRICS`."""
    hits: pd.DataFrame
    """One row per network: `KEY`, ``hits``, bytes that say which samples of its test part it gets right, eight in a
    byte as ``numpy.packbits`` has them; a diverged network guesses."""
    layers: pd.DataFrame | Path
    """One row per network, recorded epoch (0 is before the first step) and layer (from 1, the output layer last):
    `KEY`, ``epoch``, ``layer``, and the `MEASURES` of `HealthRecorder`; no rows after a network has diverged. Where it
    is read and large, it is its folder: see `Rows`."""
    timings: pd.DataFrame
    """One row per network: `KEY`, ``seconds`` (its share of its stack's wall time), ``stack_size``, ``device``."""
    tuning: pd.DataFrame
    """One row per setting and learning rate that was tried where rates are tuned; see `Tuned.table`."""
    tuning_layers: pd.DataFrame | Path
    """As ``layers``, of the networks that chose the learning rates, at every rate that was tried."""

    def save(self, folder: Path) -> None:
        """Write each table as ``<name>.parquet``. Equal tables give equal bytes."""
        save_tables({name: table for name, table in self._asdict().items() if isinstance(table, pd.DataFrame)}, folder)


def load_results(folder: Path) -> Results:
    """Read the tables that `Results.save` wrote."""
    places = {name: folder / f"{name}.parquet" for name in Results._fields}
    opened = {name: (open_table if name in IN_PART else load_table)(place) for name, place in places.items()}
    return Results(**opened)  # type: ignore[arg-type]


def final_scores(outcome: Outcome, card: Card) -> dict[str, float]:
    """Return a network's final `METRICS` and test scores; one that diverged guesses, and has no losses."""
    if outcome.alive:
        return dict(zip(SCORES, map(float, [*outcome.history[-1], *outcome.test]), strict=True))
    return {score: card.guess_accuracy(PART[score]) if score in PART else math.nan for score in SCORES}


def tabulate(
    outcomes: Mapping[Network, Outcome],
    thresholds: Verdicts,
    dataset: Dataset,
    tuning: pd.DataFrame | None = None,
    chose: Mapping[Network, Outcome] = {},
) -> Results:
    """Return the tables of some networks of one study, sorted by network, epoch and layer.

    Args:
        outcomes: what they came to.
        thresholds: of the verdicts on their health.
        dataset: the study's.
        tuning: what was tried where their learning rates were tuned.
        chose: what the networks came to that chose the rates.
    """
    chosen = sorted(outcomes)
    found = [outcomes[network] for network in chosen]
    keys = _keys(chosen)
    alive = np.array([outcome.alive for outcome in found])
    tuning = pd.DataFrame(columns=COLUMNS) if tuning is None else tuning
    own = {Cell.of(row) for row in tuning.loc[tuning["chosen"].astype(bool), list(AXES)].to_dict("records")}
    networks = keys.assign(
        status=np.where(alive, "trained", "diverged"),
        tuned=[network.cell in own for network in chosen],
        health=pd.Series(_verdicts(found, thresholds), dtype="str"),
        epochs=[outcome.epochs for outcome in found],
        **pd.DataFrame([final_scores(outcome, dataset.card) for outcome in found], columns=SCORES),
    )
    hits = keys.assign(hits=[_hits(network, outcomes[network], dataset).tobytes() for network in chosen])
    history = _rows(keys, [len(o.history) for o in found]).assign(
        epoch=np.concatenate([np.arange(1, len(o.history) + 1) for o in found]),
        **_columns(METRICS, [o.history for o in found]),
    )
    timings = keys.assign(**{name: [getattr(o, name) for o in found] for name in ("seconds", "stack_size", "device")})
    return Results(networks, history, hits, _layers(outcomes), timings, tuning, _layers(chose))


def _keys(networks: Sequence[Network]) -> pd.DataFrame:
    return pd.DataFrame([(*network.cell, network.seed) for network in networks], columns=KEY)


def _layers(outcomes: Mapping[Network, Outcome]) -> pd.DataFrame:
    """Return the layers' health; see `Results.layers`."""
    if not outcomes:
        return pd.DataFrame(columns=[*KEY, "epoch", "layer", *MEASURES])
    networks = sorted(outcomes)
    found = [(outcomes[network], outcomes[network].health.shape[2]) for network in networks]
    return _rows(_keys(networks), [len(one.health) * count for one, count in found]).assign(
        epoch=np.concatenate([one.health_epochs.repeat(count) for one, count in found]),
        layer=np.concatenate([np.tile(np.arange(1, count + 1), len(one.health)) for one, count in found]),
        **_columns(MEASURES, [one.health.transpose(0, 2, 1).reshape(-1, len(MEASURES)) for one, _ in found]),
    )


def _hits(network: Network, outcome: Outcome, dataset: Dataset) -> NDArray[np.uint8]:
    """Return a network's hits on its test part; one that diverged guesses the most frequent class."""
    if outcome.alive:
        return outcome.hits
    return np.packbits(dataset.split(dataset.card.split_of(network.seed)).test.y == dataset.card.guess)


def _verdicts(outcomes: list[Outcome], thresholds: Verdicts) -> list[str | None]:
    """Return each network's verdict; those of equally many layers are judged together."""
    found: dict[int, str | None] = {}
    for layers in {outcome.health.shape[2] for outcome in outcomes}:
        places = [place for place, outcome in enumerate(outcomes) if outcome.health.shape[2] == layers]
        group = [outcomes[place] for place in places]
        alive = np.array([outcome.alive for outcome in group])
        found |= zip(places, verdicts(alive, _last_records(group), thresholds), strict=True)
    return [found[place] for place in range(len(outcomes))]


def _last_records(outcomes: list[Outcome]) -> Record | None:
    """Return each network's layers as last looked at; ``None`` where nobody looked."""
    if not any(len(outcome.health) for outcome in outcomes):
        return None
    unknown = np.full(outcomes[0].health.shape[1:], np.nan)
    last = np.stack([outcome.health[-1] if len(outcome.health) else unknown for outcome in outcomes])
    return {name: last[:, index] for index, name in enumerate(MEASURES)}


def _rows(keys: pd.DataFrame, counts: list[int]) -> pd.DataFrame:
    """Return each key as often as its count says."""
    return keys.loc[keys.index.repeat(counts)].reset_index(drop=True)


def _columns(names: tuple[str, ...], blocks: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Return the columns of some blocks ``[row, name]``, one above the other."""
    return dict(zip(names, np.concatenate(blocks).astype(np.float64).T, strict=True))


def rows_of(table: pd.DataFrame, network: Network) -> pd.DataFrame:
    """Return a table's rows about one network."""
    wanted = (*network.cell, network.seed)
    return table[np.logical_and.reduce([table[column] == value for column, value in zip(KEY, wanted, strict=True)])]
