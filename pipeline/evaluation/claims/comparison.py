"""Two levels of an axis, on networks that are alike in all else."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from pipeline.grid import AXES, AXIS

PLACES = ("layer",)
"""Columns that make rows of one network a pair, where a table has them."""


def held(table: pd.DataFrame, at: Mapping[str, Any], free: Sequence[str] = ()) -> pd.DataFrame:
    """Return the rows at some levels; axes neither named nor free are at their neutral level, if they have one.

    Args:
        table: with a column for each axis.
        at: a level, by axis.
        free: axes of which every level is taken.
    """
    neutral = {name: axis.neutral for name, axis in AXIS.items() if axis.neutral is not None and name not in free}
    rows = np.ones(len(table), dtype=bool)
    for name, level in (neutral | dict(at)).items():
        rows &= (table[name] == level).to_numpy()
    return table[rows]


class Comparison(NamedTuple):
    """First less second, on paired networks."""

    axis: str
    first: Any
    second: Any
    metric: str
    """A column."""
    at: Mapping[str, Any] = {}
    """Levels of other axes; those not named are at their neutral level, and paired where they have none."""
    by: tuple[str, ...] = ()
    """Columns, each level of which is compared by itself."""
    rate: Literal["same", "own"] = "own"
    """Whether pairs have one learning rate, or each setting the one that was chosen for it."""

    def effects(self, table: pd.DataFrame) -> Iterator[tuple[dict[str, Any], pd.Series]]:
        """Yield where, and the differences by seed: in each the mean over all pairs."""
        for where, rows in self._places(table):
            yield where, self.of(rows)

    def contrasts(self, table: pd.DataFrame) -> Iterator[tuple[dict[str, Any], pd.Series]]:
        """Yield where, and what each network counts for, by the table's index.

        A seed's difference is the sum of its networks' scores times what they count for.
        """
        for where, rows in self._places(table):
            yield where, contrast(*self._sides(rows))

    def of(self, rows: pd.DataFrame) -> pd.Series:
        """Return the differences by seed of rows that are held already."""
        first, second, on = self._sides(rows)
        return paired(first, second, self.metric, on)

    def _places(self, table: pd.DataFrame) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
        """Yield where, and the rows that are compared there."""
        rows = held(table, self.at, (self.axis, *self.by))
        for levels, group in rows.groupby(list(self.by), sort=True) if self.by else [((), rows)]:
            yield dict(zip(self.by, levels, strict=True)), group

    def _sides(self, rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
        """Return the rows of both levels, and the columns that make pairs of them."""
        apart = {self.axis} | ({"learning_rate"} if self.rate == "own" else set())
        columns = [column for column in (*AXES, *PLACES) if column in rows and column not in apart]
        values = [rows[column].to_numpy() for column in columns]  # where all are alike, they tell no pairs apart
        on = [column for column, own in zip(columns, values, strict=True) if len(own) and (own != own[0]).any()]
        first, second = (rows[rows[self.axis] == level] for level in (self.first, self.second))
        return first, second, on


def paired(first: pd.DataFrame, second: pd.DataFrame, column: str, on: Sequence[str]) -> pd.Series:
    """Return by seed: first less second, in each the mean over all that they share besides.

    Args:
        first: rows with a ``seed``, the columns ``on``, and the column compared.
        second: likewise.
        column: what is compared; pairs in which one is NaN are left out.
        on: what makes two rows of a seed a pair.

    Raises:
        pandas.errors.MergeError: two rows of either are alike in all that makes a pair.
    """
    keys = [*on, "seed"]
    both = first[[*keys, column]].merge(
        second[[*keys, column]], on=keys, suffixes=("_first", "_second"), validate="one_to_one"
    )
    differences = both[f"{column}_first"] - both[f"{column}_second"]
    means: pd.Series = differences.groupby(both["seed"]).mean()
    return means


def contrast(first: pd.DataFrame, second: pd.DataFrame, on: Sequence[str]) -> pd.Series:
    """Return what each row counts for in the mean difference of a seed's pairs, by the rows' index: first less second.

    Arguments and errors as in `paired`.
    """
    keys = [*on, "seed"]
    both = (
        first[keys]
        .assign(first=first.index)
        .merge(second[keys].assign(second=second.index), on=keys, validate="one_to_one")
    )
    share = 1.0 / both.groupby("seed")["first"].transform("size")
    return pd.concat([pd.Series(share.to_numpy(), both["first"]), pd.Series(-share.to_numpy(), both["second"])])
