"""Which assumption of the theory fails where, by taking it away: wider networks, larger batches, inputs that are alike.

Usage: ``python -m benchmarks.theory_widths`` (some minutes; 4 GB of memory). Writes a file into ``benchmarks/results``,
and its tables into ``docs/theory.md``.

- settings: the deep networks of the study ``digits``, each setting tested on 30 seeds of its own, and from which width
  on the theory foretells those of which it does not.
- widths: 64, 256 and 1,024 units, 20 layers. Mean square over seeds and layers of ln(measured / predicted of infinite
  width), and the same as drawn at finite width: both shrink as 1 / width where finite width is what is wrong.
- batches: of batch norm's gradient, ln(measured / predicted) at the lowest layer, over batch, width and the inputs.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from benchmarks.report import machine, render_theory, save
from pipeline.axes.activations import ACTIVATIONS, Array
from pipeline.axes.architectures import MLP
from pipeline.axes.initializers import INITIALIZERS
from pipeline.axes.normalization import NORMALIZATIONS
from pipeline.axes.regularizers import NoRegularizer
from pipeline.config import load_params
from pipeline.data.prepare import prepare
from pipeline.evaluation.agreement import ERROR_RATE, QUANTITIES
from pipeline.experiments.propagation import Measured, Probe, Start, drawn, on_one_sample, predicted, setting_tables
from pipeline.networks import Design, build_networks, initializers
from pipeline.networks.initializers import unit_draws

DEEP, SHALLOWER = 50, 20
WIDTHS = {64: 192, 256: 96, 1024: 48}
"""Units, and seeds: the wider, the less there is to average."""
AT_ONCE = 4
"""Networks of 1,024 units in memory."""
FIRST_SEED = 1000
"""None that the default run or a test has."""
FORETOLD = (64, 128, 256, 512, 1024, 2048, 4096)
FOLLOWED = (
    ("relu", "he_normal"), ("tanh", "lecun_normal"), ("selu", "lecun_normal"), ("gelu", "critical"),
    ("gelu", "he_normal"),
)  # fmt: skip
BATCHES, BATCH, WIDTH = (32, 128, 512), 512, 256
NORMALIZED = (("relu", "before"), ("relu", "after"), ("tanh", "before"))
SAMPLES = 32
"""As in the default run: of them the median one is sent through."""
Rows = list[dict[str, object]]


def probe_of(x: Array, y: Array, samples: int, seeds: Sequence[int]) -> Probe:
    """Return a probe of the first samples."""
    return Probe(x[:samples], y[:samples], float(np.square(x).mean()), seeds)


def design_of(features: int, width: int, depth: int, activation: str, normalization: str = "none") -> Design:
    """Return a deep network of constant width."""
    shape, hidden = (features,), (width,) * depth
    parsed = ACTIVATIONS.parse(activation), NORMALIZATIONS.parse(normalization)
    return Design(shape, hidden, 10, MLP(), *parsed, NoRegularizer())


def settings(x: Array, y: Array) -> Rows:
    """Return a row for each setting of the study without normalization, in the default run's deep shape."""
    params = load_params()
    cells = {(n.cell.activation, n.cell.initializer) for n in params.study("digits").networks()}
    probe = probe_of(x, y, SAMPLES, range(30))._replace(own=True)
    rows: Rows = []
    for activation, initializer in sorted(cells):
        start = INITIALIZERS.parse(initializer)
        width = params.propagation.width
        design = design_of(x.shape[1], width, DEEP, activation)
        first = setting_tables(Start("deep", design, (start,)), probe).iloc[0]
        row: dict[str, object] = {"activation": activation, "initializer": initializer}
        networks = {n: drawn(design_of(x.shape[1], n, DEEP, activation), start, probe) for n in FORETOLD}
        for place, name in enumerate(QUANTITIES):
            row[f"{name}_p"] = None if pd.isna(first[f"{name}_p"]) else float(first[f"{name}_p"])
            row[f"{name}_sd"] = float(networks[width][place].std(1).max())
            row[f"{name}_from"] = next((n for n in FORETOLD if networks[n].foretold(networks[n][place])), None)
        rows.append(row | {"roughest": networks[width].roughest})
        print(row, flush=True)
    return rows


def widths(x: Array, y: Array) -> Rows:
    """Return a row for each setting and width."""
    rows: Rows = []
    for width, seeds in WIDTHS.items():
        found: dict[tuple[str, str], list[Measured]] = {setting: [] for setting in FOLLOWED}
        for first in range(FIRST_SEED, FIRST_SEED + seeds, AT_ONCE):
            unit_draws.cache_clear()  # kept over the settings alone
            own = range(first, first + AT_ONCE)
            for activation, initializer in FOLLOWED:
                start, probe = INITIALIZERS.parse(initializer), probe_of(x, y, SAMPLES, own)
                squares = [probe.input_square] * AT_ONCE
                design = design_of(x.shape[1], width, SHALLOWER, activation)
                networks = build_networks(design, [start] * AT_ONCE, own, squares).double()
                found[activation, initializer] += on_one_sample(networks, probe)
        for (activation, initializer), measured in found.items():
            design, start = design_of(x.shape[1], width, SHALLOWER, activation), INITIALIZERS.parse(initializer)
            foretold = drawn(design, start, probe)
            infinite = predicted(design, start, probe._replace(x=probe.x[[probe.median]]))
            row: dict[str, object] = {"activation": activation, "initializer": initializer, "width": width}
            for place, name in enumerate(QUANTITIES):
                gaps = np.log(np.concatenate([one[place] for one in measured])) - infinite[place]
                squares_of = np.square(gaps).mean(1)
                row |= {
                    f"{name}_measured": float(squares_of.mean()),
                    f"{name}_se": float(squares_of.std(ddof=1) / seeds**0.5),
                    f"{name}_drawn": float(np.square(foretold[place] - infinite[place][:, None]).mean()),
                }
            rows.append(row | {"seeds": seeds})
            print(rows[-1], flush=True)
    return rows


def batches(x: Array, y: Array) -> Rows:
    """Return a row for each setting with batch norm, batch, width and kind of input."""
    rng = np.random.default_rng(0)
    # As many features that are not constant, and as large: what differs is that samples are independent.
    alike = np.where(x.std(0) > 0, rng.standard_normal(x.shape), 0.0)
    rows: Rows = []
    places = [(batch, WIDTH, "data") for batch in BATCHES] + [(BATCH, width, "data") for width in WIDTHS]
    for activation, normalization in NORMALIZED:
        for batch, width, inputs in [*dict.fromkeys(places), (BATCH, WIDTH, "independent")]:
            probe = probe_of(x if inputs == "data" else alike, y, batch, range(FIRST_SEED, FIRST_SEED + 6))
            design = design_of(x.shape[1], width, SHALLOWER, activation, normalization)
            start = Start("deep", design, (INITIALIZERS.parse("he_normal"),))
            lowest = [setting_tables(start, probe._replace(seeds=[seed])).iloc[0] for seed in probe.seeds]
            found = np.array([np.log(row["gradient"] / row["gradient_predicted"]) for row in lowest])
            rows.append(
                {
                    "activation": activation,
                    "normalization": normalization,
                    "batch": batch,
                    "width": width,
                    "inputs": inputs,
                    "gap": float(found.mean()),
                    "se": float(found.std(ddof=1) / len(found) ** 0.5),
                }
            )
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Measure, keep and render."""
    dataset = prepare(load_params().study("digits").data)
    part = dataset.split(0).train
    initializers.SMALL = 2**21  # draws are kept over the settings that share them
    content: dict[str, object] = machine() | {"error_rate": ERROR_RATE, "depths": [DEEP, SHALLOWER]}
    for measure in (settings, widths, batches):
        content[measure.__name__] = measure(part.x.astype(np.float64), part.y)
    save("theory", content)
    render_theory()


if __name__ == "__main__":
    main()
