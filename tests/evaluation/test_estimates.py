"""Estimates: the intervals cover the truth as often as they claim, on simulated data."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects

from pipeline.evaluation.estimates import Estimate, look_weight, of_replicates, of_samples, pool
from tests.evaluation.learners import Study, sample

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


LEARNERS = {
    # the setting's own noise, and another's: samples and training parts, or seeds, make most of the error
    "samples": Study(180, (0.0, 0.3)),
    "both": Study(180, (0.3, 0.45)),
    "both, few splits": Study(180, (0.3, 0.45), splits=5),
    "both, more samples": Study(600, (0.3, 0.45)),
    "splits that seeds share": Study(180, (0.0, 0.3), splits=10, seeds=2),
    "one split for all": Study(300, (0.3, 0.45), official=sample(np.random.default_rng(5), 180)),
}


@pytest.mark.parametrize("name", LEARNERS)
def test_intervals_cover_the_mean_and_the_difference_over_seeds_splits_and_samples(name: str) -> None:
    study, generator, trials = LEARNERS[name], np.random.default_rng(0), 1_000
    truth = study.truth(generator)
    draws = None if study.official else np.repeat(np.arange(study.splits), study.seeds)
    covered = dict.fromkeys(("mean", "difference", "as independent ones"), 0)
    for _ in range(trials):
        values = study.draw(generator)
        covered["mean"] += covers(of_samples(values[0], study.overlap, draws), truth[0])
        covered["difference"] += covers(of_samples(values[0] - values[1], study.overlap, draws), truth[0] - truth[1])
        covered["as independent ones"] += covers(of_replicates(np.nanmean(values[0], 1), 0.0), truth[0])
    assert 0.93 <= covered["mean"] / trials <= 0.97
    assert 0.93 <= covered["difference"] / trials <= 0.985  # more where it is the seeds' noise
    assert covered["as independent ones"] / trials < 0.92


@pytest.mark.parametrize(("official", "samples"), [(False, 36), (True, 36), (True, 18)])
def test_the_mean_on_a_validation_part_errs_as_that_on_the_test_part_does(official: bool, samples: int) -> None:
    generator, trials, covered = np.random.default_rng(0), 1_000, 0
    study = Study(180, (0.2,), official=sample(generator, 108) if official else None)
    truth = study.truth(generator)[0]
    for _ in range(trials):
        values = study.draw(generator, slice(0, 2))[0]
        validated = np.zeros_like(values, dtype=bool)
        for row, own in zip(values, validated, strict=True):
            tested_on = np.flatnonzero(np.isfinite(row))
            own[tested_on[-samples:] if official else generator.choice(tested_on, samples, replace=False)] = True
        mean = float(values[validated].mean())
        values[validated] = np.nan
        covered += covers(of_samples(values, study.overlap, scale=(72 - samples) / samples)._replace(mean=mean), truth)
    assert 0.92 <= covered / trials <= 0.98


def test_corrected_for_overlap_replicates_alone_cover_at_least_as_often() -> None:
    study, generator, trials, covered = Study(180, (0.0,)), np.random.default_rng(0), 1_000, 0
    truth = study.truth(generator)[0]
    for _ in range(trials):
        covered += covers(of_replicates(np.nanmean(study.draw(generator)[0], 1), study.overlap), truth)
    assert covered / trials >= 0.95


def test_the_error_is_that_of_drawing_seeds_and_samples_again() -> None:
    """The pigeonhole bootstrap (Owen 2007): rows and columns are drawn anew, each by itself."""
    generator = np.random.default_rng(0)
    values = (
        generator.normal(0, 0.05, (12, 1)) + generator.normal(0, 0.3, (1, 200)) + generator.normal(0, 0.02, (12, 200))
    )
    again = [values[generator.integers(12, size=12)][:, generator.integers(200, size=200)].mean() for _ in range(4_000)]
    assert of_samples(values, 0.0).error == pytest.approx(np.std(again), rel=0.08)


def test_where_samples_do_not_matter_it_is_nadeau_and_bengios_interval() -> None:
    values = np.random.default_rng(0).normal(0, 1, (8, 1)) + np.zeros((8, 5_000))
    assert of_samples(values, 0.25) == pytest.approx(of_replicates(values[:, 0], 0.25), rel=2e-3)


def test_where_all_seeds_agree_it_is_the_interval_over_samples() -> None:
    row = np.random.default_rng(0).integers(0, 2, 500).astype(float)
    assert of_samples(np.tile(row, (6, 1)), 0.0).error == pytest.approx(stats.sem(row), rel=0.1)


def test_a_single_split_has_no_interval_and_equal_networks_no_error() -> None:
    values = np.random.default_rng(0).integers(0, 2, (4, 50)).astype(float)
    assert np.isnan(of_samples(values, 0.25, np.zeros(4, np.int64)).error)
    assert np.isnan(of_samples(values[:1], 0.0).error)
    assert of_samples(values - values, 0.25).interval(0.95) == (0, 0, 0)


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
        hits += covers(of_samples(values, 0.0), 0.9)
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
