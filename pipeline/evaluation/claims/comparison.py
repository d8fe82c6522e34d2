"""Two levels of an axis, on networks that are alike in all else."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.errors import MergeError

from ...data.dataset import Indices
from ...grid import AXES, AXIS

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


def numbers(column: pd.Series) -> NDArray[Any]:
    """Return a column as numbers: those of its levels, where it has words."""
    return column.cat.codes.to_numpy() if isinstance(column.dtype, pd.CategoricalDtype) else column.to_numpy()


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
        values = [numbers(rows[column]) for column in columns]  # where all are alike, they tell no pairs apart
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
    mine, theirs = _pairs(first, second, on)
    differences = pd.Series(first[column].to_numpy()[mine] - second[column].to_numpy()[theirs])
    means: pd.Series = differences.groupby(first["seed"].to_numpy()[mine]).mean().rename_axis("seed")
    return means


def contrast(first: pd.DataFrame, second: pd.DataFrame, on: Sequence[str]) -> pd.Series:
    """Return what each row counts for in the mean difference of a seed's pairs, by the rows' index: first less second.

    Arguments and errors as in `paired`.
    """
    mine, theirs = _pairs(first, second, on)
    _, seed, size = np.unique(first["seed"].to_numpy()[mine], return_inverse=True, return_counts=True)
    share = 1.0 / size[seed]
    return pd.concat([pd.Series(share, first.index[mine]), pd.Series(-share, second.index[theirs])])


def _pairs(first: pd.DataFrame, second: pd.DataFrame, on: Sequence[str]) -> tuple[Indices, Indices]:
    """Return the places of the rows that make pairs, in the order of the first; errors as in `paired`."""
    number = np.zeros(len(first) + len(second), dtype=np.int64)
    for column in (*on, "seed"):
        levels, own = np.unique(np.concatenate([numbers(first[column]), numbers(second[column])]), return_inverse=True)
        number = number * len(levels) + own
    sides = number[: len(first)], number[len(first) :]
    if any(len(np.unique(side)) < len(side) for side in sides):
        raise MergeError(f"two rows of a side are alike in {', '.join((*on, 'seed'))}")
    _, mine, theirs = np.intersect1d(*sides, assume_unique=True, return_indices=True)
    order = np.argsort(mine)
    return mine[order], theirs[order]
