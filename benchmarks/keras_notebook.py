"""The textbook's networks by Keras itself, run by run: do its runs spread as ours do?

Usage: ``python -m benchmarks.keras_notebook [NAME …]``, half an hour for all. Writes ``golden/keras.json``, which
`make published` shows beside ours; runs of names that are not given stay.
"""

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.environment import ENVIRONMENTS, python_of
from pipeline.compute.rounding import processor
from pipeline.config import Params, load_params
from pipeline.data import Split
from pipeline.data.dataset import PARTS
from pipeline.data.prepare import prepare
from pipeline.evaluation.golden import KERAS_RUNS
from pipeline.evaluation.published import load_published
from pipeline.experiments.transfer.tasks import Task
from pipeline.strict_json import save_json

PEER = Path(__file__).parent / "peers" / "keras_notebook.py"
MOST = 10
RUNS = {"selu_100": 5, "relu_100": 5}
"""Of a name; else `MOST`."""
LABELS = 200
TRANSFERS = {
    "transfer": ("fashion_notebook", "sandal_and_shirt"),
    "transfer_third_edition": ("fashion_third_edition", "tshirt_and_pullover"),
}
"""Study and experiment."""
Arrays = dict[str, NDArray[np.generic]]


def main(*names: str) -> None:
    """Train, and keep what came out."""
    known = load_published()
    works = [name for name, one in known.items() if one.table == "networks"] + list(TRANSFERS)
    if unknown := [name for name in names if name not in works]:
        sys.exit(f"error: {unknown[0]!r} is none of {', '.join(works)}")
    kept: dict[str, Any] = json.loads(KERAS_RUNS.read_text(encoding="utf-8")) if KERAS_RUNS.is_file() else {"runs": {}}
    kept["keras"] = (ENVIRONMENTS / "keras.txt").read_text(encoding="utf-8").split()
    kept["processor"] = processor()
    params = load_params()
    for work in names or works:
        if work in TRANSFERS:
            study, name = TRANSFERS[work]
            epochs, parts = params.transfer[study][name].training.epochs, _tasks(params, study, name)
        else:
            study = known[work].study
            epochs, parts = params.study(study).training.epochs, _parts(prepare(params.study(study).data).split(0), "")
        runs = _trained(work, epochs, parts)
        for name in runs[0]:
            kept["runs"][name] = [run[name] for run in runs]
        save_json(kept, KERAS_RUNS)


def _tasks(params: Params, study: str, name: str) -> Arrays:
    """Return both tasks' parts; task B has the labels that the textbook has."""
    asked, whole = params.transfer[study][name], prepare(params.study(study).data)
    a, b = (
        _parts(Task(whole, classes).split(0), f"{task}_")
        for task, classes in (("a", asked.task_a), ("b", asked.task_b))
    )
    return a | b | {array: b[array][:LABELS] for array in ("b_train_x", "b_train_y")}


def _parts(split: Split, prefix: str) -> Arrays:
    parts = {name: getattr(split, name) for name in PARTS}
    return {f"{prefix}{name}_{axis}": getattr(part, axis) for name, part in parts.items() for axis in "xy"}


def _trained(work: str, epochs: int, parts: Arrays) -> list[dict[str, dict[str, float]]]:
    """Return what each of Keras's runs came to, by name."""
    seeds = range(RUNS.get(work, MOST))
    with TemporaryDirectory() as folder:
        file = Path(folder) / "data.npz"
        np.savez(file, **parts)
        words = [python_of("keras"), str(PEER), str(file), work, str(epochs), *map(str, seeds)]
        runs = []
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None  # noqa: S101
            for line in process.stdout:
                runs.append(json.loads(line))
                told = ", ".join(f"{name} {one['val_accuracy']:.4f}" for name, one in runs[-1].items())
                print(f"{work}: {len(runs)} of {len(seeds)} runs, validation accuracy {told}", flush=True)
        if process.returncode:
            sys.exit(f"error: Keras ended with {process.returncode}")
    return runs


if __name__ == "__main__":
    main(*sys.argv[1:])
