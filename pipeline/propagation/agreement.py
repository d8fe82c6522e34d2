"""How far theory and measurement are apart, as a number."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pipeline.theory.predict import Prediction, trainable_depth

QUANTITIES = ("signal", "gradient")
SETTING = ["shape", "initializer", "activation", "batch_norm"]


def gaps(propagation: pd.DataFrame) -> pd.DataFrame:
    """Return each setting's ``signal_gap`` and ``gradient_gap``: the layers' largest distance of logarithms.

    That is abs(ln(measured / predicted)), infinite where a measurement is not finite or 0.

    Args:
        propagation: see `pipeline.propagation.measure.propagation`.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = {
            f"{name}_gap": (np.log(propagation[name]) - np.log(propagation[f"{name}_predicted"])).abs().fillna(np.inf)
            for name in QUANTITIES
        }
    return propagation[SETTING].assign(**logs).groupby(SETTING, sort=True).max().reset_index()


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


class Depths(NamedTuple):
    """Hidden layers up to which a setting's signals and gradients arrive, see `trainable_depth`."""

    predicted: int
    measured: int


def trainable_depths(propagation: pd.DataFrame) -> dict[tuple[str, str, str, str], Depths]:
    """Return each setting's depths by shape, initializer, activation and batch_norm; at most the shape's depth."""
    depths: dict[tuple[str, str, str, str], Depths] = {}
    for (shape, initializer, activation, batch_norm), group in propagation.sort_values("layer").groupby(SETTING):
        with np.errstate(divide="ignore"):
            logs = {name: np.log(group[name].to_numpy()) for name in QUANTITIES}
            predicted = {name: np.log(group[f"{name}_predicted"].to_numpy()) for name in QUANTITIES}
        depths[str(shape), str(initializer), str(activation), str(batch_norm)] = Depths(
            trainable_depth(Prediction(predicted["signal"], predicted["gradient"])),
            trainable_depth(Prediction(logs["signal"], logs["gradient"])),
        )
    return depths
