"""What the claims are tested on: a run's tables, and the ways in which claims look at them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_string_dtype

from ...config import Study
from ...config.data import StratifiedSplit, dataset_name
from ...data.dataset import Dataset, Indices
from ...grid import AXES, AXIS, widths_of
from ...training.results import Results
from ...training.tables import Rows
from ..cells import SETTING, select_learning_rate
from ..levels import THRESHOLD
from ..statistics import Scores
from ..tested import unpacked

SLOWEST = 4.0
"""How many times as long as the fastest counts as never, as in AlgoPerf (Dahl et al. 2023, section 4.4)."""

Epoch = int | Literal["last"]
"""Of which a look at the layers is; ``last`` is each network's last recorded one."""
BY_SHAPE = ("networks", "history", "hits", "layers", "timings", "tuning_layers")
"""Tables of networks that have a shape, and each axis as a column."""
OF_TRANSFER = ("transfer", "transfer_history", "transfer_hits")
"""The first of `TransferResults`'s tables."""


@dataclass(frozen=True)
class StudyTables:
    """One study's tables, as its stages wrote them."""

    study: Study
    networks: pd.DataFrame
    history: pd.DataFrame
    hits: pd.DataFrame
    layers: pd.DataFrame | Path
    """In memory, or where it is large its folder; claims see it by `looks`."""
    timings: pd.DataFrame
    transfer: pd.DataFrame = field(default_factory=pd.DataFrame)
    transfer_history: pd.DataFrame = field(default_factory=pd.DataFrame)
    transfer_hits: pd.DataFrame = field(default_factory=pd.DataFrame)
    tuning_layers: pd.DataFrame | Path = field(default_factory=pd.DataFrame)
    tested: Mapping[int, Indices] = field(default_factory=dict)
    """By seed, the samples of its test part; empty where nobody knows."""

    @classmethod
    def of(cls, study: Study, results: Results, *transfer: pd.DataFrame, tested: Mapping[int, Indices] = {}) -> Self:
        """Return the tables that training has made, and those of transfer experiments."""
        own = {name: getattr(results, name) for name in BY_SHAPE}
        return cls(study, **own, **dict(zip(OF_TRANSFER, transfer, strict=False)), tested=tested)

    def __post_init__(self) -> None:
        """Number the words of each axis, alike in all tables: they are compared thousands of times."""
        words = {axis: self.networks[axis] for axis in AXES if is_string_dtype(self.networks[axis].dtype)}
        types = {axis: pd.CategoricalDtype(sorted(column.unique())) for axis, column in words.items()}
        for name in BY_SHAPE:
            table = getattr(self, name)
            if isinstance(table, pd.DataFrame):
                own = {axis: levels for axis, levels in types.items() if axis in table}
                object.__setattr__(self, name, table.astype(own))

    @property
    def key(self) -> list[str]:
        """The columns that tell networks apart."""
        return [*AXES, "seed"]

    @property
    def dataset(self) -> str:
        """The name of its dataset, which several studies may have."""
        return dataset_name(self.study.data)

    @property
    def overlap(self) -> float:
        """Test samples for each training sample, where every seed draws its own: see `of_replicates`."""
        split = self.study.data.split
        return split.test / (1 - split.validation - split.test) if isinstance(split, StratifiedSplit) else 0.0

    @property
    def depth(self) -> int:
        """Hidden layers, of networks that all have as many."""
        (hidden,) = {*self.networks["hidden"]}
        return len(widths_of(hidden))

    def by_shape(self) -> Iterator["StudyTables"]:
        """Yield the tables of the networks of each shape."""
        for hidden in AXIS["hidden"].sorted(self.networks["hidden"]):
            tables = {name: table for name in BY_SHAPE if isinstance(table := getattr(self, name), pd.DataFrame)}
            own = {name: table[table["hidden"] == hidden] if len(table) else table for name, table in tables.items()}
            yield replace(self, **own)  # type: ignore[arg-type]

    @cached_property
    def chosen(self) -> pd.DataFrame:
        """The networks at each setting's best learning rate.

        With ``wait``, ln of the seconds until they came to `THRESHOLD` of the best setting's accuracy, NaN where they
        never did; ``profile``, of the epochs until then; ``gap``, training less test accuracy.
        """
        chosen = select_learning_rate(self.networks, "best")
        rows = pd.MultiIndex.from_frame(chosen[self.key])
        curves = self.history.pivot_table(index=self.key, columns="epoch", values="val_accuracy", dropna=False)
        target = THRESHOLD * chosen.groupby(SETTING)["val_accuracy"].mean().max()
        needed = epochs_needed(curves.reindex(rows).to_numpy(np.float64), target)
        seconds = self.timings.set_index(self.key)["seconds"].reindex(rows).to_numpy()
        with np.errstate(divide="ignore"):
            wait = np.log(needed * seconds / chosen["epochs"].clip(lower=1).to_numpy())
        return chosen.assign(
            wait=np.where(wait == np.inf, np.nan, wait),
            profile=profile(pd.Series(needed, chosen.index), chosen["seed"]),
            gap=chosen["train_accuracy"] - chosen["test_accuracy"],
        )

    @cached_property
    def every(self) -> pd.DataFrame:
        """All networks, with ``lost``, 1 where they diverged, and ``bounce``, see `bounces`."""
        own = bounces(self.history, self.key).reindex(pd.MultiIndex.from_frame(self.networks[self.key]))
        lost = (self.networks["status"] == "diverged").astype(float)
        return self.networks.assign(lost=lost, bounce=own.to_numpy())

    def on_samples(self, weights: pd.Series) -> Scores | None:
        """Return ``[seed, sample]``: the sum of each seed's networks' hits on a sample, times what they count for.

        NaN where a seed is not tested on a sample; ``None`` where nobody knows which these are.

        Args:
            weights: by the index of `chosen`.
        """
        if not self.tested:
            return None
        seeds, own = self.chosen["seed"].loc[weights.index].to_numpy(), weights.to_numpy()
        hits = self._right[self.chosen.index.get_indexer(weights.index)]
        rows = np.unique(seeds)
        table = np.full((len(rows), 1 + max(int(ids.max()) for ids in self.tested.values())), np.nan)
        for row, seed in zip(table, rows, strict=True):
            row[self.tested[seed]] = own[seeds == seed] @ hits[seeds == seed]
        return table

    @cached_property
    def _right(self) -> NDArray[np.uint8]:
        """``[network, place]``: which places of its test part each of the chosen networks gets right."""
        packed = self.chosen[self.key].merge(self.hits, on=self.key, how="left")["hits"]
        return unpacked(packed, len(next(iter(self.tested.values()))))

    @cached_property
    def of_task_b(self) -> pd.DataFrame:
        """The networks of the transfer experiments' task B, with ``profile``: those of one seed and task race."""
        of_b, curves = (table[table["task"] == "B"] for table in (self.transfer, self.transfer_history))
        race, setting = ["experiment", "labels"], ["reused", "unfrozen"]
        key = [*race, *setting, "seed"]
        table = curves.pivot_table(index=key, columns="epoch", values="val_accuracy", dropna=False)
        rows = table.reindex(pd.MultiIndex.from_frame(of_b[key])).to_numpy(np.float64)
        means = of_b.groupby([*race, *setting])["val_accuracy"].mean()
        best = means.groupby(race).max().rename("best")
        targets = THRESHOLD * of_b.join(best, on=race)["best"].to_numpy()
        needed = pd.Series(epochs_needed(rows, targets), of_b.index)
        races = of_b["experiment"] + of_b["labels"].astype(str) + of_b["seed"].astype(str)
        return of_b.assign(profile=profile(needed, races))

    def hidden(self, epoch: Epoch) -> pd.DataFrame:
        """Return the hidden layers' health: before the first step `at_own_rates`, after it `at_equal_rates`."""
        return self.at_equal_rates(epoch) if epoch else self.at_own_rates(0)

    def at_own_rates(self, epoch: Epoch) -> pd.DataFrame:
        """Return the hidden layers' health at each setting's best learning rate."""
        return self._look(self.looks, epoch, self.chosen[self.key])

    def at_equal_rates(self, epoch: Epoch) -> pd.DataFrame:
        """Return the hidden layers' health at the same learning rates, whatever the setting.

        Where rates are tuned, that of the networks that chose them, at the rates that every setting tried. A setting's
        own rate is found once, for all seeds: how layers look at it depends on what was found, which no interval over
        seeds knows of.
        """
        looks = self._rows(self.tuning_layers)
        settings = looks.distinct([*SETTING, "learning_rate"])
        if settings.empty:
            return self._look(self.looks, epoch)
        tried = settings.groupby(SETTING, observed=True)["learning_rate"].agg(set)
        return self._look(looks.where(("learning_rate", "in", set.intersection(*tried))), epoch)

    def at_listed_rates(self) -> pd.DataFrame:
        """Return the hidden layers' last recorded health, of networks whose learning rate was not tuned."""
        listed = self.networks.loc[~self.networks["tuned"], self.key]
        return self._look(self.looks, "last", listed)

    @property
    def looks(self) -> Rows:
        """The rows of ``layers``."""
        return self._rows(self.layers)

    def read(self, looks: Rows, columns: Sequence[str] | None = None, of: pd.DataFrame | None = None) -> pd.DataFrame:
        """Return rows of layers, see `Rows.read`; the words of each axis are numbered as in the other tables."""
        found = looks.read(columns, of)
        types = {axis: self.networks[axis].dtype for axis in AXES if axis in found}
        return found.astype({axis: own for axis, own in types.items() if isinstance(own, pd.CategoricalDtype)})

    def _rows(self, table: pd.DataFrame | Path) -> Rows:
        """Return a table's rows; of a folder, which has those of all shapes, those of this one."""
        rows = Rows(table)
        shapes = self.networks["hidden"].unique().tolist()
        return rows.where(("hidden", "in", {*shapes})) if isinstance(table, Path) else rows

    def _look(self, looks: Rows, epoch: Epoch, of: pd.DataFrame | None = None) -> pd.DataFrame:
        hidden = looks.where(("layer", "<=", self.depth))
        if epoch != "last":
            return self.read(hidden.where(("epoch", "==", epoch)), of=of)
        found = self.read(hidden, of=of)
        last = found.groupby(self.key)["epoch"].transform("max")
        return found[(found["epoch"] == last) & (last > 0)]


class Probes(NamedTuple):
    """The small experiments' tables, see `pipeline.experiments.probes`."""

    variances: pd.DataFrame
    drifts: pd.DataFrame
    moments: pd.DataFrame
    angles: pd.DataFrame
    steps: pd.DataFrame


@dataclass(frozen=True)
class Evidence:
    """All that a run found out."""

    studies: dict[str, StudyTables]
    probes: Probes | None = None

    @cached_property
    def shapes(self) -> list[tuple[str, StudyTables]]:
        """Each study's name and tables, those of each shape by themselves."""
        return [(name, own) for name, tables in self.studies.items() for own in tables.by_shape()]


def by_seed(table: pd.DataFrame, column: str) -> pd.Series:
    """Return a column's mean for each seed."""
    return table.groupby("seed")[column].mean()


def epochs_needed(curves: Scores, target: float | Scores) -> Scores:
    """Return when each of ``[network, epoch]`` comes to a target; infinity where it never does.

    Between two epochs the accuracy is taken to rise evenly, and to be 0 before the first.

    Args:
        curves: validation accuracy; NaN where a network has stopped.
        target: for all networks, or ``[network]``.
    """
    target = np.broadcast_to(target, len(curves))[:, None]
    before = np.concatenate([np.zeros((len(curves), 1)), curves[:, :-1]], 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        reached = curves >= target
        when = np.arange(curves.shape[1]) + np.clip((target - before) / (curves - before), 0.0, 1.0)
    first = reached.argmax(1)
    return np.where(reached.any(1), when[np.arange(len(curves)), first], np.inf)


def profile(needed: pd.Series, problem: pd.Series) -> pd.Series:
    """Return the area under each one's performance profile on its problem (Dolan & Moré 2002), from 0 to 1.

    On a logarithmic axis up to `SLOWEST` times the fastest's time: 1 for the fastest, 0 for what takes that long or
    never arrives. The difference of two is how much sooner one arrives, as a share of a factor of `SLOWEST`.

    Args:
        needed: times, infinite for never.
        problem: those that are alike in it race each other.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        behind = np.log(needed / needed.groupby(problem).transform("min")) / np.log(SLOWEST)
    area: pd.Series = (1 - behind.clip(upper=1.0)).fillna(0.0)  # where nobody arrives
    return area


def bounces(history: pd.DataFrame, key: list[str]) -> pd.Series:
    """Return by network how unsteady its training loss is in the second half of its epochs.

    The standard deviation of ln loss's second differences: a loss that falls at an even pace has none.
    """
    late = history[history["epoch"] > history["epoch"].max() / 2]
    curves = late.pivot_table(index=key, columns="epoch", values="train_loss", dropna=False)
    with np.errstate(divide="ignore", invalid="ignore"):
        bends = np.diff(np.log(curves.to_numpy(np.float64)), n=2, axis=1)
        spread = bends.std(axis=1, ddof=1) if bends.shape[1] > 1 else np.full(len(curves), np.nan)
    return pd.Series(np.where(np.isfinite(spread), spread, np.nan), index=curves.index)


def samples_tested(dataset: Dataset, seeds: Iterable[int]) -> dict[int, Indices]:
    """Return by seed the samples of its test part."""
    return {seed: dataset.exchanged(dataset.card.split_of(seed))["test"] for seed in seeds}
