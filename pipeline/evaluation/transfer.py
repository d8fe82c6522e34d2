"""What reuse is worth: accuracy on task B by labels and layers, the gain over training from scratch, paired by seed."""

import math
from typing import Any

import numpy as np
import pandas as pd

from ..data import Card
from .estimates import of_samples
from .tested import on_samples, overlap

SETTING = ["experiment", "labels", "reused", "unfrozen"]


def summarize_transfer(transfer: pd.DataFrame, hits: pd.DataFrame, card: Card, confidence: float) -> pd.DataFrame:
    """Return one row per setting of task B, sorted by it.

    Columns: `SETTING`; ``method``; ``networks``; ``diverged``; ``val_accuracy`` (mean); of the test part
    ``test_accuracy`` and of the ``gain`` over scratch with as many labels and the same seed, in accuracy, mean and
    bounds (``_mean``, ``_sd``, ``_low``, ``_high``), see `_spread`; ``error_ratio``, the mean error as a share of that
    from scratch; ``chosen``, true for scratch and for the reuse that is best on validation with as many labels.

    Args:
        transfer: see `pipeline.experiments.transfer.results.TransferResults`.
        hits: likewise, ``transfer_hits``.
        card: of the study's data.
        confidence: of the intervals.
    """
    of_b = transfer[transfer["task"] == "B"]
    scratch = dict(iter(of_b[of_b["reused"] == 0].groupby(["experiment", "labels"])))
    rows: list[dict[str, Any]] = []
    for key, group in of_b.groupby(SETTING, sort=True):
        base = scratch[key[:2]]
        row: dict[str, Any] = dict(zip(SETTING, key, strict=True))
        row |= {"method": group["method"].iloc[0], "networks": len(group)}
        row["diverged"] = int((group["status"] != "trained").sum())
        row["val_accuracy"] = float(group["val_accuracy"].mean())
        own, others = (pd.Series(1.0, table.index) for table in (group, base))
        reuse = row["method"] == "reuse"
        for name, weights in (("test_accuracy", own), ("gain", pd.concat([own, -others]) if reuse else None)):
            spread = NO_GAIN if weights is None else _spread(hits, weights, card, confidence)
            row |= {f"{name}_{part}": value for part, value in spread.items()}
        row["error_ratio"] = _ratio(1 - row["test_accuracy_mean"], 1 - float(base["test_accuracy"].mean()))
        rows.append(row)
    columns = [*SETTING, "method", "networks", "diverged", "val_accuracy", "error_ratio"]
    summary = pd.DataFrame(rows) if rows else pd.DataFrame(columns=columns)
    order = {"val_accuracy": False} | dict.fromkeys(SETTING, True)
    ranked = summary.sort_values(list(order), ascending=list(order.values()))
    best = ranked.drop_duplicates(["experiment", "labels", "method"]).index
    summary["chosen"] = summary.index.isin(best)
    return summary


NO_GAIN = dict.fromkeys(("mean", "sd", "low", "high"), 0.0)
"""Scratch's gain over itself."""


def _spread(hits: pd.DataFrame, weights: pd.Series, card: Card, confidence: float) -> dict[str, float]:
    """Return mean, sd over seeds and the bounds of an interval, which allows for seeds, splits and test samples.

    Args:
        hits: of the study's networks.
        weights: what each counts for, by the rows' index.
        card: of the study's data.
        confidence: of the interval; its bounds are NaN of a single seed.
    """
    values = on_samples(hits, weights)
    seeds = sorted(hits["seed"].loc[weights.index].unique())
    by_seed = np.nanmean(values, axis=1)
    splits = np.array([card.split_of(int(seed)) for seed in seeds])
    found = of_samples(values, overlap(card), splits if overlap(card) else None)
    _, low, high = found.interval(confidence)
    sd = float(by_seed.std(ddof=1)) if len(seeds) > 1 else math.nan
    return {"mean": float(by_seed.mean()), "sd": sd, "low": low, "high": high}


def _ratio(error: float, reference: float) -> float:
    return error / reference if reference > 0 else math.nan


def transfer_metrics(transfer: pd.DataFrame, summary: pd.DataFrame) -> dict[str, Any]:
    """Return what of the summary is a DVC metric: by experiment and labels, scratch beside the chosen reuse."""
    metrics: dict[str, Any] = {}
    for experiment, rows in summary[summary["chosen"]].groupby("experiment", sort=True):
        of_a = transfer[(transfer["experiment"] == experiment) & (transfer["task"] == "A")]
        by_labels: dict[str, Any] = {}
        for row in rows.to_dict("records"):
            entry = by_labels.setdefault(str(row["labels"]), {})
            entry[row["method"]] = row["test_accuracy_mean"]
            if row["method"] == "reuse":
                entry |= {"gain": row["gain_mean"], "gain_low": row["gain_low"], "gain_high": row["gain_high"]}
                entry |= {"error_ratio": row["error_ratio"], "reused": row["reused"], "unfrozen": row["unfrozen"]}
        metrics[str(experiment)] = {"task_a_accuracy": float(of_a["test_accuracy"].mean()), "labels": by_labels}
    return metrics
