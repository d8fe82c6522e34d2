"""What the claims are tested on: a run's tables, and the ways in which claims look at them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import pandas as pd

from pipeline.config import Study
from pipeline.config.data import StratifiedSplit, dataset_name
from pipeline.evaluation.cells import select_learning_rate
from pipeline.grid import AXES, AXIS, widths_of


@dataclass(frozen=True)
class StudyTables:
    """One study's tables, as its stages wrote them."""

    study: Study
    networks: pd.DataFrame
    history: pd.DataFrame
    layers: pd.DataFrame
    transfer: pd.DataFrame

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
            own = (table[table["hidden"] == hidden] for table in (self.networks, self.history, self.layers))
            networks, history, layers = own
            yield replace(self, networks=networks, history=history, layers=layers)

    @cached_property
    def chosen(self) -> pd.DataFrame:
        """The networks at each setting's best learning rate.

        With ``speed``, their mean validation accuracy over all epochs; in those that a network did not finish it
        guesses.
        """
        known = self.history.groupby(self.key)["val_accuracy"].agg(["sum", "count"])
        own = known.reindex(pd.MultiIndex.from_frame(self.networks[self.key])).fillna(0.0)
        epochs = self.study.training.epochs
        unfinished = (epochs - own["count"].to_numpy()) * self.networks["val_accuracy"].to_numpy()
        return select_learning_rate(self.networks.assign(speed=(own["sum"].to_numpy() + unfinished) / epochs), "best")

    def hidden(self, epoch: int | str, every_rate: bool = False) -> pd.DataFrame:
        """Return the hidden layers' health, at each setting's best learning rate or at every one.

        Args:
            epoch: ``last`` for each network's last recorded one.
            every_rate: whether all rates are wanted.
        """
        hidden = self.layers[self.layers["layer"] <= self.depth]
        if not every_rate:
            hidden = hidden.merge(self.chosen[self.key], on=self.key)
        if epoch != "last":
            return hidden[hidden["epoch"] == epoch]
        last = hidden.groupby([*AXES, "seed"])["epoch"].transform("max")
        return hidden[(hidden["epoch"] == last) & (last > 0)]


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
