"""What ``compute.reproducible: portable`` costs against ``machine``: the same networks in fresh processes, in turns.

Usage: ``python -m benchmarks.reproducible_cost``. Writes ``benchmarks/results/reproducible_cost.json``.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from pipeline.closure import ROOT
from pipeline.compute.rounding import ALWAYS, AVX2, processor
from pipeline.strict_json import save_json

BEGIN, END = "<!-- cost -->", "<!-- /cost -->"
DOC = ROOT / "docs" / "reproducibility.md"
OUT = ROOT / "benchmarks" / "results" / "reproducible_cost.json"
MODES = ("portable", "machine")
ROUNDS = 3
STUDIES = {"digits": (0,), "digits_deep": (0, 1, 2)}
"""And their seeds."""
CODE = """
import json, sys, time
from pipeline.compute.rounding import current
from pipeline.config import load_params
from pipeline.data.prepare import prepare
from pipeline.training.study import train_networks
params, name, seeds = load_params(), sys.argv[1], json.loads(sys.argv[2])
study = params.study(name)
dataset = prepare(study.data)
networks = [network for network in study.networks() if network.seed in seeds]
train_networks(name, study, params, dataset, networks[:8])
start = time.perf_counter()
train_networks(name, study, params, dataset, networks)
milliseconds = 1000 * (time.perf_counter() - start) / len(networks) / study.training.epochs
print(json.dumps(current() | {"milliseconds": milliseconds}))
"""


def main() -> None:
    """Time both modes in turns and print the ratio of their medians."""
    ours = {*ALWAYS, *AVX2, "NPY_DISABLE_CPU_FEATURES"}
    clean = {name: value for name, value in os.environ.items() if name not in ours} | {"PYTHONPATH": str(ROOT)}
    found: dict[str, dict[str, list[float]]] = {name: {mode: [] for mode in MODES} for name in STUDIES}
    kernels: dict[str, dict[str, str]] = {}
    for number in range(ROUNDS):
        for name, seeds in STUDIES.items():
            for mode in MODES if number % 2 else MODES[::-1]:
                with tempfile.TemporaryDirectory() as folder:
                    params = (ROOT / "params.yaml").read_text(encoding="utf-8")
                    changed = params.replace("reproducible: portable", f"reproducible: {mode}")
                    (Path(folder) / "params.yaml").write_text(changed, encoding="utf-8")
                    command = [sys.executable, "-c", CODE, name, json.dumps(seeds)]
                    said = subprocess.run(command, cwd=folder, env=clean, check=True, capture_output=True, text=True)
                result = json.loads(said.stdout.strip().splitlines()[-1])
                found[name][mode].append(result.pop("milliseconds"))
                kernels[mode] = result
                print(f"round {number + 1} of {ROUNDS}: {name}, {mode}: {found[name][mode][-1]:.3f} ms a network-epoch")
    medians = {name: {mode: statistics.median(times) for mode, times in by.items()} for name, by in found.items()}
    for name, by in medians.items():
        print(f"{name}: portable takes {by['portable'] / by['machine']:.2f} times as long as machine")
    OUT.parent.mkdir(exist_ok=True)
    content = {"processor": processor(), "kernels": kernels, "milliseconds": found, "medians": medians}
    save_json(content, OUT)
    text = DOC.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    DOC.write_text(f"{before}{BEGIN}\n{table(content)}{END}{rest.split(END)[1]}", encoding="utf-8")


def table(content: dict[str, Any]) -> str:
    """Return the figures as the documentation shows them."""
    rows = [
        f"| `{name}` | {by['portable']:.2f} | {by['machine']:.2f} | {by['portable'] / by['machine']:.2f} |\n"
        for name, by in content["medians"].items()
    ]
    kernels = {mode: f"{at['torch']}, {at['blas']}" for mode, at in content["kernels"].items()}
    head = (
        f"| {content['processor']} | `portable` ({kernels['portable']}), ms a network-epoch | "
        f"`machine` ({kernels['machine']}) | times as long |\n|---|---|---|---|\n"
    )
    return head + "".join(rows)


if __name__ == "__main__":
    main()
