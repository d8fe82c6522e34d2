"""Each statistic against an independent implementation, a closed form or a simulation."""

import numpy as np
import pandas as pd
import pytest
import scikit_posthocs
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipeline.evaluation.cells import interval
from pipeline.evaluation.statistics import (
    EXACT,
    Interval,
    compare,
    epochs_to,
    equivalent,
    factorial_effects,
    holm,
    interquartile_mean,
    interquartile_mean_interval,
    mean_interval,
    rank,
    share_interval,
    sign_flip_p,
    t_test_p,
)

SIMULATIONS = 2000


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def covered(intervals: list[Interval], truth: float) -> float:
    return float(np.mean([one.low <= truth <= one.high for one in intervals]))


def test_the_t_interval_is_scipys_and_the_cells(generator) -> None:
    values = generator.normal(size=7)
    found = mean_interval(values)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    np.testing.assert_allclose(found[1:], [expected.low, expected.high])
    own = interval(pd.Series(values), 0.95)
    np.testing.assert_allclose(found, [own["mean"], own["low"], own["high"]])


def test_the_t_test_is_scipys(generator) -> None:
    values = generator.normal(0.5, size=6)
    assert t_test_p(values) == pytest.approx(stats.ttest_1samp(values, 0).pvalue)


def test_the_t_interval_of_a_paired_difference_covers_95_percent(generator) -> None:
    drawn = generator.normal(0.3, 1.0, size=(SIMULATIONS, 5))
    assert 0.93 < covered([mean_interval(sample) for sample in drawn], 0.3) < 0.97


def test_the_interquartile_mean_is_that_of_the_middle_half() -> None:
    scores = np.arange(16.0).reshape(4, 4)
    scores[0, 0], scores[3, 3] = -1e9, 1e9
    assert interquartile_mean(scores) == np.arange(4, 12).mean()


def test_the_bootstrap_interval_of_the_interquartile_mean_covers_95_percent(generator) -> None:
    # Cells of one law, so that the true value is the law's mean; 6 cells of 10 seeds
    found = [
        interquartile_mean_interval(generator.normal(0.7, 0.1, size=(6, 10)), generator, resamples=400)
        for _ in range(600)
    ]
    assert 0.92 < covered(found, 0.7) < 0.975


def test_equal_generators_give_equal_intervals() -> None:
    scores = np.random.default_rng(1).normal(size=(4, 5))
    one, two = (interquartile_mean_interval(scores, np.random.default_rng(2)) for _ in range(2))
    assert one == two


def test_wilsons_interval_covers_rare_failures(generator) -> None:
    drawn = generator.binomial(40, 0.05, size=SIMULATIONS)
    assert 0.93 < covered([share_interval(int(hits), 40) for hits in drawn], 0.05) <= 0.99


def test_the_sign_flip_test_is_scipys_permutation_test(generator) -> None:
    first, second = generator.normal(0.5, 1, size=(2, 8))
    expected = stats.permutation_test(
        (first, second), lambda x, y, axis: (x - y).mean(axis=axis), permutation_type="samples", vectorized=True
    )
    assert sign_flip_p(first - second, generator) == pytest.approx(expected.pvalue)


@pytest.mark.parametrize("pairs", [6, 10, EXACT + 8])
def test_the_sign_flip_test_finds_nothing_where_there_is_nothing(pairs: int, generator) -> None:
    simulations = SIMULATIONS if pairs <= EXACT else 300
    found = [sign_flip_p(generator.normal(size=pairs), generator) for _ in range(simulations)]
    assert np.mean(np.array(found) <= 0.05) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / simulations)


def test_the_sign_flip_test_finds_a_planted_effect(generator) -> None:
    found = [sign_flip_p(generator.normal(1.5, 1.0, size=10), generator) for _ in range(200)]
    assert np.mean(np.array(found) <= 0.05) > 0.95


def test_a_comparison_says_how_often_the_first_wins(generator) -> None:
    found = compare(np.array([3.0, 2.0, 5.0, np.nan, 1.0]), np.array([1.0, 2.0, 6.0, 0.0, 0.0]), generator)
    assert found.pairs == 4
    assert found.improvement == (1 + 0.5 + 0 + 1) / 4
    assert found.difference.estimate == pytest.approx((2 + 0 - 1 + 1) / 4)


@pytest.mark.parametrize("second", [np.zeros(3), np.full(4, np.nan)])
def test_what_cannot_be_paired_is_refused(second: np.ndarray, generator) -> None:
    with pytest.raises(ValueError, match=r"seeds|pair"):
        compare(np.ones(4), second, generator)


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


def test_equivalence_needs_the_whole_interval() -> None:
    assert equivalent(Interval(0.001, -0.004, 0.005), 0.005)
    assert not equivalent(Interval(0.001, -0.004, 0.006), 0.005)


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
    assert found.p == pytest.approx(stats.friedmanchisquare(*scores).pvalue)
    nemenyi = scikit_posthocs.posthoc_nemenyi_friedman(scores.T).to_numpy()
    gaps = np.abs(found.mean_ranks[:, None] - found.mean_ranks[None, :])
    np.testing.assert_array_equal(gaps > found.critical_difference, (nemenyi < 0.05) & ~np.eye(5, dtype=bool))


def test_the_critical_difference_is_demsars() -> None:
    """Demšar 2006, section 3.2.2: 4 classifiers on 14 datasets, CD = 2.569 sqrt(4 · 5 / (6 · 14)) = 1.25."""
    scores = np.random.default_rng(0).normal(size=(4, 14))
    assert rank(scores).critical_difference == pytest.approx(1.25, abs=0.01)


def test_too_few_cells_are_no_ranking() -> None:
    with pytest.raises(ValueError, match="3 cells and 2 seeds"):
        rank(np.ones((2, 5)))


def test_epochs_to_a_threshold() -> None:
    curves = np.array([[0.1, 0.5, 0.4], [0.6, 0.1, 0.1], [0.1, 0.2, 0.3]])
    np.testing.assert_array_equal(epochs_to(curves, 0.5), [2, 1, np.inf])
