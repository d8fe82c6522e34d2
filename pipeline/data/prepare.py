"""From a source's samples to a dataset: split, then scaled by what the training part alone says."""

import sys
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from pipeline.config.data import (
    BundledData,
    FashionData,
    OfficialSplit,
    Scaling,
    SequenceData,
    StratifiedSplit,
    TableData,
)
from pipeline.data.dataset import About, Dataset, Part, Scaler, describe
from pipeline.data.samples import Samples
from pipeline.data.sources import read
from pipeline.errors import DataError

Indices = NDArray[np.intp]


def prepare(data: BundledData | FashionData | SequenceData | TableData) -> Dataset:
    """Read, split and scale a study's data.

    Raises:
        DataError: the source is missing, damaged or unfit, or too small for its split.
    """
    samples = read(data)
    indices = split_indices(samples, data.split)
    scaler = fit_scaler(samples.features[indices["train"]], data.scaling, samples.largest)
    parts = {name: Part(scaler(samples.features[chosen]), samples.labels[chosen]) for name, chosen in indices.items()}
    _look_for_collapse(samples, parts.values())
    about = About(
        source=data.source,
        scaling=data.scaling,
        scaler=scaler,
        names=samples.names,
        shape=samples.shape or (len(samples.names),),
        classes=samples.classes,
        class_type=samples.class_type,
    )
    return Dataset(**parts, card=describe(parts, about))


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
        return {
            "train": everything[split.validation : training],
            "validation": everything[: split.validation],
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


def fit_scaler(train: NDArray[np.generic], scaling: Scaling, largest: float | None) -> Scaler:
    """Fit a scaler to the training features ``[sample, feature]``, in float64.

    ``standardize`` gives every feature mean 0 and standard deviation 1. ``unit`` brings features into [0, 1]: divided
    by the largest value that the source allows (pixels / 255) where there is one, else feature by feature. A feature
    that is constant keeps its unit.
    """
    if scaling == "unit" and largest is not None:
        return Scaler(shift=(0.0,) * train.shape[1], factor=(largest,) * train.shape[1])
    exact = train.astype(np.float64)
    if scaling == "standardize":
        standard = StandardScaler().fit(exact)
        return Scaler(shift=standard.mean_.tolist(), factor=standard.scale_.tolist())
    unit = MinMaxScaler().fit(exact)
    return Scaler(shift=unit.data_min_.tolist(), factor=np.where(unit.data_range_ == 0, 1.0, unit.data_range_).tolist())


def _look_for_collapse(samples: Samples, parts: Iterable[Part]) -> None:
    """Refuse a feature whose values are all one in 32 bits, and warn of one that loses most of them.

    Args:
        samples: as the source has them.
        parts: the same samples, scaled.

    Raises:
        DataError: a feature that tells samples apart tells none apart when it is scaled.
    """
    if samples.features.dtype == np.uint8:
        return  # a few steps of a pixel cannot
    scaled = np.concatenate([part.x for part in parts])
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
