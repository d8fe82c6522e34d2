"""From a source's samples to a dataset that can be split and scaled."""

import sys

import numpy as np
from sklearn.model_selection import train_test_split

from ..config.data import AnyData, OfficialSplit, StratifiedSplit
from ..errors import DataError
from .dataset import PARTS, Card, Dataset, Indices, Split, count, seal
from .samples import Samples
from .sources import read


def prepare(data: AnyData) -> Dataset:
    """Read a study's data, and divide them into parts.

    Raises:
        DataError: the source is missing, damaged or unfit, or too small for its split.
    """
    samples = read(data)
    places = split_indices(samples, data.split)
    card = Card(
        source=data.source,
        scaling=data.scaling,
        largest=samples.largest,
        names=samples.names,
        shape=samples.shape or (len(samples.names),),
        classes=samples.classes,
        class_type=samples.class_type,
        split=data.split,
        sha256="",
        **count(samples.labels, places, len(samples.classes)),
    )
    dataset = seal(Dataset(samples.features, samples.labels, places, card))
    _look_for_collapse(samples, dataset.split(0))
    return dataset


def split_indices(samples: Samples, split: OfficialSplit | StratifiedSplit) -> dict[str, Indices]:
    """Return which samples are for training, validation and testing.

    Raises:
        DataError: a class has too few samples to be in every part.
    """
    everything = np.arange(len(samples.labels))
    if isinstance(split, OfficialSplit):
        training = len(everything) - samples.official_test
        if split.validation >= training:
            raise DataError(f"split.validation: {split.validation:,} leaves none of the {training:,} training samples")
        start = 0 if split.validation_at == "start" else training - split.validation
        validation = everything[start : start + split.validation]
        return {
            "train": np.setdiff1d(everything[:training], validation),
            "validation": validation,
            "test": everything[training:],
        }
    counts = np.bincount(samples.labels, minlength=len(samples.classes))
    rarest = int(counts.argmin())
    needed = int(np.ceil(1 / min(split.validation, split.test, 1 - split.validation - split.test)))
    if counts[rarest] < needed:
        raise DataError(
            f"class {samples.classes[rarest]!r} has {counts[rarest]} samples; to be in the training, validation and "
            f"test part it needs {needed} at least: add samples or drop the class"
        )
    rest, test = train_test_split(everything, test_size=split.test, stratify=samples.labels, random_state=split.seed)
    train, validation = train_test_split(
        rest,
        test_size=split.validation / (1 - split.test),
        stratify=samples.labels[rest],
        random_state=split.seed,
    )
    return {"train": np.sort(train), "validation": np.sort(validation), "test": np.sort(test)}


def _look_for_collapse(samples: Samples, split: Split) -> None:
    """Refuse a feature whose values are all one in 32 bits, and warn of one that loses most of them.

    Args:
        samples: as the source has them.
        split: the same samples, scaled.

    Raises:
        DataError: a feature that tells samples apart tells none apart when it is scaled.
    """
    if samples.features.dtype == np.uint8:
        return  # a few steps of a pixel cannot
    scaled = np.concatenate([getattr(split, name).x for name in PARTS])
    for name, values, kept in zip(samples.names, samples.features.T, scaled.T, strict=True):
        there, left = len(np.unique(values)), len(np.unique(kept))
        if 2 * left > there:
            continue
        lost = (
            f"feature {name!r}: of {there:,} different values {left:,} are left in 32 bits, scaled; the largest is "
            f"{np.abs(values).max():g}. Clip its outliers, take its logarithm or give it another unit"
        )
        if left == 1:
            raise DataError(lost)
        print(f"warning: {lost}", file=sys.stderr)
