"""Questions to the results: which networks of `results/` have certain levels, and how they did."""

import operator
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from .errors import DataError, LevelError, ParamsError, did_you_mean
from .grid import AXES, AXIS, spell_widths

CONDITION = re.compile(r"\s*([a-z_]+)\s*(<=|>=|!=|=|<|>)\s*(.+?)\s*")
BETWEEN_CONDITIONS = re.compile(r"[\s;]+(?=[a-z_]+\s*(?:<=|>=|!=|=|<|>))")
OTHER_WORDS = {"batch_norm": "normalization"}
"""For an axis: as textbooks call it."""
COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
SCORES = ("val_accuracy", "test_accuracy", "test_loss")


def query(conditions: str, results: Path, by_network: bool = False) -> pd.DataFrame:
    """Return the settings, or the networks, that meet all conditions, best validation accuracy first.

    Args:
        conditions: such as ``activation=gelu,relu normalization=none learning_rate>=0.1 study=digits``: a column of
            ``networks.parquet`` or ``study``, a comparison, and a value, or values of which any will do.
        results: the folder of all studies' results.
        by_network: a row for each network; else for each setting, with means over its seeds.

    Raises:
        ParamsError: a condition makes no sense.
        DataError: there are no results.
    """
    files = sorted(results.glob("*/networks.parquet"))
    if not files:
        raise DataError(f"{results}: has no results; run `dvc repro` or `dvc pull`, or name their folder by --results")
    tables = [pd.read_parquet(file) for file in files]
    found = pd.concat([table.assign(study=file.parent.name) for file, table in zip(files, tables, strict=True)])
    for condition in filter(None, BETWEEN_CONDITIONS.split(conditions.strip())):
        found = found[_meets(found, condition)]
    if by_network:
        return _ordered(found[["study", *found.columns.drop("study")]])
    keys = ["study", *AXES]
    scores = found.groupby(keys, as_index=False, sort=False).agg(
        networks=("seed", "size"),
        diverged=("status", lambda status: int((status == "diverged").sum())),
        **{name: (name, "mean") for name in SCORES},
    )
    varied = [name for name in keys if name == "study" or scores[name].nunique() > 1]
    return _ordered(scores[[*varied, *scores.columns.drop(keys)]])


def _ordered(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values("val_accuracy", ascending=False, kind="stable").reset_index(drop=True)


def _meets(table: pd.DataFrame, condition: str) -> "pd.Series[bool]":
    """Return which rows meet a condition."""
    parts = CONDITION.fullmatch(condition)
    if parts is None:
        raise ParamsError(f"{condition!r}: is no condition; allowed: such as activation=gelu or learning_rate>=0.1")
    name, sign, written = OTHER_WORDS.get(parts[1], parts[1]), parts[2], parts[3]
    if name not in table.columns:
        raise ParamsError(f"{condition!r}: there is no column {parts[1]!r}{did_you_mean(name, table.columns)}")
    numbers = pd.api.types.is_numeric_dtype(table[name])
    if sign in COMPARISONS:
        if not numbers:
            raise ParamsError(f"{condition!r}: {name} is no number; allowed: = and !=")
        met: pd.Series[bool] = COMPARISONS[sign](table[name], _number(condition, written))
        return met
    values = [_value(condition, name, word, numbers) for word in _split(written)]
    equal = table[name].isin(values)
    return equal if sign == "=" else ~equal


def _split(written: str) -> Sequence[str]:
    """Return values between commas, but for those in brackets."""
    return [word.strip() for word in re.split(r",(?![^(]*\))", written)]


def _value(condition: str, name: str, word: str, numbers: bool) -> Any:
    """Return a value as the table has it: a level in its canonical spelling."""
    if numbers:
        return _number(condition, word)
    if name == "hidden":
        return spell_widths(word.split("-"))
    registry = AXIS[name].registry if name in AXIS else None
    if registry is None:
        return word
    try:
        return str(registry.parse(word))
    except LevelError as error:
        raise ParamsError(f"{condition!r}: {error}") from None


def _number(condition: str, word: str) -> float:
    try:
        return float({"true": "1", "false": "0"}.get(word.lower(), word))
    except ValueError:
        raise ParamsError(f"{condition!r}: found {word!r}; allowed: a number") from None
