"""Networks that differ by seed alone, as MLflow shows them: their means and spreads."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import pandas as pd
from mlflow.entities import Metric

from ..training.names import METRICS
from .runs import metrics_of, now

STATISTICS = {"mean": "", "std": "_sd"}
"""Over the networks of a setting, and what stands behind a metric's name for them."""


class Setting(NamedTuple):
    """Networks that differ by seed alone, and what they came to."""

    levels: dict[str, Any]
    networks: pd.DataFrame
    tables: tuple[str, str]
    """Their rows of the networks and of the history, as CSV: what the run's digest is of."""
    metrics: list[Metric]
    """Means and spreads by epoch, and at the end."""

    @property
    def seeds(self) -> dict[str, str]:
        """The parameter that names the seeds."""
        return {"seeds": ",".join(str(seed) for seed in self.networks["seed"])}


def settings(networks: pd.DataFrame, history: pd.DataFrame, key: Sequence[str]) -> Iterator[Setting]:
    """Yield the settings of a table of networks, sorted by their key's columns."""
    key = list(key)
    places: dict[Any, Any] = dict(networks.groupby(key).indices)
    epochs = history.groupby(key).indices
    texts = _csv_by_row(networks), _csv_by_row(history)
    at_the_end = networks.groupby(key)[["test_loss", "test_accuracy"]]
    final: dict[Any, Any] = dict(at_the_end.agg(["mean", "std"]).to_dict("index"))
    by_epoch = history.groupby([*key, "epoch"])[list(METRICS)].agg(["mean", "std"])
    curves: dict[Any, pd.DataFrame] = dict(iter(by_epoch.groupby(key)))
    none = by_epoch.iloc[:0]  # of networks that all diverged at once
    for levels, rows in sorted(places.items()):
        own = networks.iloc[rows]
        curve = curves.get(levels, none)
        scores = {
            f"{score}{STATISTICS[statistic]}": value for (score, statistic), value in final.get(levels, {}).items()
        }
        scores["best_val_accuracy"] = curve["val_accuracy", "mean"].max()
        scores["diverged"] = int((own["status"] != "trained").sum())
        tables = _csv_of(texts[0], rows), _csv_of(texts[1], epochs.get(levels, ()))
        yield Setting(dict(zip(key, levels, strict=True)), own, tables, metrics_of(scores) + _curve_metrics(curve))


def _curve_metrics(curve: pd.DataFrame) -> list[Metric]:
    epochs = curve.index.get_level_values("epoch")
    return [
        Metric(f"{metric}{suffix}", value, now(), int(epoch))
        for metric in METRICS
        for statistic, suffix in STATISTICS.items()
        for epoch, value in zip(epochs, curve[metric, statistic].tolist(), strict=True)
        if math.isfinite(value)
    ]


def _csv_by_row(table: pd.DataFrame) -> list[str]:
    """Return a table's lines as CSV, the header first."""
    return table.to_csv(index=False).splitlines(keepends=True)


def _csv_of(lines: list[str], rows: Iterable[int]) -> str:
    return lines[0] + "".join(lines[1 + row] for row in rows)
