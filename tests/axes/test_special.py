"""The logistic function and the normal distribution's, against SciPy's."""

import numpy as np
import pytest
from scipy import special

from pipeline.axes.special import expit, ndtr

EDGES = np.array([0, -0.0, 1, -1, 2**0.5, -(2**0.5), 8 * 2**0.5, np.inf, -np.inf, 1e308, -1e308, 5e-324])


@pytest.mark.parametrize(("ours", "theirs"), [(expit, special.expit), (ndtr, special.ndtr)])
def test_it_is_scipys_within_a_few_units_in_the_last_place(ours, theirs) -> None:
    z = np.concatenate([np.linspace(-37, 37, 200_001), np.random.default_rng(0).normal(size=200_000), EDGES])
    expected = theirs(z)
    assert np.max(np.abs(ours(z) - expected) / np.maximum(np.spacing(expected), np.finfo(float).tiny)) <= 4
    assert np.isnan(ours(np.array([np.nan]))).all()
    assert ours(np.array(0.0)) == 0.5
