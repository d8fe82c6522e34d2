"""How far theory and measurement are apart, as a number."""

from typing import Any

import numpy as np
import pandas as pd

QUANTITIES = ("signal", "gradient")


def gaps(propagation: pd.DataFrame) -> pd.DataFrame:
    """Return each setting's ``signal_gap`` and ``gradient_gap``: the layers' largest distance of logarithms.

    That is abs(ln(measured / predicted)), infinite where a measurement is not finite or 0.

    Args:
        propagation: see `pipeline.propagation.measure.propagation`.
    """
    setting = ["shape", "initializer", "activation", "batch_norm"]
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = {
            f"{name}_gap": (np.log(propagation[name]) - np.log(propagation[f"{name}_predicted"])).abs().fillna(np.inf)
            for name in QUANTITIES
        }
    return propagation[setting].assign(**logs).groupby(setting, sort=True).max().reset_index()


def summarize(propagation: pd.DataFrame, tolerance: float) -> dict[str, Any]:
    """Return, by shape and with and without batch norm, where the theory holds: a DVC metric.

    ``settings``; for signal and gradient the median gap, and the share of settings whose gap is up to the tolerance.
    """
    table = gaps(propagation)
    summary: dict[str, Any] = {}
    for (shape, normalized), group in table.groupby(["shape", table["batch_norm"] != "none"]):
        summary.setdefault(str(shape), {})["batch_norm" if normalized else "plain"] = {
            "settings": len(group),
            **{
                f"{name}_{what}": float(value)
                for name in QUANTITIES
                for what, value in (
                    ("median_gap", group[f"{name}_gap"].median()),
                    ("holds", (group[f"{name}_gap"] <= tolerance).mean()),
                )
            },
        }
    return summary
