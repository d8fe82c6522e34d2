"""A study's networks before their first step, each setting once: signals and gradients, predicted and measured.

Measured in float64: over 50 layers a variance may grow or shrink by 85 orders of magnitude. The theory is told the
samples' own mean squares, so that what it is off by is its own doing.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from rich.console import Console
from rich.progress import track

from pipeline.axes.activations import ACTIVATIONS, Array
from pipeline.axes.architectures import ARCHITECTURES
from pipeline.axes.initializers import INITIALIZERS, Initializer
from pipeline.axes.normalization import NORMALIZATIONS, Normalization
from pipeline.axes.regularizers import REGULARIZERS
from pipeline.compute.cpu import cap_threads_for_determinism, disable_malloc_trim
from pipeline.compute.workers import run_all, worker_count
from pipeline.config import Params, Study
from pipeline.data import Dataset
from pipeline.experiments.names import PROPAGATION_SETTING
from pipeline.networks import Design, build_networks
from pipeline.networks.observe import observe
from pipeline.theory.functions import function_of
from pipeline.theory.initializers import layer_variances
from pipeline.theory.predict import Prediction, predict, predict_recurrent

COLUMNS = [
    *PROPAGATION_SETTING, "layer", "signal", "signal_low", "signal_high", "signal_predicted", "gradient",
    "gradient_low", "gradient_high", "gradient_predicted", "activation_mean", "activation_sd", "dead", "saturated",
]  # fmt: skip
GROUPS = 64
"""Of samples of about equal mean square, each of which the theory follows by itself."""


class Probe(NamedTuple):
    """What is sent through the networks, and how many there are of each setting."""

    x: Array
    """``[sample, feature]``."""
    y: np.ndarray
    """``[sample]``, labels."""
    input_square: float
    """Mean square of a feature over the whole training part, to which ``critical`` fits its first layer."""
    seeds: Sequence[int]


class Start(NamedTuple):
    """Networks that are measured as one stack."""

    shape: str
    """``study``, or ``deep`` for many layers of constant width."""
    design: Design
    initializers: tuple[Initializer, ...]


def starts(study: Study, params: Params, dataset: Dataset) -> list[Start]:
    """Return what a study's networks are before their first step: in its own shape, and in the deep one."""
    card = dataset.card
    found: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for cell in {network.cell for network in study.networks()}:
        dropped = cell.regularization if REGULARIZERS.parse(cell.regularization).drops else "none"
        found[cell.architecture, cell.activation, cell.normalization, dropped].add(cell.initializer)
    deep = (params.propagation.width,) * params.propagation.depth
    listed = []
    for shape, hidden in {"study": study.hidden_widths, "deep": deep}.items():
        for (architecture, activation, normalization, regularization), initializers in sorted(found.items()):
            design = Design(
                card.shape,
                hidden,
                len(card.classes),
                ARCHITECTURES.parse(architecture),
                ACTIVATIONS.parse(activation),
                NORMALIZATIONS.parse(normalization),
                REGULARIZERS.parse(regularization),
            )
            too_deep = design.architecture.recurrent and len(hidden) > card.shape[0]  # there are no more steps
            if hidden and not too_deep and not design.architecture.fault(hidden):
                ordered = sorted(initializers, key=INITIALIZERS.order)
                listed.append(Start(shape, design, tuple(map(INITIALIZERS.parse, ordered))))
    return listed


def propagation(title: str, study: Study, params: Params, dataset: Dataset) -> pd.DataFrame:
    """Return a row for each shape, setting before the first step, and hidden layer (from 1), sorted by them.

    Columns: `PROPAGATION_SETTING`, ``layer`` (of a recurrent network, the step); ``signal``, the mean square of z, and
    ``gradient``, the mean square of ∂loss/∂z as a share of the highest hidden layer's: geometric means over the seeds,
    with the lowest and the highest seed as ``_low`` and ``_high`` and the theory's ``_predicted``, NaN where it says
    nothing; ``activation_mean``, ``activation_sd``, ``dead`` and ``saturated`` as in `Observation`, means over the
    seeds.
    """
    part = dataset.split(0).train
    x = part.x.astype(np.float64)
    samples = slice(params.propagation.samples)
    probe = Probe(x[samples], part.y[samples], float(np.square(x).mean()), range(params.propagation.seeds))
    tasks = starts(study, params, dataset)
    if not tasks:
        return pd.DataFrame(columns=COLUMNS)
    workers = min(worker_count(params.compute.workers), len(tasks))
    disable_malloc_trim()
    console = Console()
    tables: Iterable[pd.DataFrame] = track(
        run_all(lambda task, _: setting_tables(task, probe), tasks, workers, lambda: None),
        f"{title}: propagation",
        total=len(tasks),
        console=console,
        disable=not console.is_terminal,
    )
    return pd.concat(tables).sort_values([*PROPAGATION_SETTING, "layer"], ignore_index=True)


def setting_tables(start: Start, probe: Probe) -> pd.DataFrame:
    """Return the rows of one stack, which holds every initializer and seed."""
    design, initializers = start.design, start.initializers
    pairs = list(product(initializers, probe.seeds))
    with cap_threads_for_determinism(len(pairs)):
        networks = build_networks(
            design,
            [initializer for initializer, _ in pairs],
            [seed for _, seed in pairs],
            [probe.input_square] * len(pairs),
        ).double()
        seen = observe(networks, function_of(design.activation), torch.from_numpy(probe.x), torch.from_numpy(probe.y))
    # [initializer, seed, layer]
    measured = {
        name: measure.numpy().reshape(len(initializers), len(probe.seeds), -1)
        for name, measure in seen._asdict().items()
    }
    signal, gradient = measured["signal"], measured["gradient"]
    tables = []
    for row, initializer in enumerate(initializers):
        expected = predicted(design, initializer, probe)
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = gradient[row] / gradient[row, :, -1:]
        tables.append(
            pd.DataFrame(
                {
                    "shape": start.shape,
                    **{axis: str(getattr(design, axis)) for axis in PROPAGATION_SETTING if axis in design._fields[3:]},
                    "initializer": str(initializer),
                    "layer": np.arange(1, len(design.hidden) + 1),
                    **_over_seeds("signal", signal[row]),
                    "signal_predicted": np.exp(expected.log_signal),
                    **_over_seeds("gradient", shares),
                    "gradient_predicted": np.exp(expected.log_gradient),
                    "activation_mean": measured["mean"][row].mean(0),
                    "activation_sd": measured["sd"][row].mean(0),
                    "dead": measured["dead"][row].mean(0),
                    "saturated": measured["saturated"][row].mean(0),
                },
                columns=COLUMNS,
            )
        )
    return pd.concat(tables)


def predicted(design: Design, initializer: Initializer, probe: Probe) -> Prediction:
    """Return what the theory says of a setting; NaN where it says nothing."""
    architecture, normalization = design.architecture, design.normalization
    if not (architecture.predicted and initializer.theory):
        return Prediction(*np.full((2, len(design.hidden)), np.nan))
    function, fans = function_of(design.activation), architecture.fans(design.shape, design.hidden, design.outputs)
    input_square = 1.0 if normalization.of_batch else probe.input_square
    variances = layer_variances(initializer, function, fans, input_square)
    if architecture.recurrent:
        features = design.shape[-1]
        rows = probe.x[:, : len(design.hidden) * features].reshape(len(probe.x), -1, features)
        squares = np.square(rows).mean(2)
        return predict_recurrent(function, design.hidden[0], variances, squares, features, normalization)
    squares = _input_squares(probe.x, normalization)
    return predict(function, design.widths, variances, squares, normalization, architecture, design.regularization)


def _input_squares(x: Array, normalization: Normalization) -> Array:
    """Return the samples' mean squares of a feature; with batch norm, the features' mean variance.

    Means of groups where samples are many: quantiles would miss the few samples that most of a mean is due to.
    """
    if not normalization.of_batch:
        squares = np.sort(np.square(x).mean(1))
        return np.array([group.mean() for group in np.array_split(squares, min(GROUPS, len(squares)))])
    variance = x.var(0)
    return np.array([(variance / (variance + getattr(normalization, "eps", 0.0))).mean()])


def _over_seeds(name: str, values: Array) -> dict[str, Array]:
    """Return the geometric mean, the lowest and the highest of ``[seed, layer]``."""
    with np.errstate(divide="ignore"):
        mean = np.exp(np.log(values).mean(0))
    return {name: mean, f"{name}_low": values.min(0), f"{name}_high": values.max(0)}
