"""A study's executions: a run for each cell, under one run for each execution, which registers the champion."""

import json
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import mlflow
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Param
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from mlflow.types.schema import AnyType
from rich.console import Console
from rich.progress import track

from ..config import Study
from ..data import Card
from ..evaluation.files import Evaluation
from ..evaluation.names import health_name
from ..experiments.model_card import CARD_FILE, registered_name
from ..experiments.names import ABOUT_FILE, CHAMPION_FOLDER
from ..grid import AXES, cell_name, spell_widths
from ..training.results import Results
from .provenance import PROJECT, common_tags, dataset_input, sha256
from .runs import (
    KIND,
    PARENT,
    NewRun,
    delete_unfinished,
    finished_runs,
    lock,
    make_experiments,
    metrics_of,
    open_run,
    write_runs,
)
from .settings import settings

SERVED_WITH = ("mlflow", "numpy", "onnxruntime", "pandas")
"""What the champion's code imports."""
INTERVALS = ["val_accuracy_low", "val_accuracy_high", "test_accuracy_low", "test_accuracy_high"]
"""Over a cell's seeds and the samples."""
CLASS_TYPES = {"bool": DataType.boolean, "int": DataType.long, "float": DataType.double, "str": DataType.string}


class Execution(NamedTuple):
    """What one execution of a study's stages came to."""

    name: str
    """The study's."""
    study: Study
    card: Card
    results: Results
    evaluation: Evaluation
    folder: Path
    """Where the study's files are."""

    @property
    def digest(self) -> str:
        """What tells it from others: its settings, and all that it came to."""
        return sha256(
            self.name,
            self.study.model_dump_json(),
            self.card.sha256,
            self.results.networks.to_csv(),
            self.results.history.to_csv(),
            json.dumps(self.evaluation.metrics.get("champion")),
        )


def track_execution(execution: Execution) -> str:
    """Write an execution's runs, all that are missing; return the parent run's id.

    Of several processes on this machine, one writes a study at a time.
    """
    with lock(execution.name):
        return _track_execution(execution)


def _track_execution(execution: Execution) -> str:
    experiment = make_experiments([execution.name])[execution.name]
    client = MlflowClient()
    known = finished_runs(client, experiment)
    common = common_tags() | {"device": ", ".join(sorted(execution.results.timings["device"].unique()))}
    champion = execution.evaluation.metrics.get("champion", {})
    reproduced = {"reproduced": champion["reproduced"]} if champion else {}
    title = _execution_name(execution)
    with open_run(client, experiment, known, execution.digest, title, common | reproduced) as parent:
        if parent.new:
            _write_execution(client, parent.id, execution)
    _crown(client, parent.id, execution)
    cells = len(execution.evaluation.cells)
    print(f"{execution.name}: bringing MLflow up to date with {cells:,} cells")
    console = Console()
    runs = track(
        _cell_runs(execution, common | {PARENT: parent.id}), f"{execution.name}: MLflow", total=cells,
        console=console, disable=not console.is_terminal,
    )  # fmt: skip
    written = write_runs(client, experiment, known, runs)
    delete_unfinished(client, experiment)  # that a server made after it was given up
    print(f"{execution.name}: {written:,} cells written to MLflow, {cells - written:,} were there already")
    return parent.id


def _write_execution(client: MlflowClient, run: str, execution: Execution) -> None:
    study = execution.study
    params = {
        "hidden": spell_widths(study.hidden),
        **{f"data.{key}": value for key, value in study.data.model_dump().items()},
        **{f"training.{key}": value for key, value in study.training.model_dump().items()},
    }
    numbers = _flatten({k: v for k, v in execution.evaluation.metrics.items() if isinstance(v, dict | int)})
    metrics = {name: value for name, value in numbers.items() if isinstance(value, int | float)}
    client.log_batch(run, metrics_of(metrics), [Param(key, str(value)) for key, value in params.items()])
    client.log_inputs(run, [dataset_input(execution.card)])
    if (execution.folder / CHAMPION_FOLDER / "network.json").is_file():
        _log_champion(run, execution)


def _cell_runs(execution: Execution, tags: dict[str, str]) -> Iterator[NewRun]:
    """Yield the run of every cell."""
    study, results = execution.study, execution.results
    varied, epochs = study.varied, {"epochs": study.training.epochs}
    budget = study.model_dump_json(exclude={"grid"})
    intervals: dict[Any, Any] = execution.evaluation.cells.set_index([*AXES])[INTERVALS].to_dict("index")
    for cell in settings(results.networks, results.history, AXES):
        bounds = intervals[tuple(cell.levels.values())]
        yield NewRun(
            sha256(execution.name, budget, execution.card.sha256, *cell.tables, str(bounds)),
            cell_name(cell.levels, varied),
            tags
            | {axis: str(level) for axis, level in cell.levels.items()}
            | {KIND: "cell", "health": health_name(cell.networks["health"])},
            cell.levels | epochs | cell.seeds,
            cell.metrics + metrics_of(bounds),
        )


def _log_champion(run: str, execution: Execution) -> None:
    """Log the champion as a pyfunc model, and register it: a file of code, the network as ONNX; nothing is pickled."""
    card, folder = execution.card, execution.folder / CHAMPION_FOLDER
    served = json.loads((folder / ABOUT_FILE).read_text(encoding="utf-8"))
    # MLflow refuses long integers for a column of floats, and arrays for named columns. The model itself looks at both.
    signature = ModelSignature(
        inputs=Schema([ColSpec(AnyType()) for _ in card.names]),
        outputs=Schema([ColSpec(CLASS_TYPES[card.class_type])]),
        params=ParamSchema([ParamSpec("probabilities", DataType.boolean, default=False)]),
    )
    with mlflow.start_run(run_id=run), warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module="mlflow")
        model = mlflow.pyfunc.log_model(
            name="champion",
            python_model=str(PROJECT / "experiments" / "champion_model.py"),
            artifacts={CHAMPION_FOLDER: str(folder)},
            signature=signature,
            input_example=pd.DataFrame([served["example"]], columns=served["features"]),
            pip_requirements=[f"{name}=={version(name)}" for name in SERVED_WITH],
            metadata={"features": list(card.names), "classes": card.class_values},
        )
    client, name = MlflowClient(), registered_name(execution.name)
    try:
        client.create_registered_model(name, description=f"The champions of the study {execution.name}")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    about = (folder / CARD_FILE).read_text(encoding="utf-8")
    client.create_model_version(name, model.model_uri, run, description=about, model_id=model.model_id)


def _crown(client: MlflowClient, run: str, execution: Execution) -> None:
    """Let the alias ``champion`` name the version that an execution registered."""
    for found in client.search_model_versions(f"run_id = '{run}'"):
        client.set_registered_model_alias(registered_name(execution.name), "champion", found.version)


def _execution_name(execution: Execution) -> str:
    return f"{execution.name}: {len(execution.results.networks):,} networks"


def _flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
