"""Statistics on scores ``[cell, seed]``: pure functions, with an explicit random generator where they draw.

Seeds are the unit of replication: cells that were trained on the same seeds are compared seed by seed.
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
EXACT = 12
"""Up to so many pairs, all sign flips are tried; of more, `RESAMPLES` are drawn."""
RESAMPLES = 10_000


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


def interquartile_mean(scores: Scores) -> float:
    """Return the mean of all scores ``[cell, seed]`` without the lowest and the highest quarter.

    Agarwal et al. 2021, "Deep reinforcement learning at the edge of the statistical precipice".
    """
    return float(stats.trim_mean(scores, 0.25, axis=None))


def interquartile_mean_interval(
    scores: Scores, generator: np.random.Generator, confidence: float = 0.95, resamples: int = 2_000
) -> Interval:
    """Return the interquartile mean of ``[cell, seed]`` and its percentile bootstrap interval.

    Stratified (Agarwal et al. 2021, section 4.1): seeds are drawn anew within each cell.
    """
    cells, seeds = scores.shape
    drawn = generator.integers(seeds, size=(resamples, cells, seeds))
    resampled = np.take_along_axis(scores[None], drawn, axis=2).reshape(resamples, -1)
    low, high = np.quantile(stats.trim_mean(resampled, 0.25, axis=1), [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(interquartile_mean(scores), float(low), float(high))


def share_interval(hits: int, trials: int, confidence: float = 0.95) -> Interval:
    """Return a share and Wilson's interval (1927), which holds for rare failures too."""
    found = stats.binomtest(hits, trials).proportion_ci(confidence, method="wilson")
    return Interval(hits / trials, float(found.low), float(found.high))


def t_test_p(values: Scores) -> float:
    """Return the two-sided p-value of Student's t test that the mean of ``[seed]`` is 0.

    Values that are all alike leave no doubt: 0, or 1 where they are 0.
    """
    n = len(values)
    error = np.std(values, ddof=1) / np.sqrt(n)
    if np.ptp(values) == 0:
        return float(values[0] == 0)
    return float(2 * stats.t.sf(abs(np.mean(values)) / error, n - 1))


# --- two samples, paired --------------------------------------------------------------------------


class Comparison(NamedTuple):
    """What two cells, trained on the same seeds, differ by."""

    difference: Interval
    """Of the means, first less second, with Student's t interval over the paired differences."""
    p: float
    """Of a two-sided sign-flip test that the differences are symmetric about 0."""
    improvement: float
    """Probability that the first scores higher on a seed drawn at random; a tie counts half."""
    pairs: int


def compare(first: Scores, second: Scores, generator: np.random.Generator, confidence: float = 0.95) -> Comparison:
    """Compare two cells' ``[seed]`` scores seed by seed; pairs in which one is NaN are left out.

    Raises:
        ValueError: they have not as many seeds, or no pair is left.
    """
    if first.shape != second.shape:
        raise ValueError(f"paired scores need as many seeds: found {first.shape} and {second.shape}")
    differences = (first - second)[np.isfinite(first - second)]
    if not len(differences):
        raise ValueError("no pair of finite scores is left")
    wins = (differences > 0) + 0.5 * (differences == 0)
    return Comparison(
        mean_interval(differences, confidence),
        sign_flip_p(differences, generator),
        float(wins.mean()),
        len(differences),
    )


def sign_flip_p(differences: Scores, generator: np.random.Generator) -> float:
    """Return the two-sided p-value of Fisher's sign-flip test (1935) of ``[pair]`` differences.

    Exact for at most `EXACT` pairs; of more, the share of random flips, the data's own counted in, that are as extreme
    (Phipson & Smyth 2010), so it is never 0.
    """
    n = len(differences)
    observed = abs(differences.sum())
    tolerance = 1e-12 * np.abs(differences).sum()  # sums of equal terms in another order
    if n <= EXACT:
        signs = 1.0 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
        return float(np.mean(np.abs(signs @ differences) >= observed - tolerance))
    signs = generator.choice([-1.0, 1.0], size=(RESAMPLES, n))
    extreme = np.sum(np.abs(signs @ differences) >= observed - tolerance)
    return float((extreme + 1) / (RESAMPLES + 1))


def holm(p: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number (Holm 1979): at most a chance of alpha of any false discovery."""
    order = np.argsort(p)
    corrected = np.empty(len(p))
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - rank) * p[index]))
        corrected[index] = largest
    return corrected.tolist()


def equivalent(difference: Interval, margin: float) -> bool:
    """Say whether an interval lies within the region of practical equivalence, ``[-margin, margin]``."""
    return -margin <= difference.low and difference.high <= margin


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
    p: float
    """Of Friedman's test (1937) that all cells are alike."""
    critical_difference: float
    """By which two mean ranks must differ to be told apart: Nemenyi 1963, see Demšar 2006; here on seeds."""


def rank(scores: Scores, alpha: float = 0.05) -> Ranking:
    """Rank cells ``[cell, seed]`` by score, the highest first.

    Raises:
        ValueError: fewer than 3 cells or 2 seeds.
    """
    cells, seeds = scores.shape
    if cells < 3 or seeds < 2:
        raise ValueError(f"a ranking needs 3 cells and 2 seeds: found {cells} and {seeds}")
    ranks = stats.rankdata(-scores, axis=0)
    p = float(stats.friedmanchisquare(*scores).pvalue) if np.ptp(ranks) else 1.0
    quantile = float(stats.studentized_range.ppf(1 - alpha, cells, np.inf)) / np.sqrt(2)
    return Ranking(ranks.mean(1), p, quantile * float(np.sqrt(cells * (cells + 1) / (6 * seeds))))


def epochs_to(curves: NDArray[np.floating], threshold: float) -> NDArray[np.floating]:
    """Return the first epoch, from 1, at which ``[network, epoch]`` curves reach a threshold; infinity where never."""
    reached = curves >= threshold
    return np.where(reached.any(axis=1), reached.argmax(axis=1) + 1.0, np.inf)
