"""A study's networks before their first step, each setting once: signals and gradients, predicted and measured.

Measured in float64: over 50 layers a variance may grow or shrink by 85 orders of magnitude. The theory is told the
samples' own mean squares, so that what it is off by is its own doing.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import product
from typing import NamedTuple
from zlib import crc32

import numpy as np
import pandas as pd
import torch
from rich.console import Console
from rich.progress import track
from scipy.special import stdtr

from ..axes.activations import ACTIVATIONS
from ..axes.architectures import ARCHITECTURES
from ..axes.initializers import INITIALIZERS, Initializer, Variances
from ..axes.normalization import NORMALIZATIONS, Normalization
from ..axes.regularizers import REGULARIZERS, Dropout
from ..axes.special import Array
from ..compute.cpu import cap_threads_for_determinism, disable_malloc_trim
from ..compute.workers import run_all, worker_count
from ..config import Params, Study
from ..data import Dataset
from ..networks import Design, StackedNetwork, build_networks
from ..networks.observe import observe
from ..networks.sums import norms
from ..theory.fluctuations import PRECISION, Networks, deviation, draw_networks
from ..theory.functions import function_of
from ..theory.initializers import layer_variances
from ..theory.predict import Prediction, predict, predict_recurrent
from .names import PROPAGATION_SETTING

OF_A_QUANTITY = ("", "_low", "_high", "_predicted", "_predicted_low", "_predicted_high", "_z", "_p")
COLUMNS = [
    *PROPAGATION_SETTING, "layer", *(f"{name}{what}" for name in ("signal", "gradient") for what in OF_A_QUANTITY),
    "activation_mean", "activation_sd", "dead", "saturated",
]  # fmt: skip
BAND = (0.025, 0.975)
"""Between these shares of a finite network's signals and gradients its band lies."""
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
    own: bool = False
    """Whether each setting has seeds of its own, with these numbers. Those that share theirs share their luck: of the
    ones that follow the theory, either hardly any or a good many are off by chance."""

    @property
    def median(self) -> int:
        """The sample whose mean square is the median."""
        return int(np.argsort(np.square(self.x).mean(1), kind="stable")[len(self.x) // 2])


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
    nothing; ``_predicted_low`` and ``_predicted_high``, between which it expects 95 % of networks of this width on one
    sample, NaN where it says nothing of finite width; ``_z`` and ``_p``, see `compared`; ``activation_mean``,
    ``activation_sd``, ``dead`` and ``saturated`` as in `Observation`, means over the seeds.
    """
    part = dataset.split(0).train
    x = part.x.astype(np.float64)
    samples = slice(params.propagation.samples)
    probe = Probe(x[samples], part.y[samples], float(np.square(x).mean()), range(params.propagation.seeds), own=True)
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
            [setting_seed(start, initializer, seed) if probe.own else seed for initializer, seed in pairs],
            [probe.input_square] * len(pairs),
        ).double()
        seen = observe(networks, function_of(design.activation), torch.from_numpy(probe.x), torch.from_numpy(probe.y))
        one = on_one_sample(networks, probe) if is_drawn(design) else None
    # [initializer, seed, layer]
    measured = {
        name: measure.numpy().reshape(len(initializers), len(probe.seeds), -1)
        for name, measure in seen._asdict().items()
    }
    signal, gradient = measured["signal"], measured["gradient"]
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = gradient / gradient[..., -1:]
    tables = []
    for row, initializer in enumerate(initializers):
        expected, whole = predicted(design, initializer, probe), Measured(signal[row], shares[row])
        tables.append(
            pd.DataFrame(
                {
                    "shape": start.shape,
                    **{axis: str(getattr(design, axis)) for axis in PROPAGATION_SETTING if axis in design._fields[3:]},
                    "initializer": str(initializer),
                    "layer": np.arange(1, len(design.hidden) + 1),
                    **_over_seeds("signal", signal[row]),
                    "signal_predicted": np.exp(expected.log_signal),
                    **_over_seeds("gradient", shares[row]),
                    "gradient_predicted": np.exp(expected.log_gradient),
                    **compared(design, initializer, probe, expected, whole, one[row] if one else None),
                    "activation_mean": measured["mean"][row].mean(0),
                    "activation_sd": measured["sd"][row].mean(0),
                    "dead": measured["dead"][row].mean(0),
                    "saturated": measured["saturated"][row].mean(0),
                },
                columns=COLUMNS,
            )
        )
    return pd.concat(tables)


def setting_seed(start: Start, initializer: Initializer, number: int) -> int:
    """Return one of a setting's own seeds."""
    return crc32(f"{start.shape}, {start.design}, {initializer}".encode()) + number


class Measured(NamedTuple):
    """Of some networks of one setting."""

    signal: Array
    """``[seed, layer]``: mean square of z."""
    gradient: Array
    """``[seed, layer]``: mean square of ∂loss/∂z, as a share of the highest hidden layer's."""


def on_one_sample(networks: StackedNetwork, probe: Probe) -> list[Measured]:
    """Return what each initializer's networks show on the median sample, with a logit in place of the loss.

    A loss looks at the logits, and so at the signal: what comes down from it leans towards the signal the more, the
    larger they are. A logit's gradient starts with the output layer's weights alone.
    """
    x = torch.from_numpy(probe.x[[probe.median]]).expand(networks.networks, -1, -1)
    with networks.preserve_buffers():
        trace = networks.trace(x)
        gradients = torch.autograd.grad(trace.logits[..., 0].sum(), trace.preactivations)
    signal, gradient = (
        torch.stack([norms(values.detach().contiguous()).square() / values.shape[2] for values in of_layers], 1)
        .numpy()
        .reshape(-1, len(probe.seeds), len(of_layers))
        for of_layers in (trace.preactivations, gradients)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        return [Measured(*both) for both in zip(signal, gradient / gradient[..., -1:], strict=True)]


def compared(
    design: Design, initializer: Initializer, probe: Probe, expected: Prediction, whole: Measured, one: Measured | None
) -> dict[str, Array]:
    """Return the test of a setting's signals and gradients against the theory: columns of `propagation`.

    Where the theory draws networks of finite width, the seeds' mean logarithms on one sample are compared with theirs:
    ``_z`` by layer, ``_p`` over all layers at once. It is NaN where they are not foretold. Else the infinite network's
    is compared with the mean over samples, layers and seeds: ``_p`` is that of Student's t over the seeds.

    Args:
        design: of the networks.
        initializer: their initializer.
        probe: what was sent through them.
        expected: of infinitely wide ones.
        whole: what they show on all samples.
        one: on the median sample; ``None`` where the theory draws no networks.
    """
    nothing = np.full(len(design.hidden), np.nan)
    found: dict[str, Array] = {}
    said = bool(np.isfinite(expected.log_signal).all())
    networks = drawn(design, initializer, probe) if one and said else None
    own = predicted(design, initializer, probe._replace(x=probe.x[[probe.median]])) if networks else expected
    for place, name in enumerate(Measured._fields):
        z, p, low, high = nothing, np.nan, nothing, nothing
        with np.errstate(divide="ignore", invalid="ignore"):
            if networks and one:
                logs: Array = getattr(networks, name)
                z, p = deviation(logs, np.log(one[place]))
                p = p if networks.foretold(logs) else np.nan
                # Of one sample, moved to the mean of all
                low, high = np.exp(np.quantile(logs, BAND, axis=1) - own[place] + expected[place])
            elif said:
                p = student((np.log(whole[place]) - expected[place]).mean(1))
        whole_p = np.full_like(nothing, p)
        found |= {f"{name}_predicted_low": low, f"{name}_predicted_high": high, f"{name}_z": z, f"{name}_p": whole_p}
    return found


def predicted(design: Design, initializer: Initializer, probe: Probe) -> Prediction:
    """Return what the theory says of a setting; NaN where it says nothing."""
    architecture, normalization = design.architecture, design.normalization
    whole = normalization.of_input or not normalization.of_batch  # else batch norm meets features that are not centred
    if not (architecture.predicted and initializer.theory and whole):
        return Prediction(*np.full((2, len(design.hidden)), np.nan))
    function, variances = function_of(design.activation), _variances(design, initializer, probe)
    if architecture.recurrent:
        features = design.shape[-1]
        rows = probe.x[:, : len(design.hidden) * features].reshape(len(probe.x), -1, features)
        squares = np.square(rows).mean(2)
        return predict_recurrent(function, design.hidden[0], variances, squares, features, normalization)
    squares = _input_squares(probe.x, normalization)
    return predict(function, design.widths, variances, squares, normalization, architecture, design.regularization)


def is_drawn(design: Design) -> bool:
    """Say whether the theory draws networks of finite width.

    It does not where layers are normalised or skipped, where steps share weights, and of alpha dropout.
    """
    architecture, dropped = design.architecture, design.regularization
    skips = any(architecture.skips_from(layer) is not None for layer in range(len(design.hidden)))
    followed = isinstance(dropped, Dropout) or not dropped.drops
    return not (architecture.recurrent or skips) and design.normalization.placement == "none" and followed


def drawn(design: Design, initializer: Initializer, probe: Probe) -> Networks:
    """Return networks of finite width as the theory draws them, for a design of which it does."""
    return draw_networks(
        function_of(design.activation),
        design.widths,
        _variances(design, initializer, probe),
        float(np.square(probe.x[probe.median]).mean()),
        orthogonal=initializer.distribution == "orthogonal",
        kept=1 - getattr(design.regularization, "rate", 0.0),
    )


def _variances(design: Design, initializer: Initializer, probe: Probe) -> list[Variances]:
    fans = design.architecture.fans(design.shape, design.hidden, design.outputs)
    input_square = 1.0 if design.normalization.of_input else probe.input_square
    return layer_variances(initializer, function_of(design.activation), fans, input_square)


def student(gaps: Array) -> float:
    """Return the p-value of Student's t for a mean of 0; NaN where one network says nothing of the others."""
    if len(gaps) < 2:
        return np.nan
    if np.abs(gaps).max() < PRECISION:
        return 1.0
    t = gaps.mean() / (gaps.std(ddof=1) / len(gaps) ** 0.5)
    return float(2 * stdtr(len(gaps) - 1, -abs(t))) if np.isfinite(t) else 0.0


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
