"""What reuse is worth: accuracy on task B by labels and layers, the gain over training from scratch, paired by seed."""

import math
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.evaluation.cells import interval

SETTING = ["experiment", "labels", "reused", "unfrozen"]
PUBLISHED_FILE = Path(__file__).parent / "published_transfer.csv"


def summarize_transfer(transfer: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Return one row per setting of task B, sorted by it.

    Columns: `SETTING`; ``method``; ``networks``; ``diverged``; ``val_accuracy`` (mean); of the test part
    ``test_accuracy`` and of the ``gain`` over scratch with as many labels and the same seed, in accuracy, mean and
    bounds (``_mean``, ``_sd``, ``_low``, ``_high``) of Student's t interval; ``error_ratio``, the mean error as a share
    of that from scratch; ``chosen``, true for scratch and for the reuse that is best on validation with as many labels.
    """
    of_b = transfer[transfer["task"] == "B"]
    scratch = dict(iter(of_b[of_b["reused"] == 0].groupby(["experiment", "labels"])))
    rows: list[dict[str, Any]] = []
    for key, group in of_b.groupby(SETTING, sort=True):
        base = scratch[key[:2]].set_index("seed")["test_accuracy"]
        gain = group.set_index("seed")["test_accuracy"] - base
        row: dict[str, Any] = dict(zip(SETTING, key, strict=True))
        row |= {"method": group["method"].iloc[0], "networks": len(group)}
        row["diverged"] = int((group["status"] != "trained").sum())
        row["val_accuracy"] = float(group["val_accuracy"].mean())
        for name, values in (("test_accuracy", group["test_accuracy"]), ("gain", gain.dropna())):
            row |= {f"{name}_{part}": value for part, value in interval(values, confidence).items()}
        row["error_ratio"] = _ratio(1 - row["test_accuracy_mean"], 1 - float(base.mean()))
        rows.append(row)
    columns = [*SETTING, "method", "networks", "diverged", "val_accuracy", "error_ratio"]
    summary = pd.DataFrame(rows) if rows else pd.DataFrame(columns=columns)
    order = {"val_accuracy": False} | dict.fromkeys(SETTING, True)
    ranked = summary.sort_values(list(order), ascending=list(order.values()))
    best = ranked.drop_duplicates(["experiment", "labels", "method"]).index
    summary["chosen"] = summary.index.isin(best)
    return summary


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


def published_transfer(study: str, summary: pd.DataFrame) -> pd.DataFrame:
    """Return the settings that others published, with what they found and what was measured here.

    Columns: those of the file (``experiment``, ``labels``, ``reused``, ``unfrozen``, ``published``, ``source``) and
    ``mean``, ``low``, ``high`` of the test accuracy. Empty where nobody published any of the study's.
    """
    published = pd.read_csv(PUBLISHED_FILE)
    own = published[published["study"] == study].drop(columns="study")
    names = {f"test_accuracy_{part}": part for part in ("mean", "low", "high")}
    return own.merge(summary[[*SETTING, *names]].rename(columns=names), on=SETTING) if len(summary) else own.iloc[:0]
