"""The champion: the study's best network by validation score, trained again from its settings and kept."""

import hashlib
import json
import math
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from pipeline.data import Dataset
from pipeline.data.dataset import About
from pipeline.errors import DataError
from pipeline.evaluation.onnx_model import to_onnx
from pipeline.networks import StackedMLP
from pipeline.params import AXES, Activations, BatchNorm, BatchNormPlacement, Cell, Network, Params, Study
from pipeline.strict_json import save_json
from pipeline.training.engine import train_stack
from pipeline.training.names import KEY
from pipeline.training.outcome import outcomes
from pipeline.training.results import rows_of, tabulate
from pipeline.training.stacks import Stack, widths_of

WEIGHTS_FILE = "weights.safetensors"
NETWORK_FILE = "network.json"
ONNX_FILE = "model.onnx"
ABOUT_FILE = "model.json"
TOLERANCE = 1e-2
"""How far a score may be from the recorded one where other bits are no surprise: a GPU, another processor."""
SCORES = ("train_loss", "val_loss", "val_accuracy", "test_loss", "test_accuracy")

Reproduced = Literal["bit for bit", "within tolerance", "no"]


class Retrained(NamedTuple):
    """The champion, trained again."""

    model: nn.Sequential
    labels: NDArray[np.int64]
    """That it gives the samples of the test part."""
    reproduced: Reproduced
    largest_difference: float | None
    """Of its scores to the recorded ones, of which `score` has it; ``None`` where one of them is no number."""
    score: str


class Architecture(BaseModel):
    """What it takes, beside the weights, to build a network again."""

    model_config = ConfigDict(frozen=True)

    widths: tuple[int, ...]
    activation: str
    batch_norm: BatchNormPlacement
    activations: Activations
    batch_norm_settings: BatchNorm
    classes: tuple[str, ...]
    sha256: str = ""
    """Of the weights' file and of what this file says."""


def choose_champion(networks: pd.DataFrame) -> Network | None:
    """Return the network with the highest validation accuracy, of equal ones that with the lowest validation loss.

    ``None`` where every network has diverged.
    """
    trained = networks[networks["status"] == "trained"]
    if trained.empty:
        return None
    best = trained.sort_values(["val_accuracy", "val_loss", *KEY], ascending=[False, True, *[True] * len(KEY)])
    row = best.iloc[0]
    return Network(Cell(*(row[axis] for axis in AXES)), int(row["seed"]))


def retrain(network: Network, study: Study, params: Params, dataset: Dataset, recorded: pd.DataFrame) -> Retrained:
    """Train a network again, alone, and compare it with what was recorded: the check that results can be reproduced.

    Args:
        network: which.
        study: its shape and budget.
        params: settings that all studies share.
        dataset: the study's.
        recorded: the study's networks as they were recorded.
    """
    stack = Stack(network.cell.activation, network.cell.batch_norm, (network,))
    module = train_stack(stack, study, params, dataset)
    again = tabulate(outcomes(module, device=""), params.health.verdicts).networks.iloc[0]
    before = rows_of(recorded, network).iloc[0]
    differences = {score: abs(float(again[score]) - float(before[score])) for score in SCORES}
    # A score that is no number is the worst of all: `max` alone would pass over it.
    score = max(SCORES, key=lambda name: math.inf if math.isnan(differences[name]) else differences[name])
    largest = differences[score]
    reproduced: Reproduced = "bit for bit" if largest == 0 else "within tolerance" if largest <= TOLERANCE else "no"
    labels = module.labels("test")[0]
    return Retrained(module.networks.unstack(0), labels, reproduced, largest if math.isfinite(largest) else None, score)


def describe(network: Network) -> str:
    """Return a network in words: ``relu, he_normal, batch_norm none, clipping none, learning_rate 0.1, seed 3``."""
    cell = network.cell
    return (
        f"{cell.activation}, {cell.initializer}, batch_norm {cell.batch_norm}, clipping {cell.clipping}, "
        f"learning_rate {cell.learning_rate:g}, seed {network.seed}"
    )


def architecture(network: Network, study: Study, params: Params, dataset: Dataset) -> Architecture:
    """Return a network's architecture."""
    return Architecture(
        widths=widths_of(study, dataset.card),
        activation=network.cell.activation,
        batch_norm=network.cell.batch_norm,
        activations=params.activations,
        batch_norm_settings=params.batch_norm,
        classes=dataset.card.classes,
    )


def save_champion(model: nn.Sequential, built_as: Architecture, about: About, folder: Path) -> None:
    """Write a network, as PyTorch's weights and as what `pipeline.evaluation.champion_model` serves.

    ``weights.safetensors`` and ``network.json`` take scaled samples to logits; ``model.onnx`` and ``model.json`` take
    raw ones to classes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = save({name: tensor.contiguous() for name, tensor in model.state_dict().items()})
    (folder / WEIGHTS_FILE).write_bytes(weights)
    sealed = built_as.model_copy(update={"sha256": _digest(weights, built_as)})
    (folder / NETWORK_FILE).write_text(sealed.model_dump_json(indent=2) + "\n", encoding="utf-8")
    network = to_onnx(model, about.scaler)
    (folder / ONNX_FILE).write_bytes(network)
    served = {
        "features": about.names,
        "classes": about.class_values,
        "sha256": hashlib.sha256(network).hexdigest(),
    }
    save_json(served, folder / ABOUT_FILE)


def _digest(weights: bytes, built_as: Architecture) -> str:
    return hashlib.sha256(built_as.model_dump_json(exclude={"sha256"}).encode() + weights).hexdigest()


def load_champion(folder: Path) -> nn.Sequential:
    """Return the network that `save_champion` wrote, in evaluation mode.

    Raises:
        DataError: a file is not what was written.
    """
    weights = (folder / WEIGHTS_FILE).read_bytes()
    try:
        built_as = Architecture.model_validate(json.loads((folder / NETWORK_FILE).read_text(encoding="utf-8")))
        if _digest(weights, built_as) != built_as.sha256:
            raise ValueError("its hash is not the one in network.json")
        tensors = load(weights)
    except (SafetensorError, ValueError) as error:
        raise DataError(f"{folder}: damaged ({error}); `dvc checkout` or `dvc repro` brings it back") from error
    model = StackedMLP(
        built_as.widths,
        built_as.activation,
        built_as.batch_norm,
        initializers=["lecun_normal"],  # for the moment: the weights are about to be replaced
        seeds=[0],
        activations=built_as.activations,
        batch_norm_settings=built_as.batch_norm_settings,
        input_square=1.0,
    ).unstack(0)
    model.load_state_dict(tensors)
    return model


def predict(model: nn.Sequential, x: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the label that a network gives each sample ``[sample, feature]``, scaled as in training."""
    with torch.no_grad():
        labels: NDArray[np.int64] = model(torch.from_numpy(x)).argmax(1).numpy()
    return labels
