"""What reuse is worth: accuracy on task B by labels and layers, the gain over training from scratch, paired by seed."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.config import Transfer
from pipeline.data import Card
from pipeline.evaluation.estimates import of_replicates
from pipeline.evaluation.tested import overlap

SETTING = ["experiment", "labels", "reused", "unfrozen"]
PUBLISHED_FILE = Path(__file__).parent / "published_transfer.csv"


def summarize_transfer(
    transfer: pd.DataFrame, card: Card, experiments: Mapping[str, Transfer], confidence: float
) -> pd.DataFrame:
    """Return one row per setting of task B, sorted by it.

    Columns: `SETTING`; ``method``; ``networks``; ``diverged``; ``val_accuracy`` (mean); of the test part
    ``test_accuracy`` and of the ``gain`` over scratch with as many labels and the same seed, in accuracy, mean and
    bounds (``_mean``, ``_sd``, ``_low``, ``_high``), see `_spread`; ``error_ratio``, the mean error as a share of that
    from scratch; ``chosen``, true for scratch and for the reuse that is best on validation with as many labels.

    Args:
        transfer: see `pipeline.experiments.transfer.results.TransferResults`.
        card: of the study's data.
        experiments: the study's, by name.
        confidence: of the intervals.
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
        samples = sum(card.class_counts["test"][card.classes.index(one)] for one in experiments[str(key[0])].task_b)
        own, others = float(group["test_accuracy"].mean()), float(base.mean())
        for name, values, most in (
            ("test_accuracy", group.set_index("seed")["test_accuracy"], own * (1 - own)),
            ("gain", gain.dropna(), (1 - own) + (1 - others) - (own - others) ** 2),
        ):
            row |= {
                f"{name}_{part}": value for part, value in _spread(values, card, most / samples, confidence).items()
            }
        row["error_ratio"] = _ratio(1 - row["test_accuracy_mean"], 1 - float(base.mean()))
        rows.append(row)
    columns = [*SETTING, "method", "networks", "diverged", "val_accuracy", "error_ratio"]
    summary = pd.DataFrame(rows) if rows else pd.DataFrame(columns=columns)
    order = {"val_accuracy": False} | dict.fromkeys(SETTING, True)
    ranked = summary.sort_values(list(order), ascending=list(order.values()))
    best = ranked.drop_duplicates(["experiment", "labels", "method"]).index
    summary["chosen"] = summary.index.isin(best)
    return summary


def _spread(scores: pd.Series, card: Card, sampling: float, confidence: float) -> dict[str, float]:
    """Return mean, sd and the bounds of an interval; NaN where there are too few scores.

    Hits are not kept: where splits are drawn, Nadeau & Bengio's interval is on the safe side; where all networks share
    one test part, what its samples add to the variance is taken to be as much as it can be.

    Args:
        scores: by seed.
        card: of the study's data.
        sampling: the largest variance that the samples of one test part can bring.
        confidence: of the interval.
    """
    values = scores.to_numpy(np.float64)
    mean = float(values.mean()) if len(values) else math.nan
    sd = float(values.std(ddof=1)) if len(values) > 1 else math.nan
    by_split = scores.groupby(
        [card.split_of(int(seed)) if overlap(card) else int(seed) for seed in scores.index]
    ).mean()
    if len(by_split) < 2:
        return {"mean": mean, "sd": sd, "low": math.nan, "high": math.nan}
    found = of_replicates(by_split.to_numpy(np.float64), overlap(card))
    if not overlap(card) and values.any():
        found = found._replace(error=math.hypot(found.error, math.sqrt(sampling)))
    _, low, high = found._replace(mean=mean).interval(confidence)
    return {"mean": mean, "sd": sd, "low": low, "high": high}


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
