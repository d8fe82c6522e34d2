"""The champion: the study's best network by validation score, trained again from its settings and kept."""

import hashlib
import json
import math
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from safetensors import SafetensorError
from safetensors.torch import load, save
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
from torch import nn

from ..axes.activations import ACTIVATIONS
from ..axes.architectures import ARCHITECTURES
from ..axes.initializers import INITIALIZERS
from ..axes.normalization import NORMALIZATIONS
from ..axes.regularizers import REGULARIZERS
from ..config import Params, Study
from ..data import Card, Dataset
from ..data.scaling import Scaler
from ..errors import DataError
from ..grid import AXES, Cell, Network, cell_name, widths_of
from ..networks import Design, build_networks
from ..strict_json import save_json
from ..training.devices import device_name
from ..training.names import KEY
from ..training.outcome import outcomes
from ..training.recipe import resolve
from ..training.results import rows_of, tabulate
from ..training.schedule import Schedule
from ..training.stacks import Stack
from .model_card import CARD_FILE, model_card
from .names import ABOUT_FILE
from .onnx_model import to_onnx
from .references import reference_scores

WEIGHTS_FILE = "weights.safetensors"
NETWORK_FILE = "network.json"
ONNX_FILE = "model.onnx"
TOLERANCE = 1e-2
"""How far a score may be from the recorded one where other bits are no surprise: a GPU, another processor."""
SCORES = ("train_loss", "val_loss", "val_accuracy", "test_loss", "test_accuracy")

Reproduced = Literal["bit for bit", "within tolerance", "no"]


class Retrained(NamedTuple):
    """The champion, trained again."""

    model: nn.Module
    labels: NDArray[np.int64]
    """That it gives the samples of the test part."""
    reproduced: Reproduced
    largest_difference: float | None
    """Of its scores to the recorded ones, of which `score` has it; ``None`` where one of them is no number."""
    score: str


class SavedNetwork(BaseModel):
    """What it takes, beside the weights, to build a network again: levels of axes in their canonical spelling."""

    model_config = ConfigDict(frozen=True)

    shape: tuple[int, ...]
    hidden: str
    architecture: str
    activation: str
    normalization: str
    regularization: str
    classes: tuple[str, ...]
    sha256: str = ""
    """Of the weights' file and of what this file says."""

    @classmethod
    def of(cls, cell: Cell, card: Card) -> "SavedNetwork":
        """Return what a network is, that was trained on the data of a card."""
        levels = {axis: getattr(cell, axis) for axis in cls.model_fields if axis in AXES}
        return cls(shape=card.shape, classes=card.classes, **levels)

    @property
    def design(self) -> Design:
        """How it is built."""
        return Design(
            self.shape,
            widths_of(self.hidden),
            len(self.classes),
            ARCHITECTURES.parse(self.architecture),
            ACTIVATIONS.parse(self.activation),
            NORMALIZATIONS.parse(self.normalization),
            REGULARIZERS.parse(self.regularization),
        )


def choose_champion(networks: pd.DataFrame) -> Network | None:
    """Return the network with the highest validation accuracy, of equal ones that with the lowest validation loss.

    ``None`` where every network has diverged.
    """
    trained = networks[networks["status"] == "trained"]
    if trained.empty:
        return None
    best = trained.sort_values(["val_accuracy", "val_loss", *KEY], ascending=[False, True, *[True] * len(KEY)])
    row = best.iloc[0]
    return Network(Cell.of(row.to_dict()), int(row["seed"]))


def retrain(network: Network, study: Study, params: Params, dataset: Dataset, recorded: pd.DataFrame) -> Retrained:
    """Train a network again, alone, and compare it with what was recorded: the check that results can be reproduced.

    Args:
        network: which.
        study: its budget.
        params: settings that all studies share.
        dataset: the study's.
        recorded: the study's networks as they were recorded.
    """
    (recipe,) = resolve(study, params, dataset.card, device_name(params.compute), [network]).values()
    module = Schedule("", dataset, params.compute).train_stack(Stack.of([recipe]))
    (outcome,) = outcomes(module, device="")
    again = tabulate({network: outcome}, params.health.verdicts, dataset).networks.iloc[0]
    before = rows_of(recorded, network).iloc[0]
    differences = {score: abs(float(again[score]) - float(before[score])) for score in SCORES}
    # A score that is no number is the worst of all: `max` alone would pass over it.
    score = max(SCORES, key=lambda name: math.inf if math.isnan(differences[name]) else differences[name])
    largest = differences[score]
    reproduced: Reproduced = "bit for bit" if largest == 0 else "within tolerance" if largest <= TOLERANCE else "no"
    labels = module.labels("test")[0]
    return Retrained(module.networks.unstack(0), labels, reproduced, largest if math.isfinite(largest) else None, score)


def crown(
    title: str, study: Study, params: Params, dataset: Dataset, networks: pd.DataFrame, folder: Path
) -> dict[str, Any]:
    """Train the champion again, write it with its model card into a folder, and return what is known of it.

    Where it is not the network that was recorded, that is said, and a warning is printed.

    Args:
        title: the study's name.
        study: its grid and budget.
        params: settings that all studies share.
        dataset: the study's.
        networks: the study's, as they were recorded.
        folder: of the champion; it is empty where every network has diverged.

    Returns:
        ``references``: the accuracies of scikit-learn's classifiers. Unless all have diverged ``champion``, its levels,
        seed, accuracies, whether it was ``reproduced`` and the ``largest_difference``; ``name``; ``confusion``
        ``[actual][predicted]`` and ``per_class`` scores on the test part.
    """
    folder.mkdir(parents=True, exist_ok=True)
    champion = choose_champion(networks)
    split = dataset.split(dataset.card.split_of(champion.seed if champion else 0))
    found: dict[str, Any] = {"references": reference_scores(params.evaluation.references, split)}
    if champion is None:
        return found
    again = retrain(champion, study, params, dataset, networks)
    name, classes = describe(champion, study.varied), dataset.card.classes
    if again.reproduced == "no":
        _warn(name, again)
    save_champion(again.model, SavedNetwork.of(champion.cell, dataset.card), dataset.card, split.scaler, folder)
    row = rows_of(networks, champion).iloc[0]
    found |= {
        "champion": champion.cell._asdict()
        | {
            "seed": champion.seed,
            "val_accuracy": float(row["val_accuracy"]),
            "test_accuracy": float(row["test_accuracy"]),
            "reproduced": again.reproduced,
            "largest_difference": again.largest_difference,
        },
        "name": name,
        "confusion": confusion_matrix(split.test.y, again.labels, labels=range(len(classes))).tolist(),
        "per_class": _scores_by_class(split.test.y, again.labels, classes),
    }
    written = model_card(title, champion, study, dataset.card, found, len(networks))
    (folder / CARD_FILE).write_text(written, encoding="utf-8")
    return found


def _scores_by_class(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: Sequence[str]
) -> list[dict[str, Any]]:
    """Return precision, recall, F1 and the number of samples of each class, in the classes' order."""
    scores = precision_recall_fscore_support(labels, predicted, labels=range(len(classes)), zero_division=0)
    names = ("precision", "recall", "f1", "samples")
    return [dict(zip(names, (column.item() for column in row), strict=True)) for row in zip(*scores, strict=True)]


def _warn(name: str, again: Retrained) -> None:
    """Say that the champion is another network than the one that was recorded, and what to do."""
    by = "is no number" if again.largest_difference is None else f"differs by {again.largest_difference:.2g}"
    print(
        f"warning: the champion ({name}) came out different when trained again: its {again.score} {by}. "
        "Were the results made by other library versions, or on another kind of processor (platform.json beside them "
        "says where)? `make verify` tells whether this machine computes as others do; `dvc repro --force` makes the "
        "results anew. The run goes on, with the network that was trained again as its champion",
        file=sys.stderr,
    )


def describe(network: Network, varied: Collection[str] = ()) -> str:
    """Return a network in words: ``he_normal · relu · lr 0.1, seed 3``."""
    return f"{cell_name(network.cell._asdict(), varied)}, seed {network.seed}"


def save_champion(model: nn.Module, saved: SavedNetwork, card: Card, scaler: Scaler, folder: Path) -> None:
    """Write a network, as PyTorch's weights and as what `pipeline.experiments.champion_model` serves.

    ``weights.safetensors`` and ``network.json`` take scaled samples to logits; ``model.onnx`` and ``model.json`` take
    raw ones to classes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = save({name: tensor.contiguous() for name, tensor in model.state_dict().items()})
    (folder / WEIGHTS_FILE).write_bytes(weights)
    sealed = saved.model_copy(update={"sha256": _digest(weights, saved)})
    (folder / NETWORK_FILE).write_text(sealed.model_dump_json(indent=2) + "\n", encoding="utf-8")
    network = to_onnx(model, scaler)
    (folder / ONNX_FILE).write_bytes(network)
    served = {
        "features": card.names,
        "classes": card.class_values,
        "example": scaler.shift,
        "sha256": hashlib.sha256(network).hexdigest(),
    }
    save_json(served, folder / ABOUT_FILE)


def _digest(weights: bytes, saved: SavedNetwork) -> str:
    return hashlib.sha256(saved.model_dump_json(exclude={"sha256"}).encode() + weights).hexdigest()


def load_champion(folder: Path) -> nn.Module:
    """Return the network that `save_champion` wrote, in evaluation mode.

    Raises:
        DataError: a file is not what was written.
    """
    weights = (folder / WEIGHTS_FILE).read_bytes()
    try:
        saved = SavedNetwork.model_validate(json.loads((folder / NETWORK_FILE).read_text(encoding="utf-8")))
        if _digest(weights, saved) != saved.sha256:
            raise ValueError("its hash is not the one in network.json")
        tensors = load(weights)
    except (SafetensorError, ValueError) as error:
        raise DataError(f"{folder}: damaged ({error}); `dvc checkout` or `dvc repro` brings it back") from error
    # Any initializer would do: the weights are about to be replaced.
    model = build_networks(saved.design, [INITIALIZERS.parse("lecun_normal")], [0], [1.0]).unstack(0)
    model.load_state_dict(tensors)
    return model


def predict(model: nn.Module, x: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the label that a network gives each sample ``[sample, feature]``, scaled as in training."""
    with torch.no_grad():
        labels: NDArray[np.int64] = model(torch.from_numpy(x)).argmax(1).numpy()
    return labels
