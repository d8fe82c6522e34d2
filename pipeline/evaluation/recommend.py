"""Which setting to take: the best one, those that come near it, the simplest and the most robust of them."""

from typing import Any, Literal

import numpy as np
import pandas as pd

from ..axes.activations import ACTIVATIONS
from ..axes.initializers import INITIALIZERS
from ..grid import AXES, AXIS, Cell
from .cells import SETTING, select_learning_rate
from .statistics import Scores, holm
from .tested import Tested

Standing = Literal["equivalent", "different", "open"]
"""Of a setting beside the best: whether the difference on the test part is shown to lie within the margin; else,
whether there is shown to be one; else they are not told apart."""


def recommend(networks: pd.DataFrame, tested: Tested, margin: float, confidence: float) -> list[dict[str, Any]]:
    """Return the best setting and those that come within a margin of it, the best first; none where all diverged.

    Each setting stands at its own best learning rate. Which is best, and which come near it, mean validation accuracy
    says; how sure their difference is, the test part says, by which none was chosen. Settings in which a network
    diverged are left out, and those that share no seed with the best.

    Args:
        networks: a study's, one row each.
        tested: what they got right.
        margin: the region of practical equivalence, in accuracy.
        confidence: of the interval of the paired differences, and of where a setting stands.

    Returns:
        Of each setting the axes; ``val_accuracy`` and ``test_accuracy``, means; ``difference`` of test accuracy to the
        best, paired by seed, with ``low`` and ``high``; ``improvement``, the share of seeds on which it beats the best,
        a tie counting half; ``p_sign``, that they do not differ, and ``p_equivalent``, that they do by more than the
        margin (two one-sided tests), each corrected for the number of settings (Holm 1979); ``standing``; ``parts``,
        see `parts`; ``lowest``, the lowest validation accuracy over all learning rates and seeds of the setting.
    """
    chosen = select_learning_rate(networks.assign(row=tested.rows(networks)), "best")
    whole = chosen.groupby(SETTING)["status"].transform(lambda status: (status == "trained").all())
    table = chosen[whole].pivot_table(index=list(AXES), columns="seed", values=["val_accuracy", "row"], sort=True)
    if table.empty:
        return []
    scores: dict[Any, Scores] = dict(zip(table.index, table["val_accuracy"].to_numpy(np.float64), strict=True))
    places: dict[Any, Scores] = dict(zip(table.index, table["row"].to_numpy(np.float64), strict=True))
    leader = max(scores, key=lambda key: np.nanmean(scores[key]))
    lowest = networks.groupby(SETTING)["val_accuracy"].min()
    test = chosen.groupby(list(AXES))["test_accuracy"].mean()
    rows: list[dict[str, Any]] = []
    for key, own in sorted(scores.items(), key=lambda item: -np.nanmean(item[1])):
        if np.nanmean(own) < np.nanmean(scores[leader]) - margin:
            break
        paired = np.isfinite(places[key] + places[leader])
        if not paired.any():
            continue  # no seed in common
        first, second = (places[one][paired].astype(np.int64) for one in (key, leader))
        difference = tested.difference(first, second)
        wins = np.sign(tested.hits[first].mean(1) - tested.hits[second].mean(1))
        cell = Cell.of(dict(zip(AXES, key, strict=True)))._asdict()
        mean, low, high = difference.interval(confidence)
        rows.append(
            cell
            | {"val_accuracy": float(np.nanmean(own)), "test_accuracy": float(test[key])}
            | {"difference": mean, "low": low, "high": high, "improvement": float((1 + wins).mean() / 2)}
            | {"p_sign": difference.p_sign, "p_equivalent": difference.p_equivalent(margin)}
            | {"parts": parts(cell), "lowest": float(lowest[tuple(cell[axis] for axis in SETTING)])}
        )
    for p in ("p_sign", "p_equivalent"):
        for row, corrected in zip(rows[1:], holm([row[p] for row in rows[1:]]), strict=True):
            row[p] = corrected
    return [row | {"standing": _standing(row, 1 - confidence)} for row in rows]


def _standing(row: dict[str, Any], alpha: float) -> Standing:
    if row["p_equivalent"] <= alpha:
        return "equivalent"
    return "different" if row["p_sign"] <= alpha else "open"


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
