"""MLflow as a view of the results: one experiment per study, one run per cell, under one run per execution.

The tables are the truth. What is written here is keyed by a digest of what it shows, so writing the same results again
adds nothing, and what an interrupted writer left half done is written anew.
"""

import hashlib
import json
import logging
import math
import os
import platform
import sqlite3
import subprocess
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import mlflow
import pandas as pd
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Dataset as DatasetEntity
from mlflow.entities import DatasetInput, InputTag, Metric, Param
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from mlflow.types.schema import AnyType
from rich.console import Console
from rich.progress import track
from sqlalchemy import event
from sqlalchemy.engine import URL, Engine, make_url

from pipeline.data import Card
from pipeline.evaluation.claims.ledger import SIDES
from pipeline.evaluation.files import ARTIFACT, CARD_FILE, CHAMPION_FOLDER, Evaluation
from pipeline.evaluation.model_card import registered_name
from pipeline.evaluation.names import cell_name, health_name, transfer_name
from pipeline.params import AXES, Params
from pipeline.training.names import METRICS
from pipeline.training.results import Results
from pipeline.transfer.results import SETTING as TRANSFER_SETTING
from pipeline.transfer.results import TransferResults

DEFAULT_URI = "sqlite:///mlflow.db"
DIGEST, KIND = "digest", "kind"
CLAIMS = "claims"
"""The experiment of the ledger."""
SERVED_WITH = ("mlflow", "numpy", "onnxruntime", "pandas")
"""What the champion's code imports."""
CLASS_TYPES = {"bool": DataType.boolean, "int": DataType.long, "float": DataType.double, "str": DataType.string}
VERSIONS = ("torch", "pytorch-lightning", "numpy", "scikit-learn", "mlflow", "dvc")
for _name, _value in {"TIMEOUT": "20", "MAX_RETRIES": "1", "BACKOFF_FACTOR": "1"}.items():
    # By default MLflow waits for a server that does not answer for a quarter of an hour.
    os.environ.setdefault(f"MLFLOW_HTTP_REQUEST_{_name}", _value)
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # two lines for each run
BATCH = 1000
"""Metrics that MLflow takes at a time."""
PROJECT = Path(__file__).parent
SECONDS_FOR_A_LOCK = 5.0
"""That another writer may hold the database."""

for _name in ("alembic", "mlflow.store.db.utils", "mlflow.tracking.fluent", "mlflow.pyfunc"):
    logging.getLogger(_name).setLevel(logging.WARNING)


@event.listens_for(Engine, "connect")
def _write_ahead(connection: Any, _record: Any) -> None:
    """Let SQLite append to a log rather than rewrite pages at each of MLflow's commits; the UI can read meanwhile."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")


def _refuse_unwritable(uri: URL) -> None:
    """Fail at once where a database may not be written or is locked; MLflow itself tries again for minutes."""
    with closing(sqlite3.connect(uri.database or "", timeout=SECONDS_FOR_A_LOCK)) as connection:
        connection.execute("BEGIN IMMEDIATE")


class Execution(NamedTuple):
    """What one execution of a study's stages came to."""

    study: str
    params: Params
    card: Card
    results: Results
    evaluation: Evaluation
    folder: Path
    """Where the study's files are."""


def tracking_uri() -> str:
    """Return where runs are written: ``MLFLOW_TRACKING_URI``, else a SQLite file in the project's folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI


def make_experiments(studies: Iterable[str]) -> dict[str, str]:
    """Make database and experiments where they are missing; return each study's experiment id.

    The first use of a database migrates its schema, which two processes must not do at once: hence the lock.
    """
    uri = tracking_uri()
    mlflow.set_tracking_uri(uri)
    with _lock("experiments"):
        if uri.startswith("sqlite:"):
            _refuse_unwritable(make_url(uri))
        client = MlflowClient()
        ids = {}
        for study in studies:
            experiment = client.get_experiment_by_name(study)
            if experiment is None:
                ids[study] = client.create_experiment(study)
                continue
            if experiment.lifecycle_stage == "deleted":
                client.restore_experiment(experiment.experiment_id)
            ids[study] = experiment.experiment_id
    return ids


def track_execution(execution: Execution) -> str:
    """Write an execution's runs, all that are missing; return the parent run's id.

    Of several processes on this machine, one writes a study at a time.
    """
    with _lock(execution.study):
        return _track_execution(execution)


def _lock(what: str) -> FileLock:
    return FileLock(Path(tempfile.gettempdir()) / f"trainability-{_sha256(str(Path.cwd()), what)[:16]}.lock")


def _track_execution(execution: Execution) -> str:
    experiment = make_experiments([execution.study])[execution.study]
    client = MlflowClient()
    known = _finished_runs(client, experiment)
    common = _common_tags() | {"device": ", ".join(sorted(execution.results.timings["device"].unique()))}
    champion = execution.evaluation.metrics.get("champion", {})
    reproduced = {"reproduced": champion["reproduced"]} if champion else {}
    digest, title = _execution_digest(execution), _execution_name(execution)
    with _run(client, experiment, known, digest, title, common | reproduced) as parent:
        if parent.new:
            _write_execution(client, parent.id, execution)
    _crown(client, parent.id, execution)
    cells = list(execution.results.networks.groupby(list(AXES), sort=True))
    histories = dict(iter(execution.results.history.groupby(list(AXES))))
    unfinished = execution.results.history.iloc[:0]  # of a cell in which every network diverged at once
    written = 0
    print(f"{execution.study}: bringing MLflow up to date with {len(cells):,} cells")
    console = Console()
    for axes, networks in track(cells, f"{execution.study}: MLflow", console=console, disable=not console.is_terminal):
        cell = dict(zip(AXES, axes, strict=True))
        tags = common | {axis: str(value) for axis, value in cell.items()} | {"mlflow.parentRunId": parent.id}
        history = histories.get(axes, unfinished)
        digest = _cell_digest(execution, networks, history)
        tags |= {KIND: "cell", "health": health_name(networks["health"])}
        with _run(client, experiment, known, digest, cell_name(cell), tags) as run:
            if run.new:
                _write_cell(client, run.id, cell, execution, networks, history)
                written += 1
    _delete_unfinished(client, experiment)  # that a server made after it was given up
    print(f"{execution.study}: {written:,} cells written to MLflow, {len(cells) - written:,} were there already")
    return parent.id


def track_transfer(study: str, params: Params, card: Card, device: str, results: TransferResults) -> None:
    """Write a study's transfer experiments: a parent run for each, and under it a run for each setting."""
    with _lock(study):
        experiment = make_experiments([study])[study]
        client = MlflowClient()
        known = _finished_runs(client, experiment)
        common = _common_tags() | {"device": device}
        for name, table in results.transfer.groupby("experiment", sort=True):
            transfer = params.transfer[study][str(name)]
            settings = transfer.model_dump_json(), params.activations.model_dump_json(), card.sha256
            history = results.transfer_history[results.transfer_history["experiment"] == name]
            digest = _sha256(study, str(name), *settings, table.to_csv(index=False), history.to_csv(index=False))
            title = f"{study}, transfer {name}: {len(table):,} networks"
            with _run(client, experiment, known, digest, title, common | {KIND: "transfer"}) as parent:
                if parent.new:
                    client.log_inputs(parent.id, [_dataset(card)])
            budget = {"hidden": transfer.hidden, **transfer.training.model_dump(include={"epochs", "batch_size"})}
            for key, networks in table.groupby(TRANSFER_SETTING, sort=True):
                setting = dict(zip(TRANSFER_SETTING, key, strict=True))
                curves = history[(history[TRANSFER_SETTING] == pd.Series(setting)).all(axis=1)]
                digest = _sha256(study, *settings, networks.to_csv(index=False), curves.to_csv(index=False))
                tags = {name: str(value) for name, value in setting.items()}
                tags |= common | {KIND: "transfer_setting", "mlflow.parentRunId": parent.id}
                with _run(client, experiment, known, digest, transfer_name(setting), tags) as run:
                    if run.new:
                        _write_curves(client, run.id, setting | budget, networks, curves)
        _delete_unfinished(client, experiment)


def track_claims(folder: Path) -> None:
    """Write the ledger as a run of its own, in the experiment `CLAIMS`: a parameter for each claim's verdict.

    Args:
        folder: of ``claims.json`` and ``findings.parquet``, which the run keeps.
    """
    files = [folder / name for name in ("claims.json", "findings.parquet")]
    claims = json.loads(files[0].read_text(encoding="utf-8"))
    counts = Counter(entry["verdict"] for entry in claims.values())
    with _lock(CLAIMS):
        experiment = make_experiments([CLAIMS])[CLAIMS]
        client = MlflowClient()
        known = _finished_runs(client, experiment)
        digest = _sha256(*(hashlib.sha256(path.read_bytes()).hexdigest() for path in files))
        name = f"{len(claims)} claims: " + ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
        with _run(client, experiment, known, digest, name, _common_tags() | {KIND: CLAIMS}) as run:
            if run.new:
                verdicts = [Param(claim, entry["verdict"]) for claim, entry in claims.items()]
                sides = {f"{claim}.{side}": entry[side] for claim, entry in claims.items() for side in SIDES}
                client.log_batch(
                    run.id, _metrics({key.replace(" ", "_"): n for key, n in counts.items()} | sides), verdicts
                )
                for path in files:
                    client.log_artifact(run.id, str(path))


def track_report(report: Path, studies: Iterable[str]) -> None:
    """Attach the report to each study's latest execution, and to the latest ledger."""
    client = MlflowClient()
    for name, experiment in make_experiments([*studies, CLAIMS]).items():
        kind = CLAIMS if name == CLAIMS else "execution"
        parents = client.search_runs(
            [experiment], f"tags.{KIND} = '{kind}'", order_by=["attributes.start_time DESC"], max_results=1
        )
        for parent in parents:
            client.log_artifact(parent.info.run_id, str(report), "report")


# --- runs -----------------------------------------------------------------------------------------


class _Handle(NamedTuple):
    id: str
    new: bool


@contextmanager
def _run(
    client: MlflowClient, experiment: str, known: dict[str, str], digest: str, name: str, tags: dict[str, str]
) -> Iterator[_Handle]:
    """Give the finished run of that digest, else a new one that is finished when the block is."""
    if digest in known:
        yield _Handle(known[digest], new=False)
        return
    tags = {KIND: "execution"} | tags | {DIGEST: digest}
    run = client.create_run(experiment, run_name=name, tags=tags)
    yield _Handle(run.info.run_id, new=True)
    client.set_terminated(run.info.run_id)
    known[digest] = run.info.run_id


def _finished_runs(client: MlflowClient, experiment: str) -> dict[str, str]:
    """Return the finished runs by digest; delete those that a writer did not finish, or finished twice."""
    _delete_unfinished(client, experiment)
    finished: dict[str, str] = {}
    token = None
    while True:
        page = client.search_runs([experiment], order_by=["attributes.start_time"], max_results=1000, page_token=token)
        for run in page:
            digest = run.data.tags.get(DIGEST)
            if digest is None:
                continue  # somebody else's
            if digest in finished:
                client.delete_run(run.info.run_id)
            else:
                finished[digest] = run.info.run_id
        token = page.token
        if not token:
            return finished


def _delete_unfinished(client: MlflowClient, experiment: str) -> None:
    for run in client.search_runs([experiment], "attributes.status != 'FINISHED'", max_results=1000):
        if DIGEST in run.data.tags:
            for version_ in client.search_model_versions(f"run_id = '{run.info.run_id}'"):
                client.delete_model_version(version_.name, version_.version)
            for model in client.search_logged_models([experiment], f"source_run_id = '{run.info.run_id}'"):
                client.delete_logged_model(model.model_id)
            client.delete_run(run.info.run_id)


def _write_execution(client: MlflowClient, run: str, execution: Execution) -> None:
    study = execution.params.study(execution.study)
    params = {
        "hidden": json.dumps(study.hidden),
        **{f"data.{key}": value for key, value in study.data.model_dump().items()},
        **{f"training.{key}": value for key, value in study.training.model_dump().items()},
    }
    numbers = _flatten({k: v for k, v in execution.evaluation.metrics.items() if isinstance(v, dict | int)})
    metrics = {name: value for name, value in numbers.items() if isinstance(value, int | float)}
    client.log_batch(run, _metrics(metrics), [Param(key, str(value)) for key, value in params.items()])
    client.log_inputs(run, [_dataset(execution.card)])
    if (execution.folder / CHAMPION_FOLDER / "network.json").is_file():
        _log_champion(run, execution)


def _write_cell(
    client: MlflowClient,
    run: str,
    cell: dict[str, Any],
    execution: Execution,
    networks: pd.DataFrame,
    history: pd.DataFrame,
) -> None:
    study = execution.params.study(execution.study)
    budget = {"hidden": study.hidden, "epochs": study.training.epochs, "batch_size": study.training.batch_size}
    _write_curves(client, run, cell | budget, networks, history)


def _write_curves(
    client: MlflowClient, run: str, settings: dict[str, Any], networks: pd.DataFrame, history: pd.DataFrame
) -> None:
    """Write what some networks that differ by seed alone came to: means and spreads by epoch, and at the end."""
    trained = networks[networks["status"] == "trained"]
    by_epoch = history.groupby("epoch")[list(METRICS)].agg(["mean", "std"])
    curves = [
        Metric(f"{metric}{suffix}", value, _now(), int(epoch))
        for metric in METRICS
        for statistic, suffix in (("mean", ""), ("std", "_sd"))
        for epoch, value in by_epoch[metric][statistic].items()
        if math.isfinite(value)
    ]
    final = {
        f"{score}{suffix}": value
        for score in ("test_loss", "test_accuracy")
        for suffix, value in (("", trained[score].mean()), ("_sd", trained[score].std()))
    }
    final["best_val_accuracy"] = by_epoch["val_accuracy"]["mean"].max()
    final["diverged"] = len(networks) - len(trained)
    params = settings | {
        "seeds": ",".join(str(seed) for seed in networks["seed"]),
        "hidden": json.dumps(settings["hidden"]),
    }
    metrics = _metrics(final) + curves
    client.log_batch(run, metrics[:BATCH], [Param(key, str(value)) for key, value in params.items()])
    for start in range(BATCH, len(metrics), BATCH):
        client.log_batch(run, metrics[start : start + BATCH])


def _log_champion(run: str, execution: Execution) -> None:
    """Log the champion as a pyfunc model, and register it: a file of code, the network as ONNX; nothing is pickled."""
    card, folder = execution.card, execution.folder / CHAMPION_FOLDER
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
            python_model=str(PROJECT / "evaluation" / "champion_model.py"),
            artifacts={ARTIFACT: str(folder)},
            signature=signature,
            input_example=pd.DataFrame([card.scaler.shift], columns=list(card.names)),
            pip_requirements=[f"{name}=={version(name)}" for name in SERVED_WITH],
            metadata={"features": list(card.names), "classes": card.class_values},
        )
    client, name = MlflowClient(), registered_name(execution.study)
    try:
        client.create_registered_model(name, description=f"The champions of the study {execution.study}")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    about = (folder / CARD_FILE).read_text(encoding="utf-8")
    client.create_model_version(name, model.model_uri, run, description=about, model_id=model.model_id)


def _crown(client: MlflowClient, run: str, execution: Execution) -> None:
    """Let the alias ``champion`` name the version that an execution registered."""
    for found in client.search_model_versions(f"run_id = '{run}'"):
        client.set_registered_model_alias(registered_name(execution.study), "champion", found.version)


# --- what they say --------------------------------------------------------------------------------


def _execution_name(execution: Execution) -> str:
    return f"{execution.study}: {len(execution.results.networks):,} networks"


def _execution_digest(execution: Execution) -> str:
    return _sha256(
        execution.study,
        execution.params.study(execution.study).model_dump_json(),
        execution.card.sha256,
        execution.results.networks.to_csv(),
        execution.results.history.to_csv(),
        json.dumps(execution.evaluation.metrics.get("champion")),
    )


def _cell_digest(execution: Execution, networks: pd.DataFrame, history: pd.DataFrame) -> str:
    study = execution.params.study(execution.study)
    settings = study.model_dump_json(exclude={"grid"}) + execution.params.model_dump_json(
        include={"activations", "batch_norm", "clipping"}
    )
    return _sha256(
        execution.study, settings, execution.card.sha256, networks.to_csv(index=False), history.to_csv(index=False)
    )


def _sha256(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _common_tags() -> dict[str, str]:
    tags = {f"version.{name}": version(name) for name in VERSIONS}
    tags |= {"version.python": platform.python_version(), "dvc_stage": os.environ.get("DVC_STAGE", "none")}
    head = commit()
    if head:
        dirty = bool(_git("status", "--porcelain", "--untracked-files=no"))
        tags |= {"mlflow.source.git.commit": head, "git_commit": head, "git_dirty": str(dirty).lower()}
    return tags | {"mlflow.source.name": "dvc repro", "mlflow.source.type": "PROJECT"}


def commit() -> str:
    """Return the code's commit; empty outside a repository."""
    return _git("rev-parse", "HEAD")


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=PROJECT, capture_output=True, text=True, check=False)  # noqa: S603, S607
    return done.stdout.strip()


def _dataset(card: Card) -> DatasetInput:
    profile = json.dumps({"samples": card.samples, "class_counts": card.class_counts})
    schema = json.dumps({"features": card.features, "classes": card.classes, "scaling": card.scaling})
    entity = DatasetEntity(card.source, card.sha256[:8], "code", json.dumps({"source": card.source}), schema, profile)
    return DatasetInput(entity, [InputTag("mlflow.data.context", "training")])


def _metrics(values: dict[str, float]) -> list[Metric]:
    return [Metric(name, float(value), _now(), 0) for name, value in values.items() if math.isfinite(value)]


def _flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def _now() -> int:
    return int(time.time() * 1000)
