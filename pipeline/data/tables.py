"""A table of the user's: a CSV, Parquet or NPZ file as samples of named features and classes.

What a reader would guess at (an index without a name, a field too many, a name twice) is refused, since a wrong guess
shifts columns or gives the label away.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray
from pandas.api import types
from pyarrow import csv as arrow_csv

from ..config.data import SEPARATORS, TableData
from ..errors import DataError, did_you_mean
from .samples import ClassType, Samples

LARGEST_BLOCK = 2**31 - 1
"""Bytes of a CSV that Arrow looks at before it settles the columns' types; it takes no more."""
UNNAMED = re.compile(r"(Unnamed: \d+(_level_\d+)?|__index_level_\d+__)?")
"""What a data frame's index is called in a file that was not told to leave it out."""
EXACT = 2.0**53
"""Whole numbers below this are exact in float64."""
FEW_CLASSES, MANY_CLASSES = 20, 50
"""Up to the first, whole numbers are classes, and above it where there are five samples of each; more numbers with
decimals than the second are none."""


def read_table(data: TableData) -> Samples:
    """Read a table for classification: a CSV or Parquet file's columns, or an NPZ file's arrays by name.

    Raises:
        DataError: no such file, format or target; rows, names or values that do not say what they mean; a value is
            missing; a feature is not numeric or numbers the rows; fewer than 2 classes, or no classes at all.
    """
    path = Path(data.path)
    columns = _read(path, data)
    if data.target not in columns:
        raise DataError(
            f"{path}: has no target column {data.target!r}{_other_separator(path, columns, data)}"
            f"{did_you_mean(data.target, columns)}"
        )
    for name in data.drop:
        if name == data.target or name not in columns:
            problem = "is the target" if name == data.target else f"is no column{did_you_mean(name, columns)}"
            raise DataError(f"{path}: data.drop: {name!r} {problem}")
    target = columns.pop(data.target)
    features = {name: column for name, column in columns.items() if name not in data.drop}
    if not features:
        raise DataError(f"{path}: has no feature beside the target {data.target!r}")
    if not len(target):
        raise DataError(f"{path}: has no rows")
    labels, classes, class_type = _classes(path, data.target, target)
    return Samples(_numbers(path, features, data), tuple(features), labels, classes, class_type)


# --- files ------------------------------------------------------------------------------------------------------


def _read(path: Path, data: TableData) -> dict[str, pd.Series]:
    """Return a file's columns by name."""
    readers: dict[str, Callable[[], Mapping[str, pd.Series]]] = {
        ".csv": lambda: _read_csv(path, data), ".parquet": lambda: _read_parquet(path, data),
        ".npz": lambda: _read_npz(path),
    }  # fmt: skip
    if path.suffix not in readers:
        raise DataError(f"{path}: {path.suffix!r} is not a table's format{did_you_mean(path.suffix, readers)}")
    try:
        return dict(readers[path.suffix]())
    except FileNotFoundError:
        raise DataError(f"{path} is not there; put the table there or mend the study's data.path") from None
    except DataError:
        raise
    except Exception as error:  # whatever a damaged file makes its reader raise
        reason = " ".join(str(error).split()) or type(error).__name__
        if "UTF" in reason:
            reason += "; save the table as UTF-8"
        raise DataError(f"{path}: cannot be read as {path.suffix[1:].upper()}: {reason}") from error


def _read_csv(path: Path, data: TableData) -> dict[str, pd.Series]:
    # In one block: the types of columns are inferred from the first.
    block = min(max(path.stat().st_size + 1, 2**20), LARGEST_BLOCK)
    table = arrow_csv.read_csv(
        path,
        arrow_csv.ReadOptions(block_size=block),
        arrow_csv.ParseOptions(delimiter=data.separator, newlines_in_values=True),
        arrow_csv.ConvertOptions(decimal_point=data.decimal),
    )
    unreadable = [field.name for field in table.schema if pa.types.is_binary(field.type)]
    if unreadable:
        raise ValueError(f"column {unreadable[0]!r} is not UTF-8")
    return _columns(path, table, data.drop)


def _read_parquet(path: Path, data: TableData) -> dict[str, pd.Series]:
    table = pyarrow.parquet.ParquetFile(path).read()
    # What pandas keeps as the index is no column.
    described = (table.schema.pandas_metadata or {}).get("index_columns", [])
    index = [name for name in described if isinstance(name, str) and name in table.column_names]
    return _columns(path, table.drop_columns(index), data.drop)


def _columns(path: Path, table: pa.Table, drop: Sequence[str]) -> dict[str, pd.Series]:
    counts = Counter(table.column_names)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise DataError(f"{path}: {twice[0]!r} names {counts[twice[0]]} columns; give each a name of its own")
    names = enumerate(table.column_names)
    unnamed = [place for place, name in names if UNNAMED.fullmatch(name) and name not in drop]
    if unnamed:
        name = table.column_names[unnamed[0]]
        raise DataError(
            f"{path}: column {unnamed[0] + 1} has no name (found {name!r}): a data frame's index? It would become a "
            "feature, and give the labels away where the rows are sorted. Write the table without its index "
            "(to_csv(index=False)), name the column, or put it under data.drop as it is"
        )
    decimals = [pa.float64() if pa.types.is_decimal(field.type) else field.type for field in table.schema]
    table = table.cast(pa.schema([field.with_type(kind) for field, kind in zip(table.schema, decimals, strict=True)]))
    return {name: column.to_pandas() for name, column in zip(table.column_names, table.columns, strict=True)}


def _read_npz(path: Path) -> dict[str, pd.Series]:
    columns: dict[str, pd.Series] = {}
    rows: dict[int, str] = {}
    with path.open("rb") as file:
        arrays = np.load(file, allow_pickle=False)
        if not isinstance(arrays, np.lib.npyio.NpzFile):
            raise ValueError("it is an NPY file; np.savez writes arrays with their names")
        for name, array in arrays.items():
            if array.ndim == 0:
                raise DataError(f"{path}: array {name!r} is a single value; an array holds a value for each sample")
            rows.setdefault(len(array), name)
            flat = array.reshape(len(array), math.prod(array.shape[1:]))
            if flat.shape[1] == 1:
                columns[name] = pd.Series(flat[:, 0])
            else:  # an array [sample, ...] is a feature for each of a sample's elements
                columns |= {f"{name}[{i}]": pd.Series(flat[:, i]) for i in range(flat.shape[1])}
    if len(rows) > 1:
        (first, one), (second, other), *_ = rows.items()
        raise DataError(
            f"{path}: array {one!r} holds {first:,} samples, {other!r} {second:,}; they must be of one length"
        )
    return columns


def _other_separator(path: Path, columns: Mapping[str, pd.Series], data: TableData) -> str:
    """Return what to set where a CSV has one column, whose name holds another separator."""
    if path.suffix == ".csv" and len(columns) == 1:
        name = next(iter(columns))
        counts = {mark: name.count(mark) for mark in SEPARATORS if mark != data.separator}
        likeliest = max(counts, key=lambda mark: counts[mark])
        if counts[likeliest]:
            return f": its columns seem to be separated by {likeliest!r}; set data.separator to that"
    return ""


# --- values -----------------------------------------------------------------------------------------------------


def _classes(path: Path, name: str, target: pd.Series) -> tuple[NDArray[np.int64], tuple[str, ...], ClassType]:
    """Return labels, the classes' names and the type of their values."""
    missing = target.isna().to_numpy(copy=True)
    values = target.to_numpy()
    if isinstance(target.dtype, pd.CategoricalDtype):
        values = np.asarray(target.astype(target.cat.categories.dtype))
    if values.dtype.kind not in "biuf":
        words = np.asarray(
            [value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value) for value in values]
        )
        missing |= words == ""
        values = words
    elif values.dtype.kind == "f":
        missing |= np.isinf(values)
    if missing.any():
        raise DataError(
            f"{path}: {missing.sum():,} values of the target {name!r} are missing or infinite, the first in row "
            f"{np.argmax(missing) + 1}; fill them or drop their rows"
        )
    class_type: ClassType = {"b": "bool", "i": "int", "u": "int", "f": "float"}.get(values.dtype.kind, "str")  # type: ignore[assignment]
    found, labels = np.unique(values, return_inverse=True)
    if len(found) < 2:
        raise DataError(f"{path}: target {name!r} has {len(found)} class; allowed: at least 2")
    if class_type in ("int", "float"):
        with_decimals = bool((np.asarray(found, np.float64) % 1 != 0).any())
        continuous = len(found) > FEW_CLASSES and len(values) < 5 * len(found)
        if with_decimals:
            continuous |= len(found) > MANY_CLASSES or (len(found) > 2 and len(values) < 2 * len(found))
        if continuous:
            raise DataError(
                f"{path}: target {name!r} looks continuous: {len(found):,} different numbers in {len(values):,} rows, "
                f"such as {found[0]} and {found[1]}. Networks are trained to tell classes apart here: name the column "
                "that holds the classes, or sort the numbers into a few"
            )
    return labels.astype(np.int64), tuple(str(value) for value in found.tolist()), class_type


def _numbers(path: Path, features: Mapping[str, pd.Series], data: TableData) -> NDArray[np.float64]:
    """Return the features as numbers ``[sample, feature]``."""
    for name, column in features.items():
        if column.isna().any():
            raise DataError(
                f"{path}: {column.isna().sum():,} values are missing, the first in column {name!r}, row "
                f"{int(column.isna().to_numpy().argmax()) + 1}; fill them, drop their rows, or name the column under "
                "data.drop"
            )
        if not types.is_any_real_numeric_dtype(column) and not types.is_bool_dtype(column):
            raise DataError(
                f"{path}: feature {name!r} is not numeric (it holds {column.iloc[0]!r}){_other_decimal(column, data)}; "
                "encode it, or name it under data.drop"
            )
    values = np.column_stack([column.to_numpy(dtype=np.float64) for column in features.values()])
    for (name, column), read in zip(features.items(), values.T, strict=True):
        if column.dtype.kind in "iu" and np.abs(read).max() >= EXACT and column.nunique() > len(np.unique(read)):
            raise DataError(
                f"{path}: feature {name!r} holds whole numbers of more than 53 bits, and of its {column.nunique():,} "
                f"different values {len(np.unique(read)):,} are left as such: subtract what they have in common, or "
                "name it under data.drop"
            )
    infinite = ~(np.abs(values) <= np.finfo(np.float32).max)
    if infinite.any():
        row, column = np.argwhere(infinite)[0]
        raise DataError(
            f"{path}: feature {[*features][column]!r}, row {row + 1} is infinite in 32 bits (it holds "
            f"{values[row, column]:g})"
        )
    numbers_rows = (np.diff(values, axis=0) > 0).all(axis=0) & (values % 1 == 0).all(axis=0)
    if numbers_rows.any() and len(values) > 2:
        place = int(numbers_rows.argmax())
        first = ", ".join(f"{value:.0f}" for value in values[:3, place])
        raise DataError(
            f"{path}: feature {[*features][place]!r} grows from row to row ({first}, …), as a number of the row does: "
            "it would give the labels away where the rows are sorted. Name it under data.drop; if it was measured, "
            "shuffle the rows"
        )
    return values


def _other_decimal(column: pd.Series, data: TableData) -> str:
    if (
        data.path.endswith(".csv")
        and data.decimal == "."
        and column.astype(str).str.fullmatch(r"\s*-?\d*,\d+\s*").any()
    ):
        return ": decimal commas? Then set data.decimal to ','"
    return ""
