"""Whether a precision may be recommended: the same networks in float32 and in each that this machine has.

Usage: ``python -m benchmarks.precision``. The stages `prepare` and `train` run in an empty folder, on a GPU where there
is one; what comes out is compared as ``make drift`` does. Writes
``benchmarks/results/precision-<hardware>-<date>.json`` and the table in ``docs/performance.md``.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

from ruamel.yaml import YAML

from benchmarks.report import machine, render_precision, save
from pipeline.closure import ROOT
from pipeline.compute.rounding import ALWAYS, AVX2
from pipeline.config import load_params
from pipeline.config.study import Precision
from pipeline.errors import ParamsError
from pipeline.evaluation.golden import Record, compare
from pipeline.training.devices import check_precision, device_name
from stages.drift import read

STUDIES = ("digits", "digits_deep")
FULL = "float32"


def main() -> None:
    """Train, compare, write, render."""
    params = load_params()
    free = params.compute.model_copy(update={"reproducible": "machine"})
    rows: list[dict[str, Any]] = []
    for title in STUDIES:
        exact = None
        for precision in get_args(Precision):
            try:
                check_precision(precision, free)
            except ParamsError as error:
                print(error)
                continue
            found, seconds = _trained(title, precision)
            exact = exact or found
            cells, networks = compare(found, exact).cells, found.networks
            rows.append({
                "study": title, "precision": precision, "networks": len(networks), "seconds": seconds,
                "milliseconds": 1000 * seconds / len(networks) / params.study(title).training.epochs,
                "cells": len(cells), "drifted": int((cells["status"] == "drifted").sum()),
                "accuracy": float(networks["val_accuracy"].mean()), "diverged": int(networks["val_loss"].isna().sum()),
            })  # fmt: skip
            print(rows[-1], flush=True)
    save("precision", {**machine(), "device": device_name(free), "full": FULL, "rows": rows})
    render_precision()


def _trained(title: str, precision: str) -> tuple[Record, float]:
    """Return what a study's networks came to, and the seconds that training took."""
    settings = YAML(typ="safe").load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    settings["compute"]["reproducible"] = "machine"
    settings["studies"][title]["training"]["precision"] = precision
    environment = {name: value for name, value in os.environ.items() if name not in {*ALWAYS, *AVX2, "NETWORK_STORE"}}
    environment["PYTHONPATH"] = str(ROOT)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "params.yaml"
        YAML(typ="safe").dump(settings, file)
        for stage in ("prepare", "train"):
            command = [sys.executable, "-m", f"stages.{stage}", title]
            said = subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)
        ((_, seconds),) = re.findall(r"([\d,]+) networks trained in ([\d.]+) s", said.stdout)
        return read(Path(folder) / "results", title, load_params(file)), float(seconds)


if __name__ == "__main__":
    main()
