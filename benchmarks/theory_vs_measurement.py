"""The theory beside measurement, where it ought to hold and where it is needed.

Usage: ``python -m benchmarks.theory_vs_measurement`` (some minutes; 8 GB of memory).

1. Width 1,000, depth 20: every activation and initializer, how far prediction and measurement are apart.
2. Width 100, depth 50: what ``critical`` and ``he_normal`` keep of the variances.
3. Width 1,000, depth 20: skips, layer norm, dropout; 8 steps of a recurrent network.

On digits, standardised; geometric means over 10 seeds, no batch norm.
"""

import numpy as np
import pandas as pd

from pipeline.axes.activations import ACTIVATIONS, Activation
from pipeline.axes.architectures import ARCHITECTURES, MLP
from pipeline.axes.initializers import INITIALIZERS, Critical, HeNormal, Initializer
from pipeline.axes.normalization import NORMALIZATIONS, NoNormalization
from pipeline.axes.regularizers import REGULARIZERS, NoRegularizer
from pipeline.config import load_params
from pipeline.data.prepare import prepare
from pipeline.errors import FunctionError
from pipeline.evaluation.agreement import gaps
from pipeline.experiments.propagation import Probe, Start, setting_tables
from pipeline.networks import Design, initializers
from pipeline.theory.edge import edge_of_chaos
from pipeline.theory.functions import function_of

SEEDS, SAMPLES = range(10), 64
GOALS = {"signal": 0.15, "gradient": 0.25}
EXCEPTION = 0.5
SMOOTH_OR_KINKED = ("relu", "leaky_relu", "elu", "selu", "gelu", "swish", "mish", "tanh")
CONNECTED = (
    ("residual", "none", "none"),
    ("wide_and_deep", "none", "none"),
    ("mlp", "layer_norm", "none"),
    ("residual", "layer_norm", "none"),
    ("mlp", "none", "dropout(rate=0.2)"),
    ("mlp", "none", "alpha_dropout(rate=0.2)"),
    ("recurrent", "none", "none"),
    ("recurrent", "layer_norm", "none"),
)
"""Architecture, normalization, regularization."""


def measured(probe: Probe, hidden: tuple[int, ...], activation: Activation, initializer: Initializer) -> pd.DataFrame:
    """Return the rows of plain networks."""
    design = Design(probe.x.shape[1:], hidden, 10, MLP(), activation, NoNormalization(), NoRegularizer())
    return setting_tables(Start("deep", design, (initializer,)), probe)


def has_edge(activation: Activation) -> bool:
    """Say whether ``critical`` fits an activation."""
    try:
        edge_of_chaos(function_of(activation))
    except FunctionError:
        return False
    return True


def agreement(probe: Probe) -> None:
    """Print the medians over all settings, and the exceptions."""
    tables = [
        measured(probe, (1000,) * 20, activation, initializer)
        for activation in ACTIVATIONS
        for initializer in INITIALIZERS
        if initializer.theory and (not initializer.fitted or has_edge(activation))
    ]
    found = gaps(pd.concat(tables))
    print(f"width 1,000, depth 20: {len(found)} settings, largest |ln(measured / predicted)| of a layer")
    for name, goal in GOALS.items():
        gap = found[f"{name}_gap"]
        print(f"  {name}: median {gap.median():.3f} (goal: at most {goal}), largest {gap.max():.3f}")
        for row in found[gap > EXCEPTION].to_dict("records"):
            print(f"    above {EXCEPTION}: {row['activation']}, {row['initializer']}: {row[f'{name}_gap']:.3f}")


def kept(probe: Probe, initializer: Initializer) -> None:
    """Print how far an initializer lets the variances go."""
    print(f"width 100, depth 50, {initializer}: lowest and highest of the layers")
    for activation in map(ACTIVATIONS.parse, SMOOTH_OR_KINKED):
        table = measured(probe, (100,) * 50, activation, initializer)
        q = edge_of_chaos(function_of(activation)).q
        reference = q if initializer.fitted else table["signal"].iloc[0]
        signal, gradient = table["signal"] / reference, table["gradient"]
        print(
            f"  {activation!s:<11} signal / {'q*' if initializer.fitted else 'first'}: {signal.min():.2e} to "
            f"{signal.max():.2e}   gradient / highest layer's: {gradient.min():.2e} to {gradient.max():.2e}"
        )


def connected(probe: Probe, shape: tuple[int, ...]) -> None:
    """Print how far prediction and measurement are apart where layers are connected in other ways."""
    print("width 1,000, depth 20 (recurrent: 8 steps): largest |ln(measured / predicted)| of a layer, over settings")
    starts = [INITIALIZERS.parse(name) for name in ("glorot_uniform", "lecun_normal", "he_normal")]
    for architecture, normalization, regularization in CONNECTED:
        hidden = (1000,) * (shape[0] if architecture == "recurrent" else 20)
        parts = ARCHITECTURES.parse(architecture), NORMALIZATIONS.parse(normalization)
        designs = [
            Design(shape, hidden, 10, parts[0], ACTIVATIONS.parse(name), parts[1], REGULARIZERS.parse(regularization))
            for name in SMOOTH_OR_KINKED
        ]
        found = gaps(
            pd.concat([setting_tables(Start("deep", design, (one,)), probe) for design in designs for one in starts])
        )
        said = [f"{name} {found[f'{name}_gap'].median():.3f}, {found[f'{name}_gap'].max():.2f}" for name in GOALS]
        print(
            f"  {architecture}, {normalization}, {regularization}: median and largest of {len(found)}: "
            + "; ".join(said)
        )


def main() -> None:
    """Print all three."""
    dataset = prepare(load_params().study("digits").data)
    x = dataset.split(0).train.x.astype(np.float64)
    probe = Probe(x[:SAMPLES], dataset.split(0).train.y[:SAMPLES], float(np.square(x).mean()), SEEDS)
    initializers.SMALL = 10**6  # draws of every seed are kept: they take longer than the networks
    connected(probe, dataset.card.shape)
    kept(probe, Critical())
    kept(probe, HeNormal())
    agreement(probe)


if __name__ == "__main__":
    main()
