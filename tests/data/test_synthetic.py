"""Synthetic points: what their labels say, how hard they are, and that they come out the same."""

import hashlib
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from pipeline.config.data import (
    AnyData,
    BundledData,
    ParityData,
    SpiralsData,
    StratifiedSplit,
    TeacherData,
    dataset_name,
)
from pipeline.data.prepare import prepare
from pipeline.data.sources import read

SPLIT = StratifiedSplit(kind="stratified", validation=0.2, test=0.2, seed=0)
COMMON: dict[str, Any] = {"samples": 1000, "seed": 0, "scaling": "standardize", "split": SPLIT}


def teacher(**own: Any) -> TeacherData:
    return TeacherData(**COMMON | {"source": "teacher", "depth": 2, "features": 12, "classes": 4} | own)


def spirals(**own: Any) -> SpiralsData:
    return SpiralsData(**COMMON | {"source": "spirals", "turns": 1.0, "noise": 0.02, "classes": 3} | own)


def parity(**own: Any) -> ParityData:
    return ParityData(**COMMON | {"source": "parity", "bits": 3, "features": 8} | own)


ALL = [teacher(), spirals(), parity()]


@pytest.mark.parametrize("data", ALL, ids=lambda data: data.source)
def test_classes_are_balanced_and_points_come_again(data: AnyData) -> None:
    first, again = read(data), read(data)
    np.testing.assert_array_equal(first.features, again.features)
    np.testing.assert_array_equal(first.labels, again.labels)
    counts = np.bincount(first.labels)
    assert np.ptp(counts) <= (1 if data.source != "parity" else 100)
    other = read(data.model_copy(update={"seed": 1}))
    assert not np.array_equal(first.features, other.features)


def test_a_label_of_parity_is_told_by_all_of_its_bits_and_by_no_others() -> None:
    found = read(parity(bits=3))
    signs = found.features[:, :3].prod(1)
    np.testing.assert_array_equal(found.labels, signs < 0)
    shares = [found.labels[found.features[:, column] > 0].mean() for column in range(8)]
    np.testing.assert_allclose(shares, 0.5, atol=0.06)


def test_spirals_are_told_by_their_neighbours_and_not_by_a_line() -> None:
    split = prepare(spirals(turns=1.5)).split(0)
    line, near = LogisticRegression().fit(*split.train), KNeighborsClassifier(3).fit(*split.train)
    assert line.score(*split.test) < 0.6
    assert near.score(*split.test) > 0.95


def test_more_turns_are_harder() -> None:
    scores = []
    for turns in (0.5, 2.0, 6.0):
        split = prepare(spirals(turns=turns, noise=0.05)).split(0)
        scores.append(RandomForestClassifier(random_state=0).fit(*split.train).score(*split.test))
    assert scores[0] > scores[1] > scores[2]


def test_a_deeper_teacher_is_harder_to_follow_for_a_line() -> None:
    scores = []
    for depth in (1, 3, 8):
        split = prepare(teacher(depth=depth, samples=4000)).split(0)
        scores.append(LogisticRegression(max_iter=1000).fit(*split.train).score(*split.test))
    assert scores[0] > scores[2]
    assert scores[2] > 0.25


def test_a_teachers_labels_are_what_exact_arithmetic_gives() -> None:
    """With Python's integers: no product and no sum of the teacher is rounded."""
    data = teacher(samples=20, features=5, depth=3)
    draw = np.random.default_rng(0)
    whole = lambda values: [[int(v) for v in row] for row in np.round(values * 1024).astype(int)]  # noqa: E731
    signal = whole(draw.uniform(-1, 1, (20, 5)))
    bound = np.sqrt(6 / 5)
    for _ in range(3):
        weights, (biases,) = whole(draw.uniform(-bound, bound, (5, 5))), whole(draw.uniform(-0.5, 0.5, (1, 5)))
        exact = [
            [
                sum(s * w for s, w in zip(row, column, strict=True)) + 1024 * b
                for column, b in zip(zip(*weights, strict=True), biases, strict=True)
            ]
            for row in signal
        ]
        signal = [[round(max(value, 0) / 1024) for value in row] for row in exact]
    (last,) = whole(draw.uniform(-bound, bound, (1, 5)))
    output = [sum(s * w for s, w in zip(row, last, strict=True)) for row in signal]
    order = sorted(range(20), key=lambda sample: output[sample])
    labels = np.empty(20, int)
    labels[order] = np.arange(20) * 4 // 20
    np.testing.assert_array_equal(read(data).labels, labels)


def test_points_are_the_same_on_every_machine() -> None:
    digest = hashlib.sha256()
    for data in ALL:
        found = read(data)
        digest.update(found.features.tobytes() + found.labels.tobytes())
    assert digest.hexdigest() == POINTS


POINTS = "3ee2349af1956a50787c9db63f474d2ee6de4f4b76f39b2f97d39d9f0369578b"


@pytest.mark.parametrize(("source", "shape", "classes"), [("breast_cancer", (569, 30), 2), ("wine", (178, 13), 3)])
def test_scikit_learns_tables_have_their_own_names(source: str, shape: tuple[int, int], classes: int) -> None:
    found = read(BundledData(source=source, scaling="standardize", split=SPLIT))
    assert found.features.shape == shape
    assert len(found.classes) == classes == len(np.unique(found.labels))
    assert len(set(found.names)) == shape[1]


def test_datasets_are_called_by_what_makes_them_hard() -> None:
    assert [dataset_name(data) for data in ALL] == ["teacher of 2 layers", "spirals of 1 turns", "parity of 3 bits"]
