"""Estimates with their uncertainty: of an effect in one dataset, and over datasets.

Replicates are a seed and a split each: their test parts are fresh, their training parts overlap. Datasets are drawn
from all those that one might have taken: a random-effects summary says what to expect of another one.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from .statistics import Interval, Scores

FEWEST = 5
"""Datasets of which a spread can be told; fewer are averaged, and what is found holds for them alone."""


class Estimate(NamedTuple):
    """A mean, how uncertain it is, and how far that is known."""

    mean: float
    error: float
    """Standard error."""
    df: float
    """Degrees of freedom of Student's t."""

    def interval(self, confidence: float) -> Interval:
        """Return Student's t interval."""
        half = float(stats.t.ppf((1 + confidence) / 2, self.df)) * self.error if self.error else 0.0
        return Interval(self.mean, self.mean - half, self.mean + half)

    @property
    def p_sign(self) -> float:
        """Two-sided p-value of the test that there is no effect."""
        return self._beyond(abs(self.mean)) * 2

    def p_equivalent(self, margin: float) -> float:
        """Return the p-value of two one-sided tests (Schuirmann 1987) that the effect is not within the margin."""
        return self._beyond(margin - abs(self.mean))

    def _beyond(self, distance: float) -> float:
        """Return the probability that an estimate is off by more than a distance, in one direction."""
        if self.error == 0:  # all replicates agree, to the last bit
            return float(distance <= 0) / 2 if distance == 0 else float(distance < 0)
        return float(stats.t.sf(distance / self.error, self.df))


def of_replicates(values: Scores, overlap: float) -> Estimate:
    """Return what replicates ``[replicate]`` say of the mean over all splits and seeds.

    Their training parts share samples, and so they are more alike than independent ones: the variance of their mean is
    (1 / J + n_test / n_train) times theirs (Nadeau & Bengio 2003, "Inference for the generalization error").

    Args:
        values: at least two, of a split each.
        overlap: n_test / n_train; 0 where replicates share all their samples, or draw their own.
    """
    replicates = len(values)
    variance = float(np.var(values, ddof=1))
    return Estimate(float(np.mean(values)), np.sqrt((1 / replicates + overlap) * variance), replicates - 1)


def of_samples(
    values: NDArray[np.floating], overlap: float, draws: NDArray[np.integer] | None = None, scale: float = 1.0
) -> Estimate:
    """Return what replicates say on test samples that they share, of the mean over all seeds, splits and samples.

    A sample is hard for all that are tested on it, and a replicate is good or bad on all its samples: the variance of
    the mean is that by samples, and that by draws but for what both have in common (two-way clusters; Cameron, Gelbach
    & Miller 2011, eq. 2.3), of which what draws share, the hard samples, is no part. Draws' training parts overlap too,
    for which their own share grows as Nadeau & Bengio (2003) have it: too much where it is the seeds' noise alone. The
    degrees of freedom are Satterthwaite's (1946).

    Args:
        values: ``[replicate, sample]``: a hit is 1; or means of hits, or differences. NaN where a replicate is not
            tested on a sample.
        overlap: n_test / n_train; 0 where replicates share all their samples.
        draws: ``[replicate]``: its split, where several seeds share one; by default each has its own, or shares all.
        scale: n_test / n, where the accuracy on another part of n samples is asked for, whose hits are not known: they
            are drawn as those of the test part.

    Returns:
        An estimate; its error is NaN where there is a single draw or sample.
    """
    seen = np.isfinite(values)
    total = seen.sum()
    mean = float(values[seen].sum() / total)
    rest = np.where(seen, values - mean, 0.0)
    if draws is not None and len(own := np.unique(draws)) < len(draws):
        rest = np.stack([rest[draws == one].sum(0) for one in own])
    count, samples = len(rest), int(seen.any(0).sum())
    if min(count, samples) < 2:
        return Estimate(mean, np.nan, np.nan)
    by_sample = float(np.square(rest.sum(0)).sum()) * samples / (samples - 1)
    by_draw = float(np.square(rest.sum(1)).sum()) * count / (count - 1)
    growth = 1 + count * overlap
    beyond = max(0.0, by_draw - float(np.square(rest).sum()) + by_sample / count) * growth
    variance = scale * by_sample + beyond
    if variance <= 0:
        return Estimate(mean, 0.0, count - 1)
    df = variance**2 / ((scale * by_sample) ** 2 / (samples - 1) + beyond**2 / (count - 1))
    return Estimate(mean, float(np.sqrt(variance)) / float(total), df)


class Pooled(NamedTuple):
    """Effects in several datasets, summarised."""

    estimate: Estimate
    """Of the mean over all datasets like these; of fewer than `FEWEST`, over these alone."""
    datasets: int
    spread: float
    """Standard deviation of the effect from dataset to dataset; NaN of fewer than `FEWEST`."""
    further: Estimate | None
    """Of what would be measured in a further dataset, as well as in these: its interval is the prediction interval.

    ``None`` of fewer than `FEWEST`.
    """


def pool(effects: Sequence[Estimate]) -> Pooled:
    """Summarise the effects in some datasets: a random-effects meta-analysis.

    The spread between datasets is Paule & Mandel's (1982); the interval is Hartung & Knapp's (2001), with Student's t
    of as many degrees of freedom as there are datasets less one, and never narrower than without a spread.

    Raises:
        ValueError: there are none.
    """
    if not effects:
        raise ValueError("no effect to summarise")
    means = np.array([one.mean for one in effects])
    variances = np.square([one.error for one in effects])
    count = len(effects)
    if count < FEWEST:
        total = float(variances.sum())
        freedom = np.array([one.df for one in effects])
        df = total**2 / float((np.square(variances) / freedom).sum()) if total else float(freedom.min())
        return Pooled(Estimate(float(means.mean()), np.sqrt(total) / count, df), count, np.nan, None)
    # Datasets that are known to the last bit have no weight to be told from: a floor keeps weights finite.
    variances = np.maximum(variances, 1e-12 * max(1.0, float(np.square(means).max())))

    def excess(spread: float) -> float:
        weights = 1 / (variances + spread)
        center = (weights * means).sum() / weights.sum()
        return float((weights * np.square(means - center)).sum()) - (count - 1)

    highest = float(np.square(means - means.mean()).sum()) + float(variances.max())
    between = 0.0 if excess(0.0) <= 0 else float(optimize.brentq(excess, 0.0, 10 * highest))
    weights = 1 / (variances + between)
    center = float((weights * means).sum() / weights.sum())
    summary = Estimate(center, float(1 / np.sqrt(weights.sum())), count - 1)
    sd = float(np.std(means, ddof=1))
    further = Estimate(float(means.mean()), sd * np.sqrt(1 + 1 / count), count - 1)
    return Pooled(summary, count, float(np.sqrt(between)), further)


def look_weight(look: int) -> float:
    """Return the share of the error rate that a look at the data may spend, the first one being 1; all sum to 1.

    A p-value over its look's share may be compared with the whole error rate, and looking again is allowed for ever.
    The first look, at which most claims are decided, gets four fifths.
    """
    return 0.8 if look == 1 else 0.2 / (look * (look - 1))
