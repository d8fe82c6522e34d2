"""How many networks a GPU trains: 1,000 of the textbook's on Fashion-MNIST, 100,000 small ones on digits.

Usage: ``python -m benchmarks.gpu``. Writes ``benchmarks/results/gpu-<hardware>-<date>.json`` and the table in
``docs/performance.md``. ``--share 0.001`` trains that share of the networks, on a CPU too, and writes nothing.
"""

import argparse
import sys
import time
from dataclasses import dataclass

import torch

from benchmarks.report import machine, render_gpu, save
from pipeline.config import load_params
from pipeline.data.prepare import prepare
from pipeline.grid import Cell, Network
from pipeline.training.devices import choose_device, device_name
from pipeline.training.study import train_networks


@dataclass(frozen=True)
class Work:
    """Networks of one shape."""

    network: str
    study: str
    hidden: tuple[int, ...]
    count: int
    epochs: int


WORKS = (
    Work("Fashion-MNIST 784-300-100-10", "fashion_notebook", (300, 100), 1_000, 10),
    Work("digits 64-64-64-10", "digits", (64, 64), 100_000, 6),
)
LEVELS = {"initializer": "he_normal", "activation": "relu", "learning_rate": 0.01}
WARM_UP = 8
"""Networks that are trained before, so that libraries are loaded and kernels chosen."""


def main() -> None:
    """Train, write, render."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="of the networks; nothing is written")
    share = parser.parse_args().share
    params = load_params()
    if choose_device(params.compute).type != "cuda" and share == 1:
        sys.exit("no NVIDIA GPU is here; `--share 0.001` tries this program on a CPU")
    rows = []
    for work in WORKS:
        study = params.study(work.study)
        training = study.training.model_copy(update={"epochs": work.epochs})
        study = study.model_copy(update={"hidden": work.hidden, "training": training})
        cell, dataset = Cell.of(study.own_levels | LEVELS), prepare(study.data)
        networks = [Network(cell, seed) for seed in range(max(1, round(share * work.count)))]
        train_networks(work.study, study, params, dataset, networks[:WARM_UP])
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        start = time.perf_counter()
        train_networks(work.study, study, params, dataset, networks)
        seconds = time.perf_counter() - start
        rows.append({
            "network": work.network, "count": len(networks), "epochs": work.epochs, "seconds": seconds,
            "gibibytes": torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else 0.0,
        })  # fmt: skip
        print(rows[-1], flush=True)
    if share == 1:
        save("gpu", {**machine(), "device": device_name(params.compute), "rows": rows})
        render_gpu()


if __name__ == "__main__":
    main()
