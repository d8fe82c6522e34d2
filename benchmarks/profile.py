"""Where the time of training goes, by the library that the processor is in, as ``perf`` sees it.

Usage: ``python -m benchmarks.profile``; Linux, with ``perf``. One worker, nothing but training. Writes
``benchmarks/results/profile-<hardware>-<date>.json`` and the table in ``docs/performance.md``.
"""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

import torch

from benchmarks.report import machine, render_profile, save
from benchmarks.speed import WORKS
from pipeline.config import load_params
from pipeline.data.prepare import prepare
from pipeline.errors import PipelineError
from pipeline.grid import Cell, Network
from pipeline.training.study import train_networks

PARTS = {
    "openblas": "matrix products (OpenBLAS)",
    "_multiarray_umath": "exp, log, tanh (NumPy)",
    ".map)": "compiled code: all other arithmetic",
}
"""By what a library's name contains; compiled code has none, but a map of its addresses."""
OTHER = "Python, torch, the operating system"
NETWORKS = {"digits 64-64-64-10": 512, "digits 64-20x100-10": 32, "Fashion-MNIST 784-300-100-10": 4}
STARTS_IN = 1.0
"""Seconds until ``perf`` has attached."""


def main() -> None:
    """Train under ``perf``, write, render."""
    if which("perf") is None:
        sys.exit("perf is not installed; it comes with the kernel's tools (linux-perf, linux-tools)")
    torch.set_num_threads(1)  # as in a worker
    params = load_params()
    params = params.model_copy(update={"compute": params.compute.model_copy(update={"workers": 1})})
    rows = []
    for title, work in WORKS.items():
        study = params.study(work.study)
        training = study.training.model_copy(update={"epochs": work.epochs})
        study = study.model_copy(update={"hidden": tuple(work.hidden), "training": training})
        try:
            dataset = prepare(study.data)
        except PipelineError as error:
            print(f"{title} is left out: {error}")
            continue
        for activation in ("relu", "gelu"):
            for normalization in ("none", "before"):
                levels = {"initializer": "he_normal", "activation": activation, "normalization": normalization}
                cell = Cell.of(study.own_levels | levels | {"learning_rate": work.learning_rate})
                networks = [Network(cell, seed) for seed in range(NETWORKS[title])]
                train_networks(title, study, params, dataset, networks[:2])
                with TemporaryDirectory() as folder:
                    file = Path(folder) / "perf.data"
                    perf = subprocess.Popen(
                        ["perf", "record", "--quiet", "--freq", "999", "--pid", str(os.getpid()), "--output", str(file)]
                    )
                    time.sleep(STARTS_IN)
                    train_networks(title, study, params, dataset, networks)
                    perf.send_signal(signal.SIGINT)
                    perf.wait()
                    shares = _shares(file)
                rows.append({"network": title, "activation": activation, "normalization": normalization, **shares})
                print(rows[-1], flush=True)
    save("profile", {**machine(), "device": "cpu", "parts": [*PARTS.values(), OTHER], "rows": rows})
    render_profile()


def _shares(file: Path) -> dict[str, float]:
    """Return each part's share of the samples."""
    command = ["perf", "script", "--input", str(file), "--fields", "ip,sym,dso"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    counts = Counter(next((part for name, part in PARTS.items() if name in line), OTHER) for line in lines if line)
    return {part: counts[part] / counts.total() for part in (*PARTS.values(), OTHER)}


if __name__ == "__main__":
    main()
