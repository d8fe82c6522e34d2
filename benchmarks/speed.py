"""Times the same training by the pipeline and by its peers, in turns, and writes what the documentation shows.

Usage: ``make bench``, or ``python -m benchmarks.speed [--quick]``. Peers that are not installed here get an environment
of their own under ``.bench/``. Fashion-MNIST is left out where its files are not at hand.
"""

import argparse
import json
import os
import statistics
import subprocess
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.environment import ENVIRONMENTS, python_of
from benchmarks.peers.task import Task
from benchmarks.report import machine, render, save
from pipeline.closure import ROOT
from pipeline.compute.rounding import current
from pipeline.compute.workers import cores
from pipeline.config import load_params
from pipeline.data.prepare import prepare
from pipeline.errors import PipelineError
from pipeline.strict_json import save_json

PEERS = Path(__file__).parent / "peers"
ROUNDS = 2
"""Of each peer's process, each of which repeats its task; one where only ours and JAX are compared."""


@dataclass(frozen=True)
class Work:
    """Networks of one shape."""

    study: str
    hidden: list[int]
    learning_rate: float
    epochs: int
    stack: int
    """Networks that the pipeline trains."""
    jax_stacks: tuple[int, ...]
    """Of which JAX takes the best."""
    vmap_stack: int
    repeats: int


WORKS = {
    "digits 64-64-64-10": Work("digits", [64, 64], 0.1, 4, 512, (16, 64), 64, 3),
    "digits 64-20x100-10": Work("digits", [100] * 20, 0.01, 3, 64, (8, 32), 16, 2),
    "Fashion-MNIST 784-300-100-10": Work("fashion_notebook", [300, 100], 0.001, 2, 12, (2, 4), 2, 1),
}
ACTIVATIONS = ("relu", "selu", "gelu")


@dataclass(frozen=True)
class Peer:
    """Another way to train the same networks."""

    label: str
    script: str
    environment: str = ""
    """Of its own; else the project's."""
    arguments: tuple[str, ...] = ()
    headline_only: bool = True
    """Only the first activation: the others cost as much."""
    once: bool = False
    """Timed in the first round alone."""
    side_by_side: bool = False
    """Whether a process runs on each core."""


OURS = "ours"
PLAIN = "lightning"
JAX = "jax"
LIMIT = "limit"
EACH = "one_process_each"
PEERS_BY_NAME = {
    OURS: Peer("ours", "ours", headline_only=False),
    "ours_health": Peer("ours, with health", "ours", arguments=("health",)),
    JAX: Peer("JAX, vmap and scan, best stack", "jax_scan", "jax", headline_only=False),
    "vmap": Peer("torch.func vmap", "torch_vmap"),
    "loop": Peer("bare PyTorch loop", "torch_loop"),
    PLAIN: Peer("plain Lightning", "lightning_fit"),
    "keras": Peer("Keras fit", "keras_fit", "keras"),
    EACH: Peer("a process for each network", "one_process_each", once=True),
    LIMIT: Peer("matrix products alone", "matrix_limit", side_by_side=True),
}


def main() -> None:
    """Time all peers, write the results and render the documentation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of the headline activation, nothing written")
    quick = parser.parse_args().quick
    began = time.perf_counter()
    pythons = {name: python_of(name) for name in ("", "jax", "keras")}
    rows: list[dict[str, Any]] = []
    with TemporaryDirectory() as folder:
        for title, work in WORKS.items():
            data = _data(work, Path(folder))
            if data is None:
                continue
            for batch_norm in (False, True):
                for activation in ACTIVATIONS[: 1 if quick else None]:
                    task = Task(
                        work.study, str(data), work.hidden, activation, batch_norm, work.learning_rate, 32, work.epochs,
                        1 if quick else work.repeats, 1,
                    )  # fmt: skip
                    rounds = 1 if quick or activation != ACTIVATIONS[0] else ROUNDS
                    rows += _compare(title, work, task, pythons, rounds)
    print(f"{(time.perf_counter() - began) / 60:.1f} minutes")
    if not quick:
        save("speed", {**machine(), "kernels": current(), "versions": _versions(), "rows": rows})
        render()


def _compare(title: str, work: Work, task: Task, pythons: dict[str, str], rounds: int) -> list[dict[str, Any]]:
    """Return a row for each peer: milliseconds for a network-epoch, of all repeats."""
    headline = task.activation == ACTIVATIONS[0]
    peers = {name: peer for name, peer in PEERS_BY_NAME.items() if headline or not peer.headline_only}
    sizes: dict[str, tuple[int, ...]] = {
        OURS: (work.stack,), "ours_health": (work.stack,), JAX: work.jax_stacks, "vmap": (work.vmap_stack,),
    }  # fmt: skip
    found: dict[str, list[float]] = {name: [] for name in peers}
    best = dict.fromkeys(peers, 1)
    for number in range(rounds):
        for name, peer in peers.items():
            if number and peer.once:
                continue
            tried = {}
            for size in sizes.get(name, (1,)) if number == 0 else (best[name],):
                slow = name not in sizes and name != LIMIT
                own = replace(task, networks=size, repeats=1 if slow else task.repeats)
                tried[size] = _time(peer, own, pythons[peer.environment])
            best[name] = min(tried, key=lambda size: statistics.median(tried[size]))
            found[name] += tried[best[name]]
            norm = "batch norm" if task.batch_norm else "none"
            print(f"{title}, {task.activation}, {norm}: {peer.label}: {statistics.median(found[name]):.3f} ms")
    return [
        {
            "network": title, "activation": task.activation, "batch_norm": task.batch_norm, "peer": name,
            "networks": best[name], "milliseconds": times,
        }
        for name, times in found.items()
    ]  # fmt: skip


def _time(peer: Peer, task: Task, python: str) -> list[float]:
    """Return milliseconds for a network-epoch, as a peer's own process measures them."""
    count = cores() if peer.side_by_side else 1
    with TemporaryDirectory() as folder:
        file = Path(folder) / "task.json"
        save_json(asdict(replace(task, networks=count if peer.side_by_side else task.networks)), file)
        command = [python, str(PEERS / f"{peer.script}.py"), str(file), *peer.arguments]
        environment = os.environ | {"PYTHONPATH": f"{PEERS}:{ROOT}" if not peer.environment else str(PEERS)}
        processes = [
            subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            for _ in range(count)
        ]
        said = [process.communicate() for process in processes]
        for process, (_, errors) in zip(processes, said, strict=True):
            if process.returncode:
                raise SystemExit(f"{peer.label} failed: {errors[-2000:]}")
    times = [json.loads(output.strip().splitlines()[-1])["milliseconds"] for output, _ in said]
    return [statistics.mean(one) for one in zip(*times, strict=True)]


def _data(work: Work, folder: Path) -> Path | None:
    """Write a study's data as the peers read it; returns nothing where it is not at hand."""
    file = folder / f"{work.study}.npz"
    if not file.is_file():
        try:
            dataset = prepare(load_params().study(work.study).data)
        except PipelineError as error:
            print(f"{work.study} is left out: {error}")
            return None
        train, validation, *_ = dataset.split(0)
        np.savez(file, train_x=train.x, train_y=train.y, validation_x=validation.x, validation_y=validation.y)
    return file


def _versions() -> dict[str, str]:
    """Return the versions of the libraries that are compared."""
    import pytorch_lightning
    import torch

    pins = "\n".join(file.read_text(encoding="utf-8") for file in sorted(ENVIRONMENTS.glob("*.txt")))
    others = dict(line.split("==") for line in pins.splitlines() if "==" in line)
    return {"torch": torch.__version__, "pytorch-lightning": pytorch_lightning.__version__, **others}


if __name__ == "__main__":
    main()
