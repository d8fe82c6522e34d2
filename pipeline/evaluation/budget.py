"""Whether a study gave its networks what they need: learning rates on either side of the best one, and time."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from ..grid import AXES
from .cells import SETTING, select_learning_rate

LAST = 3
"""Epochs over which a learning curve is asked whether it still rises."""


class Budget(NamedTuple):
    """Of a study's settings, each at its best learning rate."""

    settings: int
    edge: int
    """At the largest or the smallest rate that was tried, with none beyond it that is known to be worse."""
    one_rate: int
    """At the only rate that was tried."""
    gain: float
    """By which validation accuracy rose over the last `LAST` epochs, in the mean over settings; NaN of fewer epochs."""


def budget(networks: pd.DataFrame, history: pd.DataFrame, tuning: pd.DataFrame) -> Budget:
    """Return how well a study provided for its settings.

    Args:
        networks: a study's, one row each.
        history: their validation accuracy by epoch.
        tuning: which learning rates were tried where they are tuned.
    """
    chosen = select_learning_rate(networks, "best")
    cells = chosen[list(AXES)].drop_duplicates()
    tried = pd.concat([networks[list(AXES)], tuning[list(AXES)]]).drop_duplicates().groupby(SETTING)["learning_rate"]
    known = cells.join(tried.agg(["count", "min", "max"]), on=SETTING)
    one = known["count"] == 1
    edge = ~one & ((known["learning_rate"] == known["min"]) | (known["learning_rate"] == known["max"]))
    return Budget(len(cells), int(edge.sum()), int(one.sum()), _gain(chosen, history))


def _gain(chosen: pd.DataFrame, history: pd.DataFrame) -> float:
    last = history["epoch"].max()
    key = [*AXES, "seed"]
    ends = history[history["epoch"].isin([last - LAST, last])].merge(chosen[key], on=key)
    curves = ends.pivot_table(index=key, columns="epoch", values="val_accuracy").dropna()
    if len(curves.columns) < 2 or curves.empty:
        return float(np.nan)
    return float((curves[last] - curves[last - LAST]).mean())
