"""What each choice is worth: every level of every axis, over all that it was combined with."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, get_args

import numpy as np
import pandas as pd

from ..grid import AXES, spell
from .cells import SETTING, View, bounds, factors, select_learning_rate
from .statistics import (
    Ranking,
    Scores,
    epochs_to,
    factorial_effects,
    independent,
    median_epochs,
    rank,
    seed_correlation,
    share_interval,
)
from .tested import Tested

THRESHOLD = 0.9
"""Of the best setting's mean validation accuracy: epochs are counted until a network reaches it."""
FAILURES = ("diverged", "at_chance")


class Levels(NamedTuple):
    """A study's levels."""

    table: pd.DataFrame
    """See `summarize_levels`."""
    explained: dict[str, dict[str, float]]
    """By view, then by axis and pair of axes: share of the variance between settings."""


def summarize_levels(
    networks: pd.DataFrame, history: pd.DataFrame, tested: Tested, limit: float, confidence: float
) -> Levels:
    """Return a row for each view, axis and level, over the `factors` that the study varies.

    A setting that lacks a seed which others have is left out of accuracies.

    Columns: ``view`` (best alone where learning rates are tuned), ``axis``, ``level``, ``networks``; ``diverged`` and
    ``at_chance``, shares of them, with the bounds ``_low`` and ``_high`` of Wilson's interval for as many independent
    networks as tell as much; ``accuracy``, the interquartile mean over settings of test accuracy with its bounds, see
    `Tested.middle`; ``reached``, the share that came to `THRESHOLD`, and ``epochs``, by which half of them had, NaN
    where fewer ever did; ``mean_rank`` over the seeds and ``critical_difference``, NaN of levels that were not combined
    with all others, and where fewer than 3 were; ``gap``, mean training less test accuracy.

    Args:
        networks: a study's, one row each.
        history: their validation accuracy by epoch.
        tested: what they got right.
        limit: validation accuracy up to which a network has learned nothing.
        confidence: of the intervals.
    """
    networks = networks.assign(row=tested.rows(networks))
    rows: list[dict[str, object]] = []
    explained: dict[str, dict[str, float]] = {}
    for view in VIEWS[:1] if networks["tuned"].any() else VIEWS:
        axes, chosen = factors(select_learning_rate(networks, view))
        if chosen.empty:
            continue
        chosen = chosen.assign(
            diverged=chosen["status"] != "trained",
            at_chance=(chosen["status"] == "trained") & (chosen["val_accuracy"] <= limit),
            epochs_needed=_epochs_needed(chosen, history),
        )
        factorial = _factorial(chosen, axes)
        explained[view] = _explained(factorial)
        failed = chosen.assign(failed=chosen[[*FAILURES]].any(axis=1))
        alike = seed_correlation(_matrix(failed, axes, "failed"))
        for axis in [axis for axis in axes if chosen[axis].nunique() > 1]:
            ranking = _ranking(factorial, axis, 1 - confidence, tested.overlap)
            for level, group in chosen.groupby(axis, sort=True):
                where = {"view": view, "axis": axis, "level": spell(level)}
                rows.append(_level(group, axes, tested, alike, confidence) | where)
                if ranking is not None and spell(level) in ranking[0]:
                    rows[-1] |= {"mean_rank": ranking[0][spell(level)], "critical_difference": ranking[1]}
    return Levels(pd.DataFrame(rows, columns=COLUMNS), explained)


VIEWS: tuple[View, ...] = get_args(View)
COLUMNS = [
    "view", "axis", "level", "networks", "diverged", "diverged_low", "diverged_high", "at_chance", "at_chance_low",
    "at_chance_high", "accuracy", "accuracy_low", "accuracy_high", "reached", "epochs", "mean_rank",
    "critical_difference", "gap",
]  # fmt: skip


def _level(
    group: pd.DataFrame, axes: Sequence[str], tested: Tested, alike: float, confidence: float
) -> dict[str, object]:
    row: dict[str, object] = {
        "networks": len(group),
        "gap": float((group["train_accuracy"] - group["test_accuracy"]).mean()),
    }
    for name in FAILURES:
        trials = independent(len(group), group["seed"].nunique(), alike)
        share = share_interval(group[name].mean() * trials, trials, confidence)
        row |= {name: share.estimate, f"{name}_low": share.low, f"{name}_high": share.high}
    rows = _matrix(group, axes, "row")
    if len(rows):
        accuracy = tested.middle(rows.astype(np.int64))
        row |= {"accuracy": accuracy.mean} | bounds("accuracy", accuracy, confidence)
    epochs = median_epochs(group["epochs_needed"].to_numpy(np.float64))
    reached = float(np.isfinite(group["epochs_needed"]).mean())
    return row | {"reached": reached, "epochs": epochs if np.isfinite(epochs) else np.nan}


def _matrix(group: pd.DataFrame, axes: Sequence[str], column: str) -> Scores:
    """Return a column as ``[setting, seed]``, of the settings that have every seed."""
    values = group.assign(value=group[column].astype(np.float64))
    table = values.pivot_table(index=list(axes), columns="seed", values="value") if axes else pd.DataFrame()
    return table.dropna().to_numpy(np.float64)


def _epochs_needed(chosen: pd.DataFrame, history: pd.DataFrame) -> Scores:
    """Return the epoch in which each network came to the threshold, infinity where it never did."""
    threshold = THRESHOLD * chosen.groupby(SETTING)["val_accuracy"].mean().max()
    key = [*AXES, "seed"]
    if history.empty:
        return np.full(len(chosen), np.inf)
    curves = history.pivot_table(index=key, columns="epoch", values="val_accuracy", dropna=False)
    own = curves.reindex(pd.MultiIndex.from_frame(chosen[key]))
    return epochs_to(own.to_numpy(np.float64), threshold)


def _factorial(chosen: pd.DataFrame, axes: Sequence[str]) -> pd.DataFrame | None:
    """Return the scores ``[combination, seed]`` of a complete factorial: levels that have holes are left out.

    ``None`` where no axis has two levels left.
    """
    if not axes:
        return None
    scores = chosen.pivot_table(index=list(axes), columns="seed", values="test_accuracy", sort=True).dropna()
    while len(scores):
        sizes = {axis: scores.groupby(level=axis).size() for axis in axes}
        if len(scores) == np.prod([len(size) for size in sizes.values()]):
            varied = [axis for axis, size in sizes.items() if len(size) > 1]
            return scores.droplevel([axis for axis in axes if axis not in varied]) if varied else None
        coverage = {axis: size * len(size) for axis, size in sizes.items()}
        axis = min(coverage, key=lambda name: coverage[name].min())
        scores = scores.drop(index=coverage[axis].idxmin(), level=axis)
    return None


def _explained(factorial: pd.DataFrame | None) -> dict[str, float]:
    if factorial is None:
        return {}
    axes = [str(name) for name in factorial.index.names]
    shape = [factorial.index.get_level_values(axis).nunique() for axis in axes]
    effects = factorial_effects(factorial.mean(axis=1).to_numpy().reshape(shape), axes)
    return {" × ".join(key): share for key, share in effects.explained.items()}


def _ranking(
    factorial: pd.DataFrame | None, axis: str, alpha: float, overlap: float
) -> tuple[Mapping[str, float], float] | None:
    """Return an axis's mean ranks by level, and their critical difference."""
    if factorial is None or axis not in factorial.index.names:
        return None
    scores = factorial.groupby(level=axis, sort=True).mean()
    if scores.shape[0] < 3 or scores.shape[1] < 2:
        return None
    ranking: Ranking = rank(scores.to_numpy(), alpha, overlap)
    levels = [spell(level) for level in scores.index]
    return dict(zip(levels, ranking.mean_ranks.tolist(), strict=True)), ranking.critical_difference
