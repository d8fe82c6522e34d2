"""Tasks: some classes of a dataset, renumbered."""

import hashlib
import json
from collections.abc import Sequence

import numpy as np

from ...axes.normalization import NORMALIZATIONS
from ...config import Transfer
from ...data import Dataset, Part, Split
from ...data.dataset import PARTS, Indices
from ...errors import ParamsError


class Task(Dataset):
    """The samples of some classes, split and scaled as all are; their labels are the classes' places in the list.

    Args:
        whole: all samples.
        classes: which.
        permuted: whether their features stand in another order, drawn once: as many of them, with the same values, and
            nothing next to what it was next to.
    """

    def __init__(self, whole: Dataset, classes: Sequence[str], permuted: bool = False) -> None:
        self.whole = whole
        self.order = np.random.default_rng(0).permutation(whole.card.features) if permuted else None
        chosen = [whole.card.classes.index(name) for name in classes]
        self.number = np.full(len(whole.card.classes), -1)
        self.number[chosen] = np.arange(len(chosen))
        counts = {part: tuple(of[label] for label in chosen) for part, of in whole.card.class_counts.items()}
        about = {
            "classes": tuple(classes),
            "class_counts": counts,
            "samples": {part: sum(of) for part, of in counts.items()},
            "sha256": hashlib.sha256(json.dumps([whole.card.sha256, *classes, permuted]).encode()).hexdigest(),
        }
        super().__init__(whole.features, whole.labels, whole.places, whole.card.model_copy(update=about))

    def tested_on(self, number: int) -> Indices:
        """Return which of all samples are a split's test part, in its order."""
        places = self.whole.exchanged(number)["test"]
        return places[self.number[self.whole.labels[places]] >= 0]

    def make(self, number: int) -> Split:
        """Return the split's samples of these classes."""
        split = self.whole.split(number)
        train, validation, test = (self._chosen(getattr(split, name)) for name in PARTS)
        return Split(train, validation, test, split.scaler)

    def _chosen(self, part: Part) -> Part:
        labels = self.number[part.y]
        x = part.x if self.order is None else part.x[:, self.order]
        return Part(x[labels >= 0], labels[labels >= 0])


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
