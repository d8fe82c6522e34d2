"""Cells, networks and stacks in few words, for tests."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.axes.activations import ACTIVATIONS
from pipeline.axes.architectures import ARCHITECTURES
from pipeline.axes.initializers import INITIALIZERS
from pipeline.axes.normalization import NORMALIZATIONS
from pipeline.axes.regularizers import REGULARIZERS
from pipeline.config import Params, Study
from pipeline.data import Card, Dataset
from pipeline.evaluation.evaluate import evaluate
from pipeline.evaluation.files import Evaluation
from pipeline.evaluation.tested import Tested
from pipeline.experiments.champion import crown
from pipeline.experiments.names import CHAMPION_FOLDER
from pipeline.experiments.repeats import repeat
from pipeline.grid import Cell, Network
from pipeline.networks import Design, StackedNetwork, build_networks
from pipeline.theory.functions import Function, function_of
from pipeline.training.names import KEY
from pipeline.training.recipe import Recipe, resolve
from pipeline.training.results import Results
from pipeline.training.schedule import Schedule
from pipeline.training.stacks import Stack
from pipeline.training.store import NetworkStore
from pipeline.training.study import train_networks


def cell(
    initializer: str = "he_normal",
    activation: str = "relu",
    normalization: str = "none",
    clipping: str = "none",
    learning_rate: float = 0.1,
    **others: Any,
) -> Cell:
    """Return a cell, by default of the shape of `mini`."""
    levels = {
        "architecture": "mlp", "hidden": "2x16", "regularization": "none", "optimizer": "sgd", "batch_size": 32,
        "train_fraction": 1.0, "label_noise": 0.0,
        "initializer": initializer, "activation": activation, "normalization": normalization, "clipping": clipping,
        "learning_rate": learning_rate,
    }  # fmt: skip
    return Cell.of(levels | others)


def function(activation: str) -> Function:
    return function_of(ACTIVATIONS.parse(activation))


def build(
    widths: Sequence[int],
    activation: str = "relu",
    normalization: str = "none",
    initializers: Sequence[str] = ("he_normal",),
    seeds: Sequence[int] | None = None,
    input_square: float = 1.0,
    architecture: str = "mlp",
    regularization: str = "none",
    shape: tuple[int, ...] | None = None,
) -> StackedNetwork:
    """Return a stack from features, units of every hidden layer, classes, and the axes' spellings."""
    features, *hidden, outputs = widths
    design = Design(
        shape or (features,), tuple(hidden), outputs, ARCHITECTURES.parse(architecture), ACTIVATIONS.parse(activation),
        NORMALIZATIONS.parse(normalization), REGULARIZERS.parse(regularization),
    )  # fmt: skip
    seeds = range(len(initializers)) if seeds is None else seeds
    return build_networks(
        design, [INITIALIZERS.parse(name) for name in initializers], seeds, [input_square] * len(seeds)
    )


def recipes(networks: Sequence[Network], study: Study, params: Params, dataset: Dataset) -> list[Recipe]:
    return list(resolve(study, params, dataset.card, "cpu", networks).values())


def files_of(store: NetworkStore) -> list[Path]:
    """Return the files of the networks that a folder keeps."""
    return [store.folder / name for name in store.entries()]


def train_together(
    networks: Sequence[Network], study: Study, params: Params, dataset: Dataset, *how: Any, **more: Any
) -> Any:
    """Train networks as one stack; returns its module."""
    stack = Stack.of(recipes(networks, study, params, dataset))
    return Schedule("", dataset, params.compute).train_stack(stack, *how, **more)


def hits_at(networks: pd.DataFrame, card: Card, places: int = 1000) -> Tested:
    """Return hits that make networks' test accuracies, each seed's on samples of its own."""
    right = (networks["test_accuracy"].to_numpy()[:, None] * places).round() > np.arange(places)
    seeds, splits = np.unique(networks["seed"], return_inverse=True)
    samples = np.arange(len(seeds) * places).reshape(-1, places)
    return Tested(networks[KEY].reset_index(drop=True), right.astype(np.uint8), splits, samples, card)


def evaluated(title: str, study: Study, params: Params, dataset: Dataset, folder: Path) -> tuple[Results, Evaluation]:
    """Return what a study's stages make of it, from training to evaluation; its champion is in the folder."""
    results = train_networks(title, study, params, dataset, study.networks())
    champion = crown(title, study, params, dataset, results.networks, folder / CHAMPION_FOLDER)
    repeats = repeat(study, params, dataset, results.networks)
    return results, evaluate(params, dataset, results, champion, repeats)
