"""Tasks: some classes of a dataset, renumbered, and of their training samples those that are labelled."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.data import Dataset, Part
from pipeline.data.dataset import PARTS, describe
from pipeline.errors import ParamsError
from pipeline.networks.seeds import derive
from pipeline.params import Transfer


def task_dataset(dataset: Dataset, classes: Sequence[str]) -> Dataset:
    """Return the samples of some classes; their labels are the classes' places in the list."""
    labels = [dataset.card.classes.index(name) for name in classes]
    number = np.full(len(dataset.card.classes), -1)
    number[labels] = np.arange(len(labels))
    parts = {}
    for name in PARTS:
        x, y = getattr(dataset, name)
        chosen = np.isin(y, labels)
        parts[name] = Part(x[chosen], number[y[chosen]])
    return Dataset(**parts, card=describe(parts, dataset.card.model_copy(update={"classes": tuple(classes)})))


def check_tasks(key: str, transfer: Transfer, dataset: Dataset) -> None:
    """Refuse an experiment that asks for what its data do not have.

    Args:
        key: the experiment's place in ``params.yaml``.
        transfer: the experiment.
        dataset: its study's.

    Raises:
        ParamsError: a class is unknown, or there are fewer training samples than labels asked for.
    """
    known = dataset.card.classes
    if unknown := transfer.unknown_class(known):
        raise ParamsError(f"{key}.{unknown}")
    samples = sum(dataset.card.class_counts["train"][known.index(name)] for name in transfer.task_b)
    for index, labels in enumerate(transfer.labels):
        if labels > samples:
            raise ParamsError(
                f"{key}.labels[{index}]: found {labels:,}; allowed: at most {samples:,}, task B's training samples"
            )
        if labels % transfer.training.batch_size == 1 and transfer.batch_norm != "none":
            raise ParamsError(
                f"{key}.labels[{index}]: found {labels:,}, which leaves the last batch one sample; batch norm needs two"
            )


def labelled(y: NDArray[np.int64], count: int, choose: str, seed: int) -> NDArray[np.intp]:
    """Return the indices of the training samples that are labelled, in ascending order.

    Args:
        y: ``[sample]``, the training labels.
        count: how many.
        choose: ``first``, or ``stratified``: by the seed, each class in its share; fewer are always a part of more.
        seed: of the network.
    """
    if choose == "first":
        return np.arange(count)
    draw = np.random.default_rng(derive(seed, "labels"))
    # Each sample's place among its class's, as a share of the class: taking the lowest keeps the classes' shares.
    place = np.empty(len(y))
    for label in np.unique(y):
        members = draw.permutation(np.flatnonzero(y == label))
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    return np.sort(np.argsort(place, kind="stable")[:count])
