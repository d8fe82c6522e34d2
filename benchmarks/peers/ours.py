"""The pipeline's own training, by as many workers as there are cores; with ``health``, the layers are looked at too."""

import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO

from task import Task, run

from pipeline.config import load_params
from pipeline.data.prepare import prepare
from pipeline.grid import Cell, Network
from pipeline.training.study import train_networks


def train(task: Task) -> Callable[[], float]:
    """Return what trains many networks, from their draw to their scores on the test part."""
    params = load_params()
    if "health" not in sys.argv:
        params = params.model_copy(update={"health": params.health.model_copy(update={"epochs": ()})})
    study = params.study(task.study)
    training = study.training.model_copy(update={"epochs": task.epochs, "batch_size": task.batch_size})
    study = study.model_copy(update={"hidden": tuple(task.hidden), "training": training})
    levels = {"initializer": "he_normal", "activation": task.activation, "learning_rate": task.learning_rate}
    cell = Cell.of(study.own_levels | levels | {"normalization": "before" if task.batch_norm else "none"})
    dataset = prepare(study.data)

    def once(count: int = task.networks) -> float:
        with redirect_stdout(StringIO()):
            train_networks("benchmark", study, params, dataset, [Network(cell, seed) for seed in range(count)])
        return -1.0

    once(2)  # the first one of a process imports
    return once


if __name__ == "__main__":
    run(train)
