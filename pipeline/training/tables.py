"""Tables on disk: a Parquet file each, or, where one has many rows, a folder of such files that is read in part."""

import operator
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pandas as pd

ROWS_OF_A_FILE = 2_000_000
"""Of more than that, a table is a folder of files of so many rows."""

Operator = Literal["==", "<=", ">", "in"]
Filter = tuple[str, Operator, Any]
"""Column, operator and value, as ``pandas.read_parquet`` has them."""
IN_MEMORY: dict[Operator, Callable[[pd.Series, Any], Any]] = {
    "==": operator.eq,
    "<=": operator.le,
    ">": operator.gt,
    "in": lambda column, values: column.isin(values),
}
IN_SQL: dict[Operator, str] = {"==": '"{}" = ?', "<=": '"{}" <= ?', ">": '"{}" > ?', "in": 'list_contains(?, "{}")'}


def save_tables(tables: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """Write tables into a folder as ``<name>.parquet``. Equal tables give equal bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        save_table(table, folder / f"{name}.parquet")


def save_table(table: pd.DataFrame, place: Path) -> None:
    """Write a table, in place of the one that is there."""
    if place.is_dir():
        shutil.rmtree(place)
    if len(table) <= ROWS_OF_A_FILE:
        table.to_parquet(place, index=False)
        return
    place.unlink(missing_ok=True)
    place.mkdir()
    for number, start in enumerate(range(0, len(table), ROWS_OF_A_FILE)):
        part = table.iloc[start : start + ROWS_OF_A_FILE]
        part.to_parquet(place / f"part-{number:05}.parquet", index=False)


def load_table(place: Path) -> pd.DataFrame:
    """Read a table whole."""
    return pd.read_parquet(place)


def open_table(place: Path) -> pd.DataFrame | Path:
    """Read a table, but for one that is a folder: `Rows` reads that in part.

    Raises:
        FileNotFoundError: it is not there.
    """
    return place if place.is_dir() else load_table(place)


class Rows(NamedTuple):
    """Rows of a table, in memory or in a folder of Parquet files.

    Of files, nothing but the columns and rows that are asked for comes into memory: measured in ``docs/scaling.md``.
    """

    table: pd.DataFrame | Path
    filters: tuple[Filter, ...] = ()
    """All of which hold."""

    def where(self, *filters: Filter) -> "Rows":
        """Return those of the rows for which some filters hold."""
        return self._replace(filters=(*self.filters, *filters))

    def read(self, columns: Sequence[str] | None = None, of: pd.DataFrame | None = None) -> pd.DataFrame:
        """Return the rows, in the table's order.

        Args:
            columns: by default all.
            of: rows of other columns, none twice; those that have equal values there.
        """
        if isinstance(self.table, Path):
            return _selected(self.table, self.filters, columns, of)
        rows = self.table
        for column, is_, value in self.filters:
            rows = rows[IN_MEMORY[is_](rows[column], value)]
        if of is not None:
            rows = rows.merge(of, on=[*of.columns])
        return rows if columns is None else rows[[*columns]]

    def distinct(self, columns: Sequence[str]) -> pd.DataFrame:
        """Return the different values that some columns have together, in order; a table without columns has none."""
        if isinstance(self.table, Path):
            return _asked(self.table, self.filters, f"SELECT DISTINCT {_names(columns)} FROM rows ORDER BY ALL")  # noqa: S608
        if self.table.empty:
            return pd.DataFrame(columns=[*columns])
        return self.read(columns).drop_duplicates().sort_values([*columns], ignore_index=True)


def _selected(
    folder: Path, filters: Sequence[Filter], columns: Sequence[str] | None, of: pd.DataFrame | None
) -> pd.DataFrame:
    shown = _names(columns) if columns else "* EXCLUDE (filename, file_row_number)"
    alike = "" if of is None else f" SEMI JOIN keys USING ({_names(of.columns)})"
    query = f"SELECT {shown} FROM rows{alike} ORDER BY filename, file_row_number"  # noqa: S608
    return _asked(folder, filters, query, of)


def _asked(folder: Path, filters: Sequence[Filter], query: str, keys: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return what a query of the ``rows`` for which all filters hold, and of ``keys``, comes to."""
    import duckdb  # half a second, which small tables need not wait for

    conditions = " AND ".join(IN_SQL[is_].format(column) for column, is_, _ in filters) or "TRUE"
    files = "read_parquet(?, filename = true, file_row_number = true)"
    values = [f"{folder}/*.parquet", *(_plain(value) for *_, value in filters)]
    with duckdb.connect() as connection:
        if keys is not None:
            words = dict.fromkeys(keys.select_dtypes("category"), "str")
            connection.register("keys", keys.astype(words))
        rows = f"WITH rows AS (SELECT * FROM {files} WHERE {conditions}) {query}"  # noqa: S608
        return connection.sql(rows, params=values).to_arrow_table().to_pandas()  # type: ignore[no-any-return]


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)


def _plain(value: Any) -> Any:
    """Return a value as a parameter of a query: of several, a list."""
    return sorted(value) if isinstance(value, set | frozenset) else value
