"""What the claims are tested on: a run's tables, and the ways in which claims look at them."""

from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd

from pipeline.config import Study
from pipeline.evaluation.cells import View, select_learning_rate
from pipeline.grid import AXES


class StudyTables(NamedTuple):
    """One study's tables, as its stages wrote them."""

    study: Study
    networks: pd.DataFrame
    history: pd.DataFrame
    layers: pd.DataFrame
    transfer: pd.DataFrame
    view: View = "best"

    @property
    def key(self) -> list[str]:
        """The columns that tell networks apart."""
        return [*AXES, "seed"]

    @property
    def depth(self) -> int:
        """Hidden layers."""
        return len(self.study.hidden_widths)

    def chosen(self, networks: pd.DataFrame) -> pd.DataFrame:
        """Return the rows at the view's learning rate."""
        return select_learning_rate(networks, self.view)

    def speed(self) -> pd.DataFrame:
        """Return the networks with ``speed``, their mean validation accuracy over all epochs."""
        key = [*AXES, "seed"]
        mean = self.history.groupby(key)[["val_accuracy"]].mean().reset_index()
        return self.networks.merge(mean.rename(columns={"val_accuracy": "speed"}), on=key, how="left")

    def hidden(self, epoch: int | str) -> pd.DataFrame:
        """Return the hidden layers' health at an epoch, ``last`` for each network's last recorded one."""
        hidden = self.layers[self.layers["layer"] <= self.depth]
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


class Evidence(NamedTuple):
    """All that a run found out."""

    studies: dict[str, StudyTables]
    probes: Probes | None = None

    def seen(self, view: View) -> "Evidence":
        """Return the evidence in a view."""
        return self._replace(studies={name: tables._replace(view=view) for name, tables in self.studies.items()})

    def items(self) -> Iterator[tuple[str, StudyTables]]:
        """Yield the studies with their names."""
        yield from self.studies.items()


def by_seed(table: pd.DataFrame, column: str) -> pd.Series:
    """Return a column's mean for each seed."""
    return table.groupby("seed")[column].mean()
