"""Statistics on scores ``[cell, seed]``: pure functions.

Seeds are the unit of replication. Where they are tested on samples that they share, intervals come from
`pipeline.evaluation.estimates`.
"""

from collections.abc import Sequence
from functools import cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Scores = NDArray[np.floating]
"""``[cell, seed]``, or ``[seed]`` of one cell."""


class Interval(NamedTuple):
    """An estimate and the bounds of its interval."""

    estimate: float
    low: float
    high: float


# --- one sample -----------------------------------------------------------------------------------


def mean_interval(values: Scores, confidence: float = 0.95) -> Interval:
    """Return the mean of ``[seed]`` and Student's t interval; NaN bounds of a single value."""
    n = len(values)
    mean = float(np.mean(values))
    if n < 2:
        return Interval(mean, np.nan, np.nan)
    half = float(_quantile(confidence, n) * np.std(values, ddof=1) / np.sqrt(n))
    return Interval(mean, mean - half, mean + half)


def further_run_interval(values: Scores, confidence: float = 0.95) -> Interval:
    """Return the mean of ``[seed]`` and Student's t prediction interval, in which a further run is expected."""
    mean, low, high = mean_interval(values, confidence)
    wider = np.sqrt(len(values) + 1)
    return Interval(mean, mean - wider * (mean - low), mean + wider * (high - mean))


@cache
def _quantile(confidence: float, n: int) -> float:
    return float(stats.t.ppf((1 + confidence) / 2, n - 1))


def share_interval(hits: float, trials: float, confidence: float = 0.95) -> Interval:
    """Return a share and Wilson's interval (1927), which holds for rare failures too.

    Args:
        hits: of the trials.
        trials: independent ones; of others, as many as would tell as much, which is no whole number.
        confidence: of the interval.
    """
    share, square = hits / trials, float(stats.norm.ppf((1 + confidence) / 2)) ** 2
    center = (share + square / (2 * trials)) / (1 + square / trials)
    half = float(np.sqrt(square * (share * (1 - share) + square / (4 * trials)) / trials)) / (1 + square / trials)
    return Interval(share, max(0.0, center - half), min(1.0, center + half))


def seed_correlation(failed: Scores) -> float:
    """Return how alike a seed's failures ``[setting, seed]`` are: 0 where each is by itself, 1 where all go together.

    By how much more the seeds' numbers of failures vary than those of independent networks would. Where no setting
    fails on some seeds and not on others, nothing speaks against 1.
    """
    settings, seeds = failed.shape
    if seeds < 2:
        return 1.0
    variances = failed.var(axis=1, ddof=1)
    apart = float(variances.sum())
    together = float(np.square(np.sqrt(variances).sum())) - apart
    if settings < 2 or together <= 0:
        return 1.0
    return float(np.clip((failed.sum(0).var(ddof=1) - apart) / together, 0.0, 1.0))


def independent(networks: int, seeds: int, correlation: float) -> float:
    """Return how many independent networks tell as much as some that share seeds (Kish 1965, the design effect)."""
    return networks / (1 + (networks / seeds - 1) * correlation)


def t_test_p(values: Scores) -> float:
    """Return the two-sided p-value of Student's t test that the mean of ``[seed]`` is 0.

    Values that are all alike leave no doubt: 0, or 1 where they are 0.
    """
    n = len(values)
    error = np.std(values, ddof=1) / np.sqrt(n)
    if np.ptp(values) == 0:
        return float(values[0] == 0)
    return float(2 * stats.t.sf(abs(np.mean(values)) / error, n - 1))


# --- many tests --------------------------------------------------------------------------------------


def holm(p: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number (Holm 1979): at most a chance of alpha of any false discovery."""
    order = np.argsort(p)
    corrected = np.empty(len(p))
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - rank) * p[index]))
        corrected[index] = largest
    return corrected.tolist()


# --- many cells -----------------------------------------------------------------------------------


class Effects(NamedTuple):
    """A complete factorial's effects on the mean score."""

    grand_mean: float
    main: dict[str, NDArray[np.floating]]
    """By axis: each level's mean less the grand mean."""
    interactions: dict[tuple[str, str], NDArray[np.floating]]
    """By pair of axes, ``[level, level]``: what the two main effects leave unexplained."""
    explained: dict[tuple[str, ...], float]
    """By axis and by pair: share of the variance between cells."""


def factorial_effects(means: NDArray[np.floating], axes: Sequence[str]) -> Effects:
    """Return main effects and two-way interactions of a complete factorial (Fisher 1935).

    Args:
        means: ``[level of the first axis, level of the second, …]``, each cell's mean score.
        axes: their names.

    Raises:
        ValueError: there are not as many names as dimensions, or a cell has no finite mean.
    """
    if means.ndim != len(axes):
        raise ValueError(f"found {len(axes)} names for {means.ndim} axes")
    if not np.isfinite(means).all():
        raise ValueError("a factorial's every cell needs a finite mean")
    every = range(means.ndim)
    grand = float(means.mean())
    total = float(np.square(means - grand).mean())
    main = {axes[a]: means.mean(axis=tuple(i for i in every if i != a)) - grand for a in every}
    interactions = {}
    for a, b in combinations(every, 2):
        both = means.mean(axis=tuple(i for i in every if i not in (a, b)))
        interactions[axes[a], axes[b]] = both - grand - main[axes[a]][:, None] - main[axes[b]][None, :]
    effects: dict[tuple[str, ...], NDArray[np.floating]] = {(name,): effect for name, effect in main.items()}
    explained = {
        key: float(np.square(e).mean()) / total if total else 0.0 for key, e in (effects | interactions).items()
    }
    return Effects(grand, main, interactions, explained)


class Ranking(NamedTuple):
    """Cells ranked on every seed."""

    mean_ranks: NDArray[np.floating]
    """``[cell]``, 1 is best; ties share their ranks."""
    critical_difference: float
    """By which two mean ranks must differ to be told apart: Nemenyi 1963, see Demšar 2006; here on seeds."""


def rank(scores: Scores, alpha: float = 0.05, overlap: float = 0.0) -> Ranking:
    """Rank cells ``[cell, seed]`` by score, the highest first.

    Args:
        scores: of cells that were trained on the same seeds.
        alpha: chance that any two cells which are alike are told apart.
        overlap: n_test / n_train where seeds draw their splits of the same samples: ranks vary by as much more as
            scores do, see `pipeline.evaluation.estimates.of_replicates`.

    Raises:
        ValueError: fewer than 3 cells or 2 seeds.
    """
    cells, seeds = scores.shape
    if cells < 3 or seeds < 2:
        raise ValueError(f"a ranking needs 3 cells and 2 seeds: found {cells} and {seeds}")
    ranks = stats.rankdata(-scores, axis=0)
    quantile = float(stats.studentized_range.ppf(1 - alpha, cells, np.inf)) / np.sqrt(2)
    error = np.sqrt(cells * (cells + 1) / 6 * (1 / seeds + overlap))
    return Ranking(ranks.mean(1), quantile * float(error))


def epochs_to(curves: NDArray[np.floating], threshold: float) -> NDArray[np.floating]:
    """Return the first epoch, from 1, at which ``[network, epoch]`` curves reach a threshold; infinity where never."""
    reached = curves >= threshold
    return np.where(reached.any(axis=1), reached.argmax(axis=1) + 1.0, np.inf)


def median_epochs(needed: Scores) -> float:
    """Return the epoch by which half of ``[network]`` have arrived; infinity where fewer ever do.

    The estimate of Kaplan & Meier (1958), of networks that were all watched for as long.
    """
    return float(np.quantile(needed, 0.5, method="inverted_cdf"))
