"""A prepared dataset: its samples in safetensors, a card that says what they are, and how each seed splits them."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from safetensors import SafetensorError
from safetensors.numpy import load_file
from safetensors.numpy import save as to_bytes

from ..config.data import OfficialSplit, Scaling, StratifiedSplit
from ..errors import DataError
from .samples import ClassType
from .scaling import Scaler, fit_scaler

ARRAYS_FILE = "arrays.safetensors"
CARD_FILE = "card.json"
PARTS = ("train", "validation", "test")

Indices = NDArray[np.int64]


class Part(NamedTuple):
    """Some of a dataset's samples."""

    x: NDArray[np.float32]
    """``[sample, feature]``, scaled."""
    y: NDArray[np.int64]
    """``[sample]``, the label."""


class Split(NamedTuple):
    """A dataset, split and scaled."""

    train: Part
    validation: Part
    test: Part
    scaler: Scaler
    """Fitted to the training part: what brought the source's own units to those of the parts."""


class Card(BaseModel):
    """What is known of a prepared dataset, whichever way it is split."""

    model_config = ConfigDict(frozen=True)

    source: str
    scaling: Scaling
    largest: float | None
    """The largest value that a feature can take, where the source sets one."""
    names: tuple[str, ...]
    """Of the features."""
    shape: tuple[int, ...]
    """Of a sample: the number of its features; or steps (an image's rows), and features of each."""
    classes: tuple[str, ...]
    """Each class's name, by label."""
    class_type: ClassType
    """What the source holds in place of these names."""
    split: Annotated[OfficialSplit | StratifiedSplit, Field(discriminator="kind")]
    samples: dict[str, int]
    """Number of samples by part; every split has as many."""
    class_counts: dict[str, tuple[int, ...]]
    """Number of samples of each class, by part; every split has as many."""
    sha256: str
    """Of all arrays (their names, shapes and bytes) and of what this card says."""

    @property
    def features(self) -> int:
        """How many there are."""
        return len(self.names)

    @property
    def class_values(self) -> list[bool] | list[int] | list[float] | list[str]:
        """The classes, by label, as the source holds them."""
        match self.class_type:
            case "bool":
                return [name == "True" for name in self.classes]
            case "int":
                return [int(name) for name in self.classes]
            case "float":
                return [float(name) for name in self.classes]
            case "str":
                return list(self.classes)

    def split_of(self, seed: int) -> int:
        """Return the number of a seed's split: its own, unless seeds share one; 0 where the source has one for all."""
        return seed // self.split.seeds_per_split if isinstance(self.split, StratifiedSplit) else 0

    @property
    def guess(self) -> int:
        """The label of the training part's most frequent class."""
        counts = self.class_counts["train"]
        return counts.index(max(counts))

    def guess_accuracy(self, part: str) -> float:
        """Return the accuracy, on a part, of always naming the training part's most frequent class."""
        counts = self.class_counts[part]
        return counts[self.guess] / sum(counts)


SPLITS_MEMORY = 2**28
"""Bytes that the splits of a dataset may take in a process; every seed has its own."""


class Dataset:
    """A dataset's samples, and their splits.

    A stratified split other than the first exchanges samples of one class for others: the parts of all splits have
    equally many samples of each class.

    Args:
        features: ``[sample, feature]``, in the source's units.
        labels: ``[sample]``.
        places: by part, the samples that are in it, before they are exchanged.
        card: what is known of them.
    """

    def __init__(
        self, features: NDArray[np.generic], labels: NDArray[np.int64], places: Mapping[str, Indices], card: Card
    ) -> None:
        self.features, self.labels = np.ascontiguousarray(features), labels  # safetensors writes memory as it lies
        self.places, self.card = dict(places), card
        self._splits: dict[int, Split] = {}
        self.most_splits = max(1, SPLITS_MEMORY // (4 * self.features.size))
        """That are kept in memory once they are made, scaled as float32."""

    @property
    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """All that a dataset holds, by name."""
        return {"features": self.features, "labels": self.labels, **self.places}

    def split(self, number: int) -> Split:
        """Return one of the splits; see `Card.split_of`."""
        found = self._splits.pop(number, None) or self.make(number)
        self._splits[number] = found  # the last one used, at the end
        if len(self._splits) > self.most_splits:
            del self._splits[next(iter(self._splits))]
        return found

    def make(self, number: int) -> Split:
        """Split the samples, and scale them by what the training part alone says."""
        places = self.exchanged(number)
        scaler = fit_scaler(self.features[places["train"]], self.card.scaling, self.card.largest)
        parts = {name: Part(scaler(self.features[own]), self.labels[own]) for name, own in places.items()}
        return Split(**parts, scaler=scaler)

    def exchanged(self, number: int) -> dict[str, Indices]:
        """Return which samples are in each part of a split, in ascending order."""
        if not isinstance(self.card.split, StratifiedSplit):
            return self.places
        draw = np.random.default_rng([self.card.split.seed, number])
        other = np.arange(len(self.labels))
        for label in range(len(self.card.classes)):
            members = np.flatnonzero(self.labels == label)
            other[members] = draw.permutation(members)
        return {name: np.sort(other[own]) for name, own in self.places.items()}


def count(labels: NDArray[np.int64], places: Mapping[str, Indices], classes: int) -> dict[str, dict[str, object]]:
    """Return a card's ``samples`` and ``class_counts``."""
    return {
        "samples": {name: len(own) for name, own in places.items()},
        "class_counts": {
            name: tuple(np.bincount(labels[own], minlength=classes).tolist()) for name, own in places.items()
        },
    }


def seal(dataset: Dataset) -> Dataset:
    """Return a dataset with its card's digest."""
    digest = _digest(dataset.arrays, dataset.card)
    return Dataset(dataset.features, dataset.labels, dataset.places, dataset.card.model_copy(update={"sha256": digest}))


def save(dataset: Dataset, folder: Path) -> None:
    """Write a dataset into a folder: ``arrays.safetensors`` and ``card.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ARRAYS_FILE).write_bytes(to_bytes(dataset.arrays))
    (folder / CARD_FILE).write_text(_text_of(dataset.card), encoding="utf-8")


def load(folder: Path) -> Dataset:
    """Read a dataset that `save` wrote.

    Raises:
        DataError: files are missing or damaged, or the arrays are not the card's.
    """
    card = load_card(folder)
    try:
        arrays = load_file(folder / ARRAYS_FILE)
    except FileNotFoundError as error:
        raise DataError(f"{error.filename or folder} is not there; run `dvc repro` to prepare it") from None
    except SafetensorError as error:
        raise DataError(f"{folder}: damaged ({error}); delete the folder and run `dvc repro`") from error
    if _digest(arrays, card) != card.sha256:
        raise DataError(f"{folder}: damaged (its hash is not the card's); delete the folder and run `dvc repro`")
    return Dataset(arrays["features"], arrays["labels"], {name: arrays[name] for name in PARTS}, card)


def load_card(folder: Path) -> Card:
    """Read the card of a dataset that `save` wrote.

    Raises:
        DataError: it is missing or damaged.
    """
    try:
        text = (folder / CARD_FILE).read_text(encoding="utf-8")
        card = Card.model_validate(json.loads(text))
    except FileNotFoundError:
        raise DataError(f"{folder / CARD_FILE} is not there; run `dvc repro` to prepare it") from None
    except ValueError as error:
        raise DataError(f"{folder}: damaged ({error}); delete the folder and run `dvc repro`") from error
    if text != _text_of(card):  # as when a last digit is wrong that no float can hold
        raise DataError(
            f"{folder}: damaged ({CARD_FILE} is not as it was written); delete the folder and run `dvc repro`"
        )
    return card


def _text_of(card: Card) -> str:
    return card.model_dump_json(indent=2) + "\n"


def _digest(arrays: Mapping[str, NDArray[np.generic]], card: Card) -> str:
    digest = hashlib.sha256(card.model_dump_json(exclude={"sha256"}).encode())
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].shape} {arrays[name].dtype}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()
