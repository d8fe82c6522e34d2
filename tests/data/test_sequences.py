"""Synthetic sequences: what their labels say, and that they come out the same."""

import hashlib

import numpy as np
import pytest

from pipeline.config.data import SequenceData, StratifiedSplit
from pipeline.data.prepare import prepare
from pipeline.data.sequences import read_sequences

SPLIT = StratifiedSplit(kind="stratified", validation=0.2, test=0.2, seed=0)


def sequences(task: str, steps: int = 12, classes: int = 2, samples: int = 1000, seed: int = 0) -> SequenceData:
    return SequenceData(
        source="sequences", task=task, steps=steps, classes=classes, samples=samples, seed=seed, scaling="standardize",
        split=SPLIT,
    )  # fmt: skip


def test_the_first_step_of_recall_shows_the_symbol_and_the_rest_is_noise() -> None:
    found = read_sequences(sequences("recall", classes=5))
    steps = found.features.reshape(1000, *found.shape)
    assert found.shape == (12, 5)
    np.testing.assert_array_equal(steps[:, 0].argmax(1), found.labels)
    assert set(np.unique(steps[:, 0])) == {0.0, 1.0}
    noise = steps[:, 1:]
    assert np.abs(noise).max() <= 0.5
    assert abs(noise.mean()) < 0.01
    np.testing.assert_array_equal(np.bincount(found.labels), [200] * 5)


@pytest.mark.parametrize("samples", [1000, 1001])
@pytest.mark.parametrize("steps", [2, 3, 50])
def test_the_marked_numbers_of_adding_sum_to_what_the_label_says(samples: int, steps: int) -> None:
    found = read_sequences(sequences("adding", steps=steps, samples=samples))
    numbers, marks = found.features.reshape(samples, *found.shape).transpose(2, 0, 1)
    np.testing.assert_array_equal(marks.sum(1), 2)
    np.testing.assert_array_equal(marks[:, : steps // 2].sum(1), 1)
    np.testing.assert_array_equal(found.labels, (numbers * marks).sum(1) > 1)
    assert abs(found.labels.mean() - 0.5) <= 0.5 / samples
    assert numbers.min() >= 0
    assert numbers.max() <= 1


@pytest.mark.parametrize("task", ["recall", "adding"])
def test_a_seed_draws_the_same_sequences_again(task: str) -> None:
    first, again, other = (read_sequences(sequences(task, seed=seed)).features for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_sequences_are_the_same_on_every_machine() -> None:
    found = read_sequences(sequences("recall", classes=3, samples=30)).features
    assert hashlib.sha256(found.tobytes()).hexdigest() == RECALL


RECALL = "6325263c455f4f6a496c5e881cd5a7d29eb67057b2f49cb165e856215a47be1d"


def test_a_card_tells_the_samples_shape() -> None:
    card = prepare(sequences("recall", classes=3, samples=100)).card
    assert card.shape == (12, 3)
    assert card.features == 36
    assert card.names[:4] == ("step_1_1", "step_1_2", "step_1_3", "step_2_1")
