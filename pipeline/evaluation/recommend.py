"""Which setting to take: the best one, those that are as good in practice, the simplest and the most robust of them."""

from typing import Any

import numpy as np
import pandas as pd

from pipeline.axes.activations import ACTIVATIONS
from pipeline.axes.initializers import INITIALIZERS
from pipeline.evaluation.cells import SETTING, select_learning_rate
from pipeline.evaluation.statistics import Scores, compare, holm
from pipeline.grid import AXES, AXIS, Cell


def recommend(networks: pd.DataFrame, margin: float, confidence: float) -> list[dict[str, Any]]:
    """Return the best setting and those within its equivalence region, the best first; none where all diverged.

    Each setting stands at its own best learning rate. It is as good in practice where its mean validation accuracy is
    at most the margin below the best one's. Settings in which a network diverged are left out, and those that share no
    seed with the best.

    Args:
        networks: a study's, one row each.
        margin: the region of practical equivalence, in accuracy.
        confidence: of the interval of the paired differences.

    Returns:
        Of each setting the axes; ``val_accuracy`` and ``test_accuracy``, means; ``difference`` of validation accuracy
        to the best, paired by seed, with ``low`` and ``high``; ``improvement``, the probability that it beats the best
        on a seed; ``p_holm`` of a sign-flip test, corrected for the number of settings; ``parts``, see `parts`;
        ``lowest``, the lowest validation accuracy over all learning rates and seeds of the setting.
    """
    chosen = select_learning_rate(networks, "best")
    whole = chosen.groupby(SETTING)["status"].transform(lambda status: (status == "trained").all())
    table = chosen[whole].pivot_table(index=list(AXES), columns="seed", values="val_accuracy", sort=True)
    scores: dict[Any, Scores] = dict(zip(table.index, table.to_numpy(np.float64), strict=True))
    if not scores:
        return []
    best = max(scores.values(), key=np.nanmean)
    lowest = networks.groupby(SETTING)["val_accuracy"].min()
    test = chosen.groupby(list(AXES))["test_accuracy"].mean()
    generator = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for key, own in sorted(scores.items(), key=lambda item: -np.nanmean(item[1])):
        if np.nanmean(own) < np.nanmean(best) - margin:
            break
        if not np.isfinite(own - best).any():
            continue  # no seed in common
        cell = Cell.of(dict(zip(AXES, key, strict=True)))._asdict()
        compared = compare(own, best, generator, confidence)
        rows.append(
            cell
            | {"val_accuracy": float(np.nanmean(own)), "test_accuracy": float(test[key])}
            | {"difference": compared.difference.estimate, "low": compared.difference.low}
            | {"high": compared.difference.high, "improvement": compared.improvement, "p_holm": compared.p}
            | {"parts": parts(cell), "lowest": float(lowest[tuple(cell[axis] for axis in SETTING)])}
        )
    for row, p in zip(rows[1:], holm([row["p_holm"] for row in rows[1:]]), strict=True):
        row["p_holm"] = p
    return rows


def parts(cell: dict[str, Any]) -> int:
    """Count what a setting has beyond a plain network: levels that are not neutral, learned slopes, a fitted start."""
    activation, initializer = ACTIVATIONS.parse(cell["activation"]), INITIALIZERS.parse(cell["initializer"])
    beyond = [axis.neutral is not None and bool(cell[name] != axis.neutral) for name, axis in AXIS.items()]
    return sum([*beyond, not activation.plain, initializer.fitted])


def simplest(settings: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the setting with the fewest parts; of several, the best."""
    return min(settings, key=lambda setting: (setting["parts"], -setting["val_accuracy"]))


def most_robust(settings: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the setting whose worst network is the best, over learning rates and seeds."""
    return max(settings, key=lambda setting: setting["lowest"])
