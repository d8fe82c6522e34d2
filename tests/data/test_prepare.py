from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.datasets import load_digits

from pipeline import data
from pipeline.config.data import OfficialSplit, StratifiedSplit
from pipeline.data.dataset import PARTS, Card
from pipeline.data.prepare import prepare, split_indices
from pipeline.data.samples import Samples
from pipeline.data.scaling import fit_scaler
from pipeline.errors import DataError
from tests.damage import Flip, flipped, flips

STRATIFIED = StratifiedSplit(kind="stratified", validation=0.2, test=0.2, seed=0)


def samples(labels: list[int], official_test: int = 0) -> Samples:
    y = np.array(labels, np.int64)
    return Samples(np.zeros((len(y), 1)), ("x",), y, tuple("abc"[: y.max() + 1]), "str", official_test=official_test)


def test_parts_share_no_sample_and_leave_none_out() -> None:
    split = split_indices(samples([0] * 50 + [1] * 30), STRATIFIED)
    np.testing.assert_array_equal(np.sort(np.concatenate(list(split.values()))), np.arange(80))


def test_every_class_keeps_its_share_in_every_part() -> None:
    given = samples([0] * 50 + [1] * 30)
    for indices in split_indices(given, STRATIFIED).values():
        assert (given.labels[indices] == 0).mean() == pytest.approx(50 / 80, abs=0.04)


def test_the_official_split_takes_the_first_training_samples_for_validation() -> None:
    split = split_indices(samples([0, 1] * 10, official_test=4), OfficialSplit(kind="official", validation=5))
    assert {name: (part[0], part[-1]) for name, part in split.items()} == {
        "validation": (0, 4), "train": (5, 15), "test": (16, 19),
    }  # fmt: skip


def test_the_official_split_may_take_the_last_ones() -> None:
    wanted = OfficialSplit(kind="official", validation=5, validation_at="end")
    split = split_indices(samples([0, 1] * 10, official_test=4), wanted)
    assert {name: (part[0], part[-1], len(part)) for name, part in split.items()} == {
        "train": (0, 10, 11), "validation": (11, 15, 5), "test": (16, 19, 4),
    }  # fmt: skip


def test_a_class_with_too_few_samples_is_named() -> None:
    with pytest.raises(DataError, match=r"class 'b' has 3 samples; .* it needs 5 at least"):
        split_indices(samples([0] * 50 + [1] * 3), STRATIFIED)


def test_an_official_split_that_leaves_no_training_sample_is_refused() -> None:
    with pytest.raises(DataError, match="leaves none of the 16 training samples"):
        split_indices(samples([0, 1] * 10, official_test=4), OfficialSplit(kind="official", validation=16))


def test_standardizing_looks_at_the_training_part_alone(digits: data.Dataset) -> None:
    varying = digits.split(0).train.x.std(0) > 0
    np.testing.assert_allclose(digits.split(0).train.x.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(digits.split(0).train.x.std(0)[varying], 1, rtol=1e-4)
    assert np.abs(digits.split(0).test.x.mean(0)).max() > 0.01


def test_every_seed_has_a_split_of_its_own_with_equally_many_samples_of_each_class(digits: data.Dataset) -> None:
    splits = {seed: digits.exchanged(digits.card.split_of(seed)) for seed in range(4)}
    for places in splits.values():
        np.testing.assert_array_equal(np.sort(np.concatenate(list(places.values()))), np.arange(1797))
        for name, own in places.items():
            assert tuple(np.bincount(digits.labels[own])) == digits.card.class_counts[name]
    shared = [len(np.intersect1d(splits[0]["test"], splits[seed]["test"])) for seed in (1, 2, 3)]
    np.testing.assert_allclose(shared, 360 * 0.2, atol=25)  # as many as chance has it


def test_seeds_share_a_split_where_the_study_says_so(params) -> None:
    of_mini = params.study("mini").data
    shared = of_mini.model_copy(update={"split": STRATIFIED.model_copy(update={"seeds_per_split": 5})})
    card = prepare(shared).card
    assert [card.split_of(seed) for seed in (0, 4, 5, 9, 10)] == [0, 0, 1, 1, 2]


def test_an_official_split_is_the_same_for_every_seed() -> None:
    given = samples([0, 1] * 10, official_test=4)
    split = OfficialSplit(kind="official", validation=5)
    card = Card(
        source="table", scaling="unit", largest=None, names=("x",), shape=(1,), classes=("a", "b"), class_type="str",
        split=split, samples={}, class_counts={}, sha256="",
    )  # fmt: skip
    dataset = data.Dataset(given.features, given.labels, split_indices(given, split), card)
    assert card.split_of(7) == 0
    np.testing.assert_array_equal(dataset.exchanged(7)["test"], [16, 17, 18, 19])


def test_another_seed_of_the_split_exchanges_samples_in_another_way(params, digits: data.Dataset) -> None:
    of_mini = params.study("mini").data
    other = prepare(of_mini.model_copy(update={"split": STRATIFIED.model_copy(update={"seed": 1})}))
    assert other.card.sha256 != digits.card.sha256
    assert {*other.exchanged(0)["test"]} != {*digits.exchanged(0)["test"]}


def test_unit_scaling_divides_by_the_largest_value_a_pixel_can_take() -> None:
    x, _ = load_digits(return_X_y=True)
    np.testing.assert_array_equal(fit_scaler(x[:100], "unit", 16.0)(x), (x / 16).astype(np.float32))


def test_a_saved_dataset_comes_back_the_same(digits: data.Dataset, tmp_path: Path) -> None:
    data.save(digits, tmp_path)
    loaded = data.load(tmp_path)
    assert loaded.card == digits.card
    for number in (0, 3):
        for name in PARTS:
            ours, theirs = (getattr(one.split(number), name) for one in (loaded, digits))
            np.testing.assert_array_equal(ours.x, theirs.x)
            np.testing.assert_array_equal(ours.y, theirs.y)


def test_splits_do_not_fill_the_memory_however_many_seeds_there_are(params, monkeypatch: pytest.MonkeyPatch) -> None:
    of_mini = params.study("mini").data
    monkeypatch.setattr("pipeline.data.dataset.SPLITS_MEMORY", 3 * 4 * 1797 * 64)
    dataset = prepare(of_mini)
    first = dataset.split(0)
    for number in (1, 2, 0, 3):
        dataset.split(number)
    assert dataset.most_splits == len(dataset._splits) == 3
    assert dataset.split(0) is first  # used since
    kept = dataset.split(3).train.x.copy()
    for number in range(10, 20):
        dataset.split(number)
    np.testing.assert_array_equal(dataset.split(3).train.x, kept)


def test_preparing_twice_gives_equal_bytes(params, tmp_path: Path) -> None:
    for name in ("a", "b"):
        data.save(prepare(params.study("mini").data), tmp_path / name)
    for file in ("arrays.safetensors", "card.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


@pytest.fixture(scope="module")
def saved(digits: data.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    data.save(digits, folder)
    return folder


@pytest.mark.parametrize("name", ["arrays.safetensors", "card.json"])
@given(flip=flips)
@settings(max_examples=60, deadline=None)
def test_a_flipped_bit_in_a_prepared_dataset_is_noticed(saved: Path, name: str, flip: Flip) -> None:
    with flipped(saved / name, flip), pytest.raises(DataError, match="damaged"):
        data.load(saved)
    data.load(saved)


def test_a_dataset_that_is_not_there_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="run `dvc repro`"):
        data.load(tmp_path)
