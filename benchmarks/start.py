"""How long a stage takes besides its training, from its process's start to its end: in its own Python, and warm.

Usage: ``python -m benchmarks.start``. Warm is as under ``make repro``, see `stages.warm`. Writes
``benchmarks/results/start-<hardware>-<date>.json`` and the line in ``docs/performance.md``.
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.report import machine, render_start, save
from pipeline.closure import ROOT

REPEATS = 5
STAGE = [sys.executable, "-m", "stages.train", "mini"]
IMPORTED_AFTER = 15
"""Seconds after which the warm process has imported everything."""
CODE = "import sys, time; from benchmarks.start import measured; time.sleep(float(sys.argv[1])); print(measured())"


def main() -> None:
    """Measure, write, render."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with TemporaryDirectory() as folder:
        shutil.copy(ROOT / "params.yaml", folder)
        subprocess.run([sys.executable, "-m", "stages.prepare", "mini"], cwd=folder, env=environment, check=True)
        found = {}
        for name, command in {"cold": [], "warm": [sys.executable, "-m", "stages.warm"]}.items():
            waits = str(IMPORTED_AFTER if command else 0)
            said = subprocess.run(
                [*command, sys.executable, "-c", CODE, waits], cwd=folder, env=environment, check=True,
                capture_output=True, text=True,
            ).stdout  # fmt: skip
            found[name] = [float(number) for number in said.strip().splitlines()[-1].strip("[]").split(",")]
            print(f"{name}: {statistics.median(found[name]):.2f} s", flush=True)
    save("start", {**machine(), "seconds": found})
    render_start()


def measured() -> list[float]:
    """Return the seconds that the stage takes, less those in which it trains, several times."""
    seconds = []
    for _ in range(REPEATS):
        shutil.rmtree(Path(".networks"), ignore_errors=True)
        start = time.perf_counter()
        said = subprocess.run(STAGE, check=True, capture_output=True, text=True).stdout
        seconds.append(time.perf_counter() - start - float(re.findall(r"networks trained in ([\d.]+) s", said)[0]))
    return seconds


if __name__ == "__main__":
    main()
