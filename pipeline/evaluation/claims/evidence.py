"""What the claims are tested on: a run's tables, and the ways in which claims look at them."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.evaluation.cells import SETTING, View, at_rate
from pipeline.evaluation.statistics import Scores
from pipeline.params import Study


class StudyTables(NamedTuple):
    """One study's tables, as its stages wrote them."""

    study: Study
    networks: pd.DataFrame
    history: pd.DataFrame
    layers: pd.DataFrame
    transfer: pd.DataFrame
    view: View = "best"

    @property
    def depth(self) -> int:
        """Hidden layers."""
        return len(self.study.hidden_widths)

    def chosen(self, networks: pd.DataFrame) -> pd.DataFrame:
        """Return the rows at the view's learning rate."""
        return at_rate(networks, self.view)

    def speed(self) -> pd.DataFrame:
        """Return the networks with ``speed``, their mean validation accuracy over all epochs."""
        key = [*SETTING, "learning_rate", "seed"]
        mean = self.history.groupby(key)[["val_accuracy"]].mean().reset_index()
        return self.networks.merge(mean.rename(columns={"val_accuracy": "speed"}), on=key, how="left")

    def hidden(self, epoch: int | str) -> pd.DataFrame:
        """Return the hidden layers' health at an epoch, ``last`` for each network's last recorded one."""
        hidden = self.layers[self.layers["layer"] <= self.depth]
        if epoch != "last":
            return hidden[hidden["epoch"] == epoch]
        last = hidden.groupby([*SETTING, "learning_rate", "seed"])["epoch"].transform("max")
        return hidden[(hidden["epoch"] == last) & (last > 0)]


class Probes(NamedTuple):
    """The small experiments' tables, see `pipeline.evaluation.probes`."""

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


def paired(first: pd.DataFrame, second: pd.DataFrame, column: str, on: Sequence[str] = ("initializer",)) -> Scores:
    """Return ``[seed]``: first less second, in each seed the mean over all that they share besides.

    Args:
        first: rows with a ``seed``, the columns ``on``, and the column compared.
        second: likewise.
        column: what is compared; pairs in which one is NaN are left out.
        on: what makes two rows of a seed a pair.
    """
    both = first.merge(second, on=[*on, "seed"], suffixes=("_first", "_second"))
    differences = both[f"{column}_first"] - both[f"{column}_second"]
    return differences.groupby(both["seed"]).mean().to_numpy(np.float64)
