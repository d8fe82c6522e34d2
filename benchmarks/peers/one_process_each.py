"""A process for each network, as many side by side as there are cores: what multirun launchers do."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from json import dumps
from pathlib import Path
from tempfile import TemporaryDirectory

from task import Task, run

SCRIPT = Path(__file__).parent / "lightning_fit.py"


def train(task: Task) -> Callable[[], float]:
    """Return what trains a network on each core."""
    cores = len(os.sched_getaffinity(0))

    def once() -> float:
        with TemporaryDirectory() as folder:
            file = Path(folder) / "task.json"
            file.write_text(dumps(asdict(replace(task, repeats=1))), encoding="utf-8")
            start = time.perf_counter()
            command = [sys.executable, str(SCRIPT), str(file)]
            started = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(cores)]
            if any(process.wait() for process in started):
                raise SystemExit("a network's process failed")
            return (time.perf_counter() - start) / task.epochs / cores

    return once


if __name__ == "__main__":
    run(train)
