"""How far theory and measurement are apart, as a number."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..experiments.names import PROPAGATION_SETTING
from ..theory.predict import Prediction, trainable_depth

QUANTITIES = ("signal", "gradient")
ERROR_RATE = 0.05
"""Share of settings that follow the theory of which the test says that they do not."""
VERDICTS = HOLDS, OFF, UNPREDICTABLE = "holds", "off", "not predictable"


def gaps(propagation: pd.DataFrame) -> pd.DataFrame:
    """Return each setting's ``signal_gap`` and ``gradient_gap``: the layers' largest distance of logarithms.

    That is abs(ln(measured / predicted)), infinite where a measurement is not finite or 0. Settings of which the theory
    says nothing are left out.

    Args:
        propagation: see `pipeline.experiments.propagation.propagation`.
    """
    propagation = propagation.dropna(subset="signal_predicted")
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = {
            f"{name}_gap": (np.log(propagation[name]) - np.log(propagation[f"{name}_predicted"])).abs().fillna(np.inf)
            for name in QUANTITIES
        }
    return propagation[PROPAGATION_SETTING].assign(**logs).groupby(PROPAGATION_SETTING, sort=True).max().reset_index()


def verdicts(propagation: pd.DataFrame) -> pd.DataFrame:
    """Return each setting's ``signal_verdict`` and ``gradient_verdict``, of those that `gaps` has, in its order.

    ``off`` where the test rejects at `ERROR_RATE`: of settings that follow the theory so many do by chance. ``not
    predictable`` where there is no test.
    """
    settings = propagation.dropna(subset="signal_predicted").groupby(PROPAGATION_SETTING, sort=True).first()
    told = {}
    for name in QUANTITIES:
        p = settings[f"{name}_p"]
        told[f"{name}_verdict"] = np.select([p.isna(), p < ERROR_RATE], [UNPREDICTABLE, OFF], HOLDS)
    return settings.assign(**told)[list(told)].reset_index()


def summarize(propagation: pd.DataFrame) -> dict[str, Any]:
    """Return, by shape and with and without normalization, where the theory holds: a DVC metric.

    ``settings``; for signal and gradient the median gap, and how many settings have each verdict.
    """
    table = gaps(propagation).merge(verdicts(propagation), on=PROPAGATION_SETTING)
    summary: dict[str, Any] = {}
    for (shape, normalized), group in table.groupby(["shape", table["normalization"] != "none"]):
        found: dict[str, Any] = {"settings": len(group)}
        for name in QUANTITIES:
            found[f"{name}_median_gap"] = float(group[f"{name}_gap"].median())
            for verdict in VERDICTS:
                found[f"{name}_{verdict.replace(' ', '_')}"] = int((group[f"{name}_verdict"] == verdict).sum())
        summary.setdefault(str(shape), {})["normalized" if normalized else "plain"] = found
    return summary


class Depths(NamedTuple):
    """Hidden layers up to which a setting's signals and gradients arrive, see `trainable_depth`."""

    predicted: int | None
    """``None`` where the theory says nothing."""
    measured: int


def trainable_depths(propagation: pd.DataFrame) -> dict[tuple[str, ...], Depths]:
    """Return each setting's depths, by the levels of `PROPAGATION_SETTING`; at most the shape's depth."""
    depths: dict[tuple[str, ...], Depths] = {}
    for setting, group in propagation.sort_values("layer").groupby(PROPAGATION_SETTING):
        with np.errstate(divide="ignore"):
            logs = {name: np.log(group[name].to_numpy()) for name in QUANTITIES}
            predicted = {name: np.log(group[f"{name}_predicted"].to_numpy()) for name in QUANTITIES}
        depths[tuple(map(str, setting))] = Depths(
            None
            if np.isnan(predicted["signal"]).any()
            else trainable_depth(Prediction(predicted["signal"], predicted["gradient"])),
            trainable_depth(Prediction(logs["signal"], logs["gradient"])),
        )
    return depths
