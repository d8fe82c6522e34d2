"""Intervals of levels and of transfer cover the truth as often as they claim, where seeds and samples are shared."""

import numpy as np
import pandas as pd
import pytest

from pipeline.config.data import OfficialSplit
from pipeline.evaluation import tested as module
from pipeline.evaluation.transfer import _spread
from pipeline.training.names import KEY
from tests.building import cell
from tests.evaluation.learners import Study, sample

TRIALS = 500
OFFICIAL = OfficialSplit(kind="official", validation=1)


def hits_of(values: np.ndarray, card) -> tuple[module.Tested, np.ndarray]:
    """Return a study's hits ``[setting, replicate, sample]`` as a table has them, and their rows."""
    seen = np.isfinite(values[0])
    places = int(seen[0].sum())
    packed = np.stack([own[seen].reshape(-1, places) for own in values]).astype(np.uint8)
    keys = pd.DataFrame([(*cell(), seed) for _ in values for seed in range(len(seen))], columns=KEY)
    samples = np.array([np.flatnonzero(row) for row in seen])
    splits = np.tile(np.arange(len(seen)), len(values))
    return module.Tested(keys, packed.reshape(-1, places), splits, samples, card), np.arange(len(keys)).reshape(
        len(values), -1
    )


def test_the_interquartile_mean_is_covered_where_settings_share_seeds_and_samples(digits) -> None:
    """Eight settings; the truth is the mean over very many replicates, each with a pool of its own."""
    generator = np.random.default_rng(0)
    study = Study(180, (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0))
    found, middles = [], []
    for _ in range(TRIALS):
        tested, rows = hits_of(study.draw(generator), digits.card)
        estimate = tested.middle(rows)
        middles.append(estimate.mean)
        found.append(estimate.interval(0.95))
    truth = np.mean(middles)
    assert 0.93 <= np.mean([low <= truth <= high for _, low, high in found]) <= 0.98


def test_the_interquartile_mean_leaves_out_a_quarter_on_each_seed(digits) -> None:
    values = np.zeros((4, 3, 10))
    for setting, count in enumerate((0, 4, 6, 10)):
        values[setting, :, :count] = 1
    tested, rows = hits_of(values, digits.card)
    assert tested.middle(rows).mean == pytest.approx(0.5)


@pytest.mark.parametrize("official", [False, True])
def test_transfers_intervals_cover_accuracy_and_gain(official: bool, digits) -> None:
    generator = np.random.default_rng(0)
    study = Study(180, (0.3, 0.6), official=sample(generator, 108) if official else None)
    truth = study.truth(generator)
    card = digits.card if not official else digits.card.model_construct(**dict(digits.card) | {"split": OFFICIAL})
    covered: list[list[bool]] = [[], []]
    for _ in range(2 * TRIALS):
        values = study.draw(generator)
        hits = bits_of(values)
        first, second = (pd.Series(1.0, hits.index[hits["setting"] == setting]) for setting in (0, 1))
        for own, weights, true in (
            (covered[0], first, truth[0]),
            (covered[1], pd.concat([first, -second]), truth[0] - truth[1]),
        ):
            found = _spread(hits, weights, card, 0.95)
            own.append(found["low"] <= true <= found["high"])
    for own in covered:  # 94 to 98 %, and what a thousand trials leave open
        assert 0.925 <= np.mean(own) <= 0.985


def bits_of(values: np.ndarray) -> pd.DataFrame:
    """Return hits ``[setting, replicate, sample]`` as transfer's table has them."""
    rows = [
        (setting, seed, np.packbits(np.isfinite(one)).tobytes(), np.packbits(np.nan_to_num(one) == 1).tobytes())
        for setting, replicates in enumerate(values)
        for seed, one in enumerate(replicates)
    ]
    return pd.DataFrame(rows, columns=["setting", "seed", "tested", "hits"])
