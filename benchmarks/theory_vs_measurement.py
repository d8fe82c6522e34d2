"""The theory beside measurement, where it ought to hold and where it is needed.

Usage: ``python -m benchmarks.theory_vs_measurement`` (some minutes; 8 GB of memory).

1. Width 1,000, depth 20: every activation and initializer, how far prediction and measurement are apart.
2. Width 100, depth 50: what ``critical`` and ``he_normal`` keep of the variances.

On digits, standardised; geometric means over 10 seeds, no batch norm.
"""

import numpy as np
import pandas as pd

from pipeline.data.prepare import prepare
from pipeline.networks import initializers
from pipeline.params import ACTIVATIONS, INITIALIZERS, Initializer, Params, load_params
from pipeline.propagation.agreement import gaps
from pipeline.propagation.measure import Probe, Shape, setting_tables
from pipeline.theory.edge import edge_of_chaos
from pipeline.theory.functions import activation_function

SEEDS, SAMPLES = range(10), 64
GOALS = {"signal": 0.15, "gradient": 0.25}
EXCEPTION = 0.5
SMOOTH_OR_KINKED = ("relu", "leaky_relu", "elu", "selu", "gelu", "swish", "mish", "tanh")


def agreement(params: Params, probe: Probe, features: int) -> None:
    """Print the medians over all settings, and the exceptions."""
    shape = Shape("wide", (features, *[1000] * 20, 10))
    initializers.SMALL = 10**6  # draws of every seed are kept: they take longer than the networks
    tables = [
        setting_tables(shape, activation, "none", params, probe, [initializer])
        for activation in ACTIVATIONS
        for initializer in INITIALIZERS
    ]
    initializers.unit_draws.cache_clear()
    found = gaps(pd.concat(tables))
    print(f"width 1,000, depth 20: {len(found)} settings, largest |ln(measured / predicted)| of a layer")
    for name, goal in GOALS.items():
        gap = found[f"{name}_gap"]
        print(f"  {name}: median {gap.median():.3f} (goal: at most {goal}), largest {gap.max():.3f}")
        for row in found[gap > EXCEPTION].to_dict("records"):
            print(f"    above {EXCEPTION}: {row['activation']}, {row['initializer']}: {row[f'{name}_gap']:.3f}")


def kept(params: Params, probe: Probe, features: int, initializer: Initializer) -> None:
    """Print how far an initializer lets the variances go."""
    shape = Shape("deep", (features, *[100] * 50, 10))
    print(f"width 100, depth 50, {initializer}: lowest and highest of the layers")
    for activation in SMOOTH_OR_KINKED:
        table = setting_tables(shape, activation, "none", params, probe, [initializer])
        q = edge_of_chaos(activation_function(activation, params.activations)).q
        start = q if initializer == "critical" else table["signal"].iloc[0]
        signal, gradient = table["signal"] / start, table["gradient"]
        print(
            f"  {activation:<11} signal / {'q*' if initializer == 'critical' else 'first'}: {signal.min():.2e} to "
            f"{signal.max():.2e}   gradient / highest layer's: {gradient.min():.2e} to {gradient.max():.2e}"
        )


def main() -> None:
    """Print both."""
    params = load_params()
    dataset = prepare(params.study("digits").data)
    x = dataset.train.x.astype(np.float64)
    probe = Probe(x[:SAMPLES], dataset.train.y[:SAMPLES], float(np.square(x).mean()), SEEDS)
    features = dataset.card.features
    kept(params, probe, features, "critical")
    kept(params, probe, features, "he_normal")
    agreement(params, probe, features)


if __name__ == "__main__":
    main()
