"""Time and peak memory as work grows: networks, depth, width, samples; and the whole default run.

Usage: ``python -m benchmarks.cost [--default] [--many]``. Each point is a study of its own in a fresh process. Writes
``benchmarks/results/cost-<hardware>-<date>.json``, the chart ``docs/cost.svg`` and tables in ``docs/performance.md``.
``--default`` adds a default ``make repro`` in a bare clone, ``--many`` 100,000 networks from their data to the report.
"""

import argparse
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ruamel.yaml import YAML

from benchmarks.report import machine, render_cost, save
from pipeline.closure import ROOT

EVERY = 0.2
"""Seconds between two looks at memory."""
NEUTRAL = {"networks": 256, "depth": 2, "width": 64, "samples": 1077}
GROWS = {
    "networks": (10, 30, 100, 300, 1000, 3000, 10_000),
    "depth": (1, 2, 5, 10, 20, 50),
    "width": (16, 32, 64, 128, 256, 512),
    "samples": (108, 269, 538, 1077),
}
EPOCHS = 4
MANY = {"learning_rate": 17, "seed": 20}
"""Levels, times digits' 288 settings without batch norm's three and two rates: 97,920 networks."""
TRAIN = """
import sys, time
import numpy as np
from pipeline.config import load_params
from pipeline.data.prepare import prepare
from pipeline.training.study import train_networks
params, started = load_params(), time.perf_counter()
study = params.study("digits")
results = train_networks("digits", study, params, prepare(study.data), study.networks())
print("seconds", time.perf_counter() - started)
"""


def main() -> None:
    """Measure, write, render."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--default", action="store_true")
    parser.add_argument("--many", action="store_true")
    asked = parser.parse_args()
    rows = []
    for what, sizes in GROWS.items():
        for size in sizes:
            rows.append({"grows": what, "size": size, **_study(**(NEUTRAL | {what: size}))})
            print(f"{what} {size:,}: {rows[-1]['seconds']:.2f} s, {rows[-1]['mebibytes']:,.0f} MiB", flush=True)
    content: dict[str, Any] = {**machine(), "epochs": EPOCHS, "neutral": NEUTRAL, "rows": rows}
    if asked.default:
        content["default"] = _run({})
        print(f"default run: {content['default']}", flush=True)
    if asked.many:
        content["many"] = _run(MANY)
        print(f"many networks: {content['many']}", flush=True)
    save("cost", content)
    render_cost()


def _study(networks: int, depth: int, width: int, samples: int) -> dict[str, float]:
    """Return seconds and MiB of training a study, start of the process not timed."""
    params = _params()
    digits = params["studies"]["digits"]
    digits["hidden"], digits["training"]["epochs"] = [f"{depth}x{width}"], EPOCHS
    block = {"initializer": ["he_normal"], "activation": ["relu"], "learning_rate": [0.03], "seed": [*range(networks)]}
    digits["grid"] = [block | {"train_fraction": [round(samples / 1077, 4)]}]
    with TemporaryDirectory() as folder:
        _save(params, Path(folder))
        output, mebibytes = _watched([sys.executable, "-c", TRAIN], Path(folder))
    return {"seconds": float(output.split("seconds")[1]), "mebibytes": mebibytes}


def _run(levels: dict[str, int]) -> dict[str, Any]:
    """Return what ``make repro`` takes in a clone, after installation, and again, and how large what it makes is.

    Args:
        levels: how many of an axis; none for the default run.
    """
    with TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        (clone / ".venv").symlink_to(ROOT / ".venv")
        for stamp in ("installed", "installed-dev"):
            (clone / ".venv" / stamp).touch()
        if levels:
            params = _params()
            digits = params["studies"]["digits"]
            grid = dict(digits["grid"][0]) | {"seed": [*range(levels["seed"])]}
            grid["learning_rate"] = [float(f"{10 ** (-3 + place / 8):.4g}") for place in range(levels["learning_rate"])]
            digits["grid"], digits["training"]["epochs"] = [grid], 1
            params["run"], params["transfer"] = ["digits"], {}
            _save(params, clone)
        start = time.perf_counter()
        output, mebibytes = _watched(["make", "repro"], clone)
        seconds = time.perf_counter() - start
        start = time.perf_counter()
        subprocess.run(["make", "repro"], cwd=clone, check=True, capture_output=True)
        again = time.perf_counter() - start
        page = (clone / "report" / "index.html").stat().st_size / 2**20
        tables = sum(file.stat().st_size for file in (clone / "results").rglob("*.parquet")) / 2**20
        database = (clone / "mlflow.db").stat().st_size / 2**20
    return {
        "seconds": seconds, "again": again, "mebibytes": mebibytes, "page_mebibytes": page, "tables_mebibytes": tables,
        "mlflow_mebibytes": database, "trained": re.findall(r"([\d,]+) networks trained in ([\d.]+) s", output),
    }  # fmt: skip


def _params() -> Any:
    return YAML(typ="safe").load((ROOT / "params.yaml").read_text(encoding="utf-8"))


def _save(params: Any, folder: Path) -> None:
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump(params, file)


def _watched(command: list[str], folder: Path) -> tuple[str, float]:
    """Run a command; returns what it said and the most memory, in MiB, that all its processes had at a time."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)} if command[0] == sys.executable else dict(os.environ)
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    most = 0.0

    def look() -> None:
        nonlocal most
        while process.poll() is None:
            most = max(most, sum(map(memory_of, _family(process.pid))) / 1024)
            time.sleep(EVERY)

    watcher = threading.Thread(target=look)
    watcher.start()
    output = process.communicate()[0]
    watcher.join()
    if process.returncode:
        raise SystemExit(output[-3000:])
    return output, most


def _family(pid: int) -> Iterator[int]:
    """Yield a process and all that it started."""
    yield pid
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = file.read_text(encoding="ascii").split()
        except OSError:
            continue
        for child in children:
            yield from _family(int(child))


def memory_of(pid: int) -> float:
    """Return the KiB of memory that a process has, its share of what it has in common with others."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0.0
    return float(text.split("Pss:")[1].split()[0]) if "Pss:" in text else 0.0


if __name__ == "__main__":
    main()
