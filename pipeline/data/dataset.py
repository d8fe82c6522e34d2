"""A prepared dataset: scaled arrays in safetensors, and a card that says what they are."""

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from safetensors import SafetensorError
from safetensors.numpy import load_file
from safetensors.numpy import save as to_bytes

from pipeline.data.samples import ClassType
from pipeline.errors import DataError

ARRAYS_FILE = "arrays.safetensors"
CARD_FILE = "card.json"
PARTS = ("train", "validation", "test")


class Part(NamedTuple):
    """Some of a dataset's samples."""

    x: NDArray[np.float32]
    """``[sample, feature]``, scaled."""
    y: NDArray[np.int64]
    """``[sample]``, the label."""


class Scaler(BaseModel):
    """(x - shift) / factor, feature by feature."""

    model_config = ConfigDict(frozen=True)

    shift: tuple[float, ...]
    factor: tuple[float, ...]

    def __call__(self, features: NDArray[np.generic]) -> NDArray[np.float32]:
        """Return samples ``[sample, feature]`` scaled: in float64, and then rounded to float32."""
        scaled: NDArray[np.float64] = (features - np.array(self.shift)) / np.array(self.factor)
        return scaled.astype(np.float32)


class About(BaseModel):
    """What the samples of a dataset are, whichever part they are in."""

    model_config = ConfigDict(frozen=True)

    source: str
    scaling: str
    scaler: Scaler
    """What brought the source's own units to those of the parts."""
    names: tuple[str, ...]
    """Of the features."""
    shape: tuple[int, ...]
    """Of a sample: the number of its features; or steps (an image's rows), and features of each."""
    classes: tuple[str, ...]
    """Each class's name, by label."""
    class_type: ClassType
    """What the source holds in place of these names."""

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


class Card(About):
    """What is known of a prepared dataset."""

    samples: dict[str, int]
    """Number of samples by part."""
    class_counts: dict[str, tuple[int, ...]]
    """Number of samples of each class, by part."""
    sha256: str
    """Of all arrays (their names, shapes and bytes) and of what this card says."""

    @property
    def features(self) -> int:
        """How many there are."""
        return len(self.names)


class Dataset(NamedTuple):
    """A dataset, split and scaled."""

    train: Part
    validation: Part
    test: Part
    card: Card


def describe(parts: dict[str, Part], about: About) -> Card:
    """Return the card of the parts ``train``, ``validation`` and ``test``."""
    card = Card(
        **about.model_dump(include={*About.model_fields}),
        samples={name: len(part.y) for name, part in parts.items()},
        class_counts={
            name: tuple(np.bincount(part.y, minlength=len(about.classes)).tolist()) for name, part in parts.items()
        },
        sha256="",
    )
    return card.model_copy(update={"sha256": _digest(_arrays(parts), card)})


def save(dataset: Dataset, folder: Path) -> None:
    """Write a dataset into a folder: ``arrays.safetensors`` and ``card.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = _arrays({name: getattr(dataset, name) for name in dataset.card.samples})
    (folder / ARRAYS_FILE).write_bytes(to_bytes(arrays))
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
    parts = {name: Part(arrays[f"{name}.x"], arrays[f"{name}.y"]) for name in card.samples}
    return Dataset(**parts, card=card)


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


def _arrays(parts: dict[str, Part]) -> dict[str, NDArray[np.generic]]:
    return {f"{name}.{field}": getattr(part, field) for name, part in parts.items() for field in Part._fields}


def _digest(arrays: dict[str, NDArray[np.generic]], card: Card) -> str:
    digest = hashlib.sha256(card.model_dump_json(exclude={"sha256"}).encode())
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].shape} {arrays[name].dtype}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()
