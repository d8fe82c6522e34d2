"""How MLflow is written to: experiments, runs that are finished or deleted, one writer at a time."""

import logging
import math
import os
import platform
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import mlflow
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import LifecycleStage, Metric, Param, RunStatus, SourceType
from mlflow.store.tracking.dbmodels.models import SqlLatestMetric, SqlMetric, SqlParam, SqlRun, SqlTag
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME
from mlflow.utils.uri import append_to_uri_path
from sqlalchemy import event, insert
from sqlalchemy.engine import URL, Engine, make_url

from ..checkout import checkout
from .provenance import sha256

DIGEST, KIND, WRITER = "digest", "kind", "writer"
PARENT = "mlflow.parentRunId"
BATCH = 1000
"""Metrics that MLflow takes at a time."""
RUNS_AT_A_TIME = 500
"""That a database takes in one transaction."""
HOURS_OF_A_WRITER = 24
"""After which a run that another writer did not finish is a left-over."""
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


def tracking_uri() -> str:
    """Return where runs are written: ``MLFLOW_TRACKING_URI``, else a SQLite file in the project's folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{checkout() / 'mlflow.db'}"


def make_experiments(studies: Iterable[str]) -> dict[str, str]:
    """Make database and experiments where they are missing; return each study's experiment id.

    The first use of a database migrates its schema, which two processes must not do at once: hence the lock.
    """
    uri = tracking_uri()
    mlflow.set_tracking_uri(uri)
    with lock("experiments"):
        if uri.startswith("sqlite:"):
            _refuse_unwritable(make_url(uri))
        client = MlflowClient()
        ids = {}
        for study in studies:
            experiment = client.get_experiment_by_name(study)
            if experiment is None:
                # Where MLflow would put them is the folder at hand, which of an experiment of DVC's is soon gone.
                artifacts = None if checkout() == Path() else (checkout() / "mlruns" / study).as_uri()
                ids[study] = client.create_experiment(study, artifact_location=artifacts)
                continue
            if experiment.lifecycle_stage == "deleted":
                client.restore_experiment(experiment.experiment_id)
            ids[study] = experiment.experiment_id
    return ids


def lock(what: str) -> FileLock:
    """Return what one process of this machine holds at a time while it writes an experiment."""
    return FileLock(Path(tempfile.gettempdir()) / f"trainability-{sha256(str(checkout().absolute()), what)[:16]}.lock")


def writer() -> str:
    """Return what tells this clone on this machine from all others; of its processes one writes at a time."""
    return sha256(platform.node(), str(checkout().absolute()))[:16]


class Run(NamedTuple):
    """A run that is there now."""

    id: str
    new: bool
    """It is for the caller to write."""


@contextmanager
def open_run(
    client: MlflowClient, experiment: str, known: dict[str, str], digest: str, name: str, tags: dict[str, str]
) -> Iterator[Run]:
    """Give the finished run of that digest, else a new one that is finished when the block is."""
    if digest in known:
        yield Run(known[digest], new=False)
        return
    tags = {KIND: "execution"} | tags | {DIGEST: digest, WRITER: writer()}
    run = client.create_run(experiment, run_name=name, tags=tags)
    yield Run(run.info.run_id, new=True)
    client.set_terminated(run.info.run_id)
    known[digest] = run.info.run_id


def finished_runs(client: MlflowClient, experiment: str) -> dict[str, str]:
    """Return the finished runs by digest; delete those that a writer did not finish, or finished twice."""
    delete_unfinished(client, experiment)
    finished: dict[str, str] = {}
    token = None
    while True:
        page = client.search_runs([experiment], order_by=["attributes.start_time"], max_results=1000, page_token=token)
        for run in page:
            digest = run.data.tags.get(DIGEST)
            if digest is None or run.info.status != "FINISHED":
                continue  # somebody else's
            if digest in finished:
                client.delete_run(run.info.run_id)
            else:
                finished[digest] = run.info.run_id
        token = page.token
        if not token:
            return finished


def delete_unfinished(client: MlflowClient, experiment: str) -> None:
    """Delete the runs that this writer, or long ago another one, did not finish, with the models they registered."""
    oldest = now() - HOURS_OF_A_WRITER * 3_600_000
    for run in client.search_runs([experiment], "attributes.status != 'FINISHED'", max_results=1000):
        under_way = run.data.tags.get(WRITER) != writer() and run.info.start_time >= oldest
        if DIGEST in run.data.tags and not under_way:
            for version_ in client.search_model_versions(f"run_id = '{run.info.run_id}'"):
                client.delete_model_version(version_.name, version_.version)
            for model in client.search_logged_models([experiment], f"source_run_id = '{run.info.run_id}'"):
                client.delete_logged_model(model.model_id)
            client.delete_run(run.info.run_id)


class NewRun(NamedTuple):
    """A run that is written whole: it is there with all it holds, or not at all."""

    digest: str
    name: str
    tags: dict[str, str]
    params: dict[str, Any]
    metrics: list[Metric]


def write_runs(client: MlflowClient, experiment: str, known: dict[str, str], runs: Iterable[NewRun]) -> int:
    """Write the runs whose digest is not known; return how many.

    A database takes many in one transaction, a server one by one.
    """
    store = client._tracking_client.store
    count = 0
    remaining = (run for run in runs if run.digest not in known)
    while new := list(islice(remaining, RUNS_AT_A_TIME)):
        if isinstance(store, SqlAlchemyStore):
            _insert_runs(store, experiment, new)
        else:
            for run in new:
                _send_run(client, experiment, run)
        count += len(new)
    return count


def _send_run(client: MlflowClient, experiment: str, new: NewRun) -> None:
    with open_run(client, experiment, {}, new.digest, new.name, new.tags) as run:
        params = [Param(key, str(value)) for key, value in new.params.items()]
        client.log_batch(run.id, new.metrics[:BATCH], params)
        for start in range(BATCH, len(new.metrics), BATCH):
            client.log_batch(run.id, new.metrics[start : start + BATCH])


def _insert_runs(store: SqlAlchemyStore, experiment: str, new: Sequence[NewRun]) -> None:
    """Insert the rows that `_send_run` makes of these runs, in one transaction."""
    location = store.get_experiment(experiment).artifact_location
    rows: dict[type, list[dict[str, Any]]] = {
        table: [] for table in (SqlRun, SqlTag, SqlParam, SqlMetric, SqlLatestMetric)
    }
    for run in new:
        key = {"run_uuid": uuid.uuid4().hex}
        rows[SqlRun].append(
            key | {
                "name": run.name, "experiment_id": int(experiment), "user_id": "unknown", "source_name": "",
                "source_type": SourceType.to_string(SourceType.UNKNOWN), "source_version": "", "entry_point_name": "",
                "status": RunStatus.to_string(RunStatus.FINISHED), "lifecycle_stage": LifecycleStage.ACTIVE,
                "start_time": now(), "end_time": now(),
                "artifact_uri": append_to_uri_path(location, key["run_uuid"], SqlAlchemyStore.ARTIFACTS_FOLDER_NAME),
            }
        )  # fmt: skip
        tags = run.tags | {DIGEST: run.digest, WRITER: writer(), MLFLOW_RUN_NAME: run.name}
        rows[SqlTag] += [key | {"key": name, "value": value} for name, value in tags.items()]
        rows[SqlParam] += [key | {"key": name, "value": str(value)} for name, value in run.params.items()]
        metrics = [
            key | {"key": m.key, "value": m.value, "timestamp": m.timestamp, "step": m.step, "is_nan": False}
            for m in run.metrics
        ]
        rows[SqlMetric] += metrics
        latest = {metric["key"]: metric for metric in sorted(metrics, key=itemgetter("step"))}
        rows[SqlLatestMetric] += latest.values()
    with store.ManagedSessionMaker(read_only=False) as session:
        for table, found in rows.items():
            if found:
                session.execute(insert(table), found)


def metrics_of(values: dict[str, float]) -> list[Metric]:
    """Return numbers as metrics; those that are not finite are left out."""
    return [Metric(name, float(value), now(), 0) for name, value in values.items() if math.isfinite(value)]


def now() -> int:
    """Return the time as MLflow has it, in milliseconds."""
    return int(time.time() * 1000)
