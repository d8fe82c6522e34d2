"""Each statistic against an independent implementation, a closed form or a simulation."""

import numpy as np
import pandas as pd
import pytest
import scikit_posthocs
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipeline.evaluation.statistics import (
    Interval,
    epochs_to,
    factorial_effects,
    further_run_interval,
    holm,
    independent,
    mean_interval,
    median_epochs,
    rank,
    seed_correlation,
    share_interval,
    t_test_p,
)
from tests.evaluation.learners import Study

SIMULATIONS = 2000


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def covered(intervals: list[Interval], truth: float) -> float:
    return float(np.mean([one.low <= truth <= one.high for one in intervals]))


def test_the_t_interval_is_scipys(generator) -> None:
    values = generator.normal(size=7)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    np.testing.assert_allclose(mean_interval(values)[1:], [expected.low, expected.high])


def test_the_t_test_is_scipys(generator) -> None:
    values = generator.normal(0.5, size=6)
    assert t_test_p(values) == pytest.approx(stats.ttest_1samp(values, 0).pvalue)


def test_the_t_interval_of_a_paired_difference_covers_95_percent(generator) -> None:
    drawn = generator.normal(0.3, 1.0, size=(SIMULATIONS, 5))
    assert 0.93 < covered([mean_interval(sample) for sample in drawn], 0.3) < 0.97


@pytest.mark.parametrize("noise", [0.1, 0.4])
def test_a_further_run_on_another_split_of_the_same_samples_is_where_it_is_expected(noise: float, generator) -> None:
    """What runs share, the further one shares with them: no correction is called for."""
    study, inside = Study(180, (noise,), splits=7), 0
    for _ in range(SIMULATIONS):
        *runs, further = np.nanmean(study.draw(generator)[0], axis=1)
        _, low, high = further_run_interval(np.array(runs))
        inside += low <= further <= high
    assert 0.93 <= inside / SIMULATIONS <= 0.97


@pytest.mark.parametrize(("hits", "trials"), [(0, 10), (3, 10), (10, 10), (1, 160)])
def test_wilsons_interval_is_scipys(hits: int, trials: int) -> None:
    expected = stats.binomtest(hits, trials).proportion_ci(0.95, method="wilson")
    assert share_interval(hits, trials)[1:] == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize("own", [0.0, 0.25, 0.6])
@pytest.mark.parametrize("threshold", [-2.0, -1.0])
def test_intervals_of_failures_cover_their_share_also_where_seeds_fail_together(own: float, threshold: float) -> None:
    """A network fails where its seed's and its own luck together are low; ``own`` is the seed's share of it."""
    generator, trials, levels, seeds = np.random.default_rng(0), 400, 4, 10
    thresholds = threshold + generator.normal(0, 0.7, (levels, 8))
    truth = stats.norm.cdf(thresholds).mean(1)
    covered, pooled = [], []
    for _ in range(trials):
        luck = np.sqrt(own) * generator.normal(size=seeds) + np.sqrt(1 - own) * generator.normal(
            size=(levels, 8, seeds)
        )
        failed = (luck < thresholds[..., None]).astype(float)
        alike = seed_correlation(failed.reshape(-1, seeds))
        for level, share in zip(failed, truth, strict=True):
            for found, networks in ((covered, independent(level.size, seeds, alike)), (pooled, level.size)):
                _, low, high = share_interval(level.mean() * networks, networks)
                found.append(low <= share <= high)
    assert 0.94 <= np.mean(covered) <= 0.995
    assert np.mean(pooled) < 0.9 or own < 0.6


def test_failures_that_go_together_count_as_seeds() -> None:
    together = np.tile(np.arange(6) < 2, (5, 1)).astype(float)
    assert seed_correlation(together) == pytest.approx(1)
    assert independent(30, 6, 1.0) == 6
    assert independent(30, 6, 0.0) == 30
    assert seed_correlation(np.zeros((5, 6))) == 1  # nothing speaks against it
    apart = np.eye(6)[:5]
    assert seed_correlation(apart) == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holms_correction_is_that_of_its_definition(p: list[float]) -> None:
    ordered = sorted(p)
    steps = np.maximum.accumulate([min(1.0, (len(p) - k) * value) for k, value in enumerate(ordered)])
    expected = {value: max(s for o, s in zip(ordered, steps, strict=True) if o == value) for value in p}
    for value, corrected in zip(p, holm(p), strict=True):
        assert value <= corrected <= expected[value] + 1e-12


def test_holms_correction_bounds_any_false_discovery(generator) -> None:
    families = generator.uniform(size=(SIMULATIONS, 20))
    assert np.mean([min(holm(family)) <= 0.05 for family in families.tolist()]) < 0.065


def test_effects_are_those_that_were_planted(generator) -> None:
    a, b = np.array([-1.0, 0.0, 1.0]), np.array([2.0, -2.0])
    both = np.array([[0.5, -0.5], [-1.0, 1.0], [0.5, -0.5]])
    means = 10 + a[:, None, None] + b[None, :, None] + both[:, :, None] + np.zeros(4)
    found = factorial_effects(means, ("a", "b", "c"))
    assert found.grand_mean == pytest.approx(10)
    np.testing.assert_allclose(found.main["a"], a)
    np.testing.assert_allclose(found.main["b"], b)
    np.testing.assert_allclose(found.main["c"], 0, atol=1e-12)
    np.testing.assert_allclose(found.interactions["a", "b"], both, atol=1e-12)
    assert sum(found.explained.values()) == pytest.approx(1)
    # Of two axes, main effects and interaction leave nothing over
    any_means = generator.normal(size=(4, 5))
    assert sum(factorial_effects(any_means, ("a", "b")).explained.values()) == pytest.approx(1)


def test_a_factorial_with_a_hole_is_refused() -> None:
    with pytest.raises(ValueError, match="finite mean"):
        factorial_effects(np.array([[1.0, np.nan]]), ("a", "b"))


def test_ranks_and_their_test_are_those_of_scikit_posthocs(generator) -> None:
    scores = generator.normal(size=(5, 9)) + np.arange(5)[:, None] * 0.7
    found = rank(scores)
    np.testing.assert_allclose(found.mean_ranks, pd.DataFrame(-scores.T).rank(axis=1).mean())
    nemenyi = scikit_posthocs.posthoc_nemenyi_friedman(scores.T).to_numpy()
    gaps = np.abs(found.mean_ranks[:, None] - found.mean_ranks[None, :])
    np.testing.assert_array_equal(gaps > found.critical_difference, (nemenyi < 0.05) & ~np.eye(5, dtype=bool))


def test_the_critical_difference_is_demsars() -> None:
    """Demšar 2006, section 3.2.2: 4 classifiers on 14 datasets, CD = 2.569 sqrt(4 · 5 / (6 · 14)) = 1.25."""
    scores = np.random.default_rng(0).normal(size=(4, 14))
    assert rank(scores).critical_difference == pytest.approx(1.25, abs=0.01)


def test_ranks_on_splits_that_overlap_tell_nothing_apart_where_nothing_differs(generator) -> None:
    study, trials, apart = Study(120, (0.3, 0.3, 0.3, 0.3), splits=8), 400, 0
    for _ in range(trials):
        found = rank(np.nanmean(study.draw(generator), axis=2), overlap=study.overlap)
        apart += np.ptp(found.mean_ranks) > found.critical_difference
    assert apart / trials <= 0.05


def test_too_few_cells_are_no_ranking() -> None:
    with pytest.raises(ValueError, match="3 cells and 2 seeds"):
        rank(np.ones((2, 5)))


def test_epochs_to_a_threshold() -> None:
    curves = np.array([[0.1, 0.5, 0.4], [0.6, 0.1, 0.1], [0.1, 0.2, 0.3]])
    np.testing.assert_array_equal(epochs_to(curves, 0.5), [2, 1, np.inf])


def test_the_median_epoch_is_kaplan_and_meiers() -> None:
    assert median_epochs(np.array([2.0, 5.0, 3.0, np.inf])) == 3
    assert median_epochs(np.array([2.0, 5.0, np.inf, np.inf, np.inf])) == np.inf
    needed = np.array([1.0, 1.0, 4.0, 6.0, 6.0, np.inf, np.inf])
    curve = stats.ecdf(stats.CensoredData.right_censored(np.minimum(needed, 10), np.isinf(needed))).sf
    assert median_epochs(needed) == curve.quantiles[np.argmax(curve.probabilities <= 0.5)]
