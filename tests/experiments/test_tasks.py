"""Tasks: classes renumbered, and labels chosen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ParamsError
from pipeline.experiments.transfer.tasks import Task, check_tasks
from pipeline.training.recipe import Samples
from pipeline.training.samples import chosen_samples


@pytest.fixture(scope="module")
def transfer(params):
    return params.transfer["mini"]["three_and_five"]


def test_classes_are_renumbered_by_their_place_in_the_list(digits) -> None:
    task = Task(digits, ("5", "0", "3"))
    assert task.card.classes == ("5", "0", "3")
    for name in ("train", "validation", "test"):
        ours, theirs = getattr(task.split(3), name), getattr(digits.split(3), name)
        chosen = np.isin(theirs.y, [5, 0, 3])
        np.testing.assert_array_equal(ours.x, theirs.x[chosen])
        np.testing.assert_array_equal(np.array([5, 0, 3])[ours.y], theirs.y[chosen])
        assert task.card.samples[name] == len(ours.y)
        assert task.card.class_counts[name] == tuple(np.bincount(ours.y))


def test_tasks_of_other_classes_are_other_data(digits) -> None:
    assert len({Task(digits, pair).card.sha256 for pair in (("3", "5"), ("5", "3"), ("3", "8"))}) == 3


@given(
    counts=st.lists(st.integers(5, 60), min_size=2, max_size=6),
    share=st.floats(0.1, 1),
    seed=st.integers(0, 2**32 - 1),
)
def test_labels_are_stratified_by_seed_and_nested(counts: list[int], share: float, seed: int) -> None:
    y = np.repeat(np.arange(len(counts)), counts)
    count = max(1, int(share * len(y)))
    chosen = chosen_samples(y, Samples(count, "stratified", seed))
    assert len(set(chosen)) == count
    per_class = np.bincount(y[chosen], minlength=len(counts))
    # A class gets a rounded share; that shares add up to the count moves it by at most half a sample of each class.
    shares = np.array(counts) / len(y)
    assert (np.abs(per_class - count * shares) <= 0.5 + shares * len(counts) / 2 + 1e-9).all()
    assert set(chosen) <= set(chosen_samples(y, Samples(min(count + 3, len(y)), "stratified", seed)))


def test_another_seed_labels_other_samples(digits) -> None:
    y = digits.split(0).train.y
    chosen = [set(chosen_samples(y, Samples(50, "stratified", seed))) for seed in (0, 1)]
    assert chosen[0] != chosen[1]
    np.testing.assert_array_equal(chosen_samples(y, Samples(50, "first", 1)), np.arange(50))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task_b": ("3", "fife")}, "transfer.mini.x.task_b[1]: 'fife' is not a class; allowed: 0, 1"),
        ({"task_a": ("0", "33")}, "transfer.mini.x.task_a[1]: '33' is not a class; did you mean '3'?"),
        ({"labels": (20, 5000)}, "transfer.mini.x.labels[1]: found 5,000; allowed: at most 2"),
        ({"labels": (33,), "normalization": "before"}, "leaves the last batch one sample"),
    ],
)
def test_what_the_data_do_not_have_is_refused(transfer, digits, change: dict, message: str) -> None:
    with pytest.raises(ParamsError) as refused:
        check_tasks("transfer.mini.x", transfer.model_copy(update=change), digits)
    assert message in str(refused.value)
