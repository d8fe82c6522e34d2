"""Every initializer × activation × placement of batch norm before its first step: predicted and measured.

Measured in float64: over 50 layers a variance may grow or shrink by 85 orders of magnitude. The theory is told the
samples' own mean squares, so that what it is off by is its own doing.
"""

from collections.abc import Iterable, Sequence
from itertools import product
from typing import NamedTuple, get_args

import numpy as np
import pandas as pd
import torch
from rich.console import Console
from rich.progress import track

from pipeline.compute.cpu import keep_freed_memory, whole_sums
from pipeline.compute.workers import run_all, worker_count
from pipeline.data import Dataset
from pipeline.networks import StackedMLP
from pipeline.networks.observe import observe
from pipeline.params import ACTIVATIONS, INITIALIZERS, BatchNormPlacement, Initializer, Params, Study
from pipeline.propagation.agreement import SETTING
from pipeline.theory.functions import Array, activation_function
from pipeline.theory.initializers import scales
from pipeline.theory.predict import predict

PLACEMENTS: tuple[BatchNormPlacement, ...] = get_args(BatchNormPlacement)
QUANTILES = 16
"""Of the samples' mean squares, each of which the theory follows by itself."""


class Shape(NamedTuple):
    """A network shape to measure."""

    name: str
    """``study`` or ``deep``."""
    widths: tuple[int, ...]
    """Features, units of every hidden layer, classes."""


class Probe(NamedTuple):
    """What is sent through the networks, and how many there are of each setting."""

    x: Array
    """``[sample, feature]``."""
    y: np.ndarray
    """``[sample]``, labels."""
    input_square: float
    """Mean square of a feature over the whole training part, to which ``critical`` fits its first layer."""
    seeds: Sequence[int]


def shapes(study: Study, params: Params, dataset: Dataset) -> list[Shape]:
    """Return the study's own shape, if it has hidden layers, and the deep one of constant width."""
    features, classes = dataset.card.features, len(dataset.card.classes)
    deep = (params.propagation.width,) * params.propagation.depth
    named = {"study": study.hidden_widths, "deep": deep}
    return [Shape(name, (features, *hidden, classes)) for name, hidden in named.items() if hidden]


def propagation(title: str, study: Study, params: Params, dataset: Dataset) -> pd.DataFrame:
    """Return a row for each shape, initializer, activation, placement and hidden layer (from 1), sorted by them.

    Columns: ``signal``, the mean square of the dense layer's output z, and ``gradient``, the mean square of ∂loss/∂z as
    a share of the highest hidden layer's: geometric means over the seeds, with the lowest and the highest seed as
    ``_low`` and ``_high`` and the theory's ``_predicted``; ``activation_mean``, ``activation_sd``, ``dead`` and
    ``saturated`` as in `Observation`, means over the seeds.
    """
    x = dataset.train.x.astype(np.float64)
    samples = slice(params.propagation.samples)
    probe = Probe(x[samples], dataset.train.y[samples], float(np.square(x).mean()), range(params.propagation.seeds))
    tasks = list(product(shapes(study, params, dataset), ACTIVATIONS, PLACEMENTS))
    workers = min(worker_count(params.compute.workers), len(tasks))
    keep_freed_memory()
    console = Console()
    tables: Iterable[pd.DataFrame] = track(
        run_all(lambda task, _: setting_tables(*task, params, probe), tasks, workers, lambda: None),
        f"{title}: propagation",
        total=len(tasks),
        console=console,
        disable=not console.is_terminal,
    )
    return pd.concat(tables).sort_values([*SETTING, "layer"], ignore_index=True)


def setting_tables(
    shape: Shape, activation: str, batch_norm: BatchNormPlacement, params: Params, probe: Probe,
    initializers: Sequence[Initializer] = INITIALIZERS,
) -> pd.DataFrame:  # fmt: skip
    """Return the rows of one activation and placement: one stack holds every initializer and seed."""
    pairs = list(product(initializers, probe.seeds))
    with whole_sums(len(pairs)):
        networks = StackedMLP(
            shape.widths, activation, batch_norm, [name for name, _ in pairs], [seed for _, seed in pairs],
            params.activations, params.batch_norm, probe.input_square,
        ).double()  # fmt: skip
        function = activation_function(activation, params.activations)
        seen = observe(networks, function, torch.from_numpy(probe.x), torch.from_numpy(probe.y))
    # [initializer, seed, layer]
    measured = {
        name: measure.numpy().reshape(len(initializers), len(probe.seeds), -1)
        for name, measure in seen._asdict().items()
    }
    signal, gradient = measured["signal"], measured["gradient"]
    tables = []
    for row, initializer in enumerate(initializers):
        expected = predict(
            function,
            shape.widths,
            scales(initializer, function, shape.widths, 1.0 if batch_norm != "none" else probe.input_square),
            _input_squares(probe.x, batch_norm, params.batch_norm.eps),
            batch_norm,
            params.batch_norm.eps,
        )
        tables.append(
            pd.DataFrame(
                {
                    "shape": shape.name,
                    "initializer": initializer,
                    "activation": activation,
                    "batch_norm": batch_norm,
                    "layer": np.arange(1, len(shape.widths) - 1),
                    **_over_seeds("signal", signal[row]),
                    "signal_predicted": np.exp(expected.log_signal),
                    **_over_seeds("gradient", gradient[row] / gradient[row, :, -1:]),
                    "gradient_predicted": np.exp(expected.log_gradient),
                    "activation_mean": measured["mean"][row].mean(0),
                    "activation_sd": measured["sd"][row].mean(0),
                    "dead": measured["dead"][row].mean(0),
                    "saturated": measured["saturated"][row].mean(0),
                }
            )
        )
    return pd.concat(tables)


def _input_squares(x: Array, batch_norm: BatchNormPlacement, eps: float) -> Array:
    """Return quantiles of the samples' mean squares of a feature; with batch norm, the features' mean variance."""
    if batch_norm == "none":
        quantiles: Array = np.quantile(np.square(x).mean(1), (np.arange(QUANTILES) + 0.5) / QUANTILES)
        return quantiles
    variance = x.var(0)
    return np.array([(variance / (variance + eps)).mean()])


def _over_seeds(name: str, values: Array) -> dict[str, Array]:
    """Return the geometric mean, the lowest and the highest of ``[seed, layer]``."""
    with np.errstate(divide="ignore"):
        mean = np.exp(np.log(values).mean(0))
    return {name: mean, f"{name}_low": values.min(0), f"{name}_high": values.max(0)}
