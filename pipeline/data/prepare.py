"""From a source's samples to a dataset: split, then scaled by what the training part alone says."""

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, StandardScaler

from pipeline.data.dataset import Dataset, Part, describe
from pipeline.data.sources import Samples, read
from pipeline.errors import DataError
from pipeline.params import BundledData, FashionData, OfficialSplit, Scaling, StratifiedSplit, TableData

Indices = NDArray[np.intp]


def prepare(data: BundledData | FashionData | TableData) -> Dataset:
    """Read, split and scale a study's data.

    Raises:
        DataError: the source is missing, damaged or unfit, or too small for its split.
    """
    samples = read(data)
    indices = split_indices(samples, data.split)
    scaler = fit_scaler(samples.features[indices["train"]], data.scaling, samples.largest)
    parts = {
        name: Part(scaler.transform(samples.features[chosen]).astype(np.float32, copy=False), samples.labels[chosen])
        for name, chosen in indices.items()
    }
    return Dataset(**parts, card=describe(parts, data.source, data.scaling, samples.classes))


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


def fit_scaler(
    train: NDArray[np.float32], scaling: Scaling, largest: float | None
) -> StandardScaler | MinMaxScaler | MaxAbsScaler:
    """Fit a scaler to the training features ``[sample, feature]``.

    ``standardize`` gives every feature mean 0 and standard deviation 1. ``unit`` brings features into [0, 1]: divided
    by the largest value that the source allows (pixels / 255) where there is one, else feature by feature.
    """
    if scaling == "standardize":
        return StandardScaler().fit(train)
    if largest is None:
        return MinMaxScaler().fit(train)
    return MaxAbsScaler().fit(np.full((1, train.shape[1]), largest, np.float32))
