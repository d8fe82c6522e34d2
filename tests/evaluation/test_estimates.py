"""Estimates: the intervals cover the truth as often as they claim, on simulated data."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects

from pipeline.evaluation.estimates import Estimate, look_weight, of_hits, of_replicates, pool

CONFIDENCE = 0.95


def covers(estimate: Estimate, truth: float) -> bool:
    _, low, high = estimate.interval(CONFIDENCE)
    return low <= truth <= high


def test_without_overlap_it_is_students_t() -> None:
    values = np.random.default_rng(0).normal(1, 2, 8)
    estimate = of_replicates(values, 0.0)
    low, high = stats.t.interval(0.95, 7, values.mean(), stats.sem(values))
    assert estimate.interval(0.95) == pytest.approx((values.mean(), low, high))
    assert estimate.p_sign == pytest.approx(stats.ttest_1samp(values, 0).pvalue)


@pytest.mark.parametrize(("margin", "offset"), [(0.5, 0.1), (0.5, 0.6), (2.0, -0.3)])
def test_equivalence_is_two_one_sided_t_tests(margin: float, offset: float) -> None:
    values = np.random.default_rng(1).normal(offset, 0.4, 12)
    above = stats.ttest_1samp(values, -margin, alternative="greater").pvalue
    below = stats.ttest_1samp(values, margin, alternative="less").pvalue
    assert of_replicates(values, 0.0).p_equivalent(margin) == pytest.approx(max(above, below))


@pytest.mark.parametrize(("value", "sign", "equivalent"), [(0.3, 0.0, 0.0), (0.7, 0.0, 1.0), (0.0, 1.0, 0.0)])
def test_replicates_that_agree_leave_no_doubt(value: float, sign: float, equivalent: float) -> None:
    estimate = of_replicates(np.full(5, value), 1 / 3)
    assert (estimate.p_sign, estimate.p_equivalent(0.5)) == (sign, equivalent)
    assert estimate.interval(0.95) == (value, value, value)


@pytest.mark.parametrize("seed_noise", [0.0, 0.01])
def test_intervals_over_splits_cover_the_mean_over_all_samples(seed_noise: float) -> None:
    """Two nearest-mean classifiers, on random splits of one sample: the truth is their difference over all samples."""
    generator = np.random.default_rng(0)
    size, features, replicates = 120, 10, 10

    def sample(count: int) -> tuple[np.ndarray, np.ndarray]:
        y = generator.integers(0, 2, count)
        return generator.normal(0, 1, (count, features)) + 0.45 * y[:, None], y

    def difference(train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]) -> float:
        """All features less the first half of them."""
        hits = []
        for columns in (slice(None), slice(features // 2)):
            means = [train[0][train[1] == label][:, columns].mean(0) for label in (0, 1)]
            distances = [np.square(test[0][:, columns] - mean).sum(1) for mean in means]
            hits.append(((distances[1] < distances[0]) == test[1]).mean())
        return float(hits[0] - hits[1] + generator.normal(0, seed_noise))

    n_test, n_train = size // 5, size * 3 // 5
    truth = np.mean([difference(sample(n_train), sample(4000)) for _ in range(300)])
    corrected, naive, trials = 0, 0, 250
    for _ in range(trials):
        x, y = sample(size)
        values = []
        for _ in range(replicates):
            order = generator.permutation(size)
            test, train = order[:n_test], order[n_test : n_test + n_train]
            values.append(difference((x[train], y[train]), (x[test], y[test])))
        corrected += covers(of_replicates(np.array(values), n_test / n_train), float(truth))
        naive += covers(of_replicates(np.array(values), 0.0), float(truth))
    assert corrected / trials >= 0.95  # more where seeds' own noise, which nothing is shared of, is large
    assert naive / trials < 0.9  # what the correction is for


@pytest.mark.parametrize(
    ("seeds", "samples", "of_seed", "of_sample"),
    [(5, 1000, 0.01, 0.2), (10, 300, 0.02, 0.2), (5, 300, 0.01, 0.3), (10, 1000, 0.005, 0.3)],
)
def test_intervals_on_one_test_part_cover_the_mean_over_seeds_and_samples(
    seeds: int, samples: int, of_seed: float, of_sample: float
) -> None:
    generator = np.random.default_rng(1)
    trials, hits, naive = 600, 0, 0
    for _ in range(trials):
        values = 0.9 + generator.normal(0, of_seed, (seeds, 1)) + generator.normal(0, of_sample, (1, samples))
        values = values + generator.normal(0, 0.3, (seeds, samples))
        hits += covers(of_hits(values), 0.9)
        naive += covers(of_replicates(values.mean(1), 0.0), 0.9)
    assert 0.93 <= hits / trials <= 0.975
    assert naive < hits


@pytest.mark.parametrize(("datasets", "spread"), [(6, 0.5), (8, 0.5), (12, 0.5), (6, 2.0), (8, 1.0), (12, 2.0)])
def test_intervals_over_datasets_cover_the_mean_and_the_next_one(datasets: int, spread: float) -> None:
    generator = np.random.default_rng(2)
    trials, mean, further = 800, 0, 0
    for _ in range(trials):
        noise = generator.uniform(0.2, 1.0, datasets + 1)
        truths = generator.normal(0, spread, datasets + 1)
        effects = [
            of_replicates(generator.normal(truth, own * np.sqrt(10), 10), 0.0)
            for truth, own in zip(truths, noise, strict=True)
        ]
        pooled = pool(effects[:-1])
        mean += covers(pooled.estimate, 0.0)
        assert pooled.further is not None
        further += covers(pooled.further, effects[-1].mean)
    assert 0.93 <= mean / trials <= 0.98
    assert 0.93 <= further / trials <= 0.975


def test_the_summary_over_datasets_is_statsmodels() -> None:
    generator = np.random.default_rng(3)
    effects = [Estimate(generator.normal(1, 2), generator.uniform(0.3, 1), 9) for _ in range(7)]
    means, errors = (np.array([getattr(one, name) for one in effects]) for name in ("mean", "error"))
    theirs = combine_effects(means, np.square(errors), method_re="iterated", use_t=True)
    ours = pool(effects)
    assert ours.spread == pytest.approx(np.sqrt(theirs.tau2), rel=1e-4)
    assert ours.estimate.mean == pytest.approx(theirs.mean_effect_re, rel=1e-4)
    assert ours.estimate.error == pytest.approx(theirs.sd_eff_w_re_hksj, rel=1e-4)


def test_datasets_that_agree_have_no_spread_and_an_interval_no_narrower_than_their_errors_allow() -> None:
    ours = pool([Estimate(1.0, 0.3, 9)] * 9)
    assert ours.spread == 0
    assert ours.estimate == pytest.approx((1.0, 0.1, 8))


def test_one_dataset_speaks_for_itself_and_few_for_themselves() -> None:
    one = Estimate(1.0, 0.3, 9)
    assert pool([one]).estimate == pytest.approx(one)
    two = pool([one, Estimate(2.0, 0.4, 9)])
    assert two.estimate[:2] == pytest.approx((1.5, 0.25))
    assert two.further is None
    with pytest.raises(ValueError, match="no effect"):
        pool([])


def test_the_looks_together_spend_no_more_than_there_is() -> None:
    assert sum(look_weight(look) for look in range(1, 100_000)) == pytest.approx(1, abs=1e-4)
