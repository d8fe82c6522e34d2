"""Tasks: some classes of a dataset, renumbered."""

from collections.abc import Sequence

import numpy as np

from pipeline.axes.normalization import NORMALIZATIONS
from pipeline.config import Transfer
from pipeline.data import Dataset, Part
from pipeline.data.dataset import PARTS, describe
from pipeline.errors import ParamsError


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
        if labels % transfer.training.batch_size == 1 and NORMALIZATIONS.parse(transfer.normalization).of_batch:
            raise ParamsError(
                f"{key}.labels[{index}]: found {labels:,}, which leaves the last batch one sample; batch norm needs two"
            )
