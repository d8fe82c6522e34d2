"""A map, as MLflow shows it: one run with its tables."""

import hashlib
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Param

from ..evaluation.maps import Drawn
from .provenance import common_tags, sha256
from .runs import KIND, finished_runs, lock, make_experiments, metrics_of, open_run

MAPS = "maps"
"""The experiment of all maps."""


def track_map(title: str, drawn: Drawn, folder: Path) -> None:
    """Write a map as a run of its own, in the experiment `MAPS`.

    Args:
        title: its name.
        drawn: what it came to.
        folder: of its files, which the run keeps.
    """
    files = [*sorted(folder.glob("*.parquet")), folder / "settings.json"]
    settings = drawn.made.model_dump(mode="json", by_alias=True, exclude={"data"}, exclude_none=True)
    with lock(MAPS):
        experiment = make_experiments([MAPS])[MAPS]
        client = MlflowClient()
        known = finished_runs(client, experiment)
        digest = sha256(*(hashlib.sha256(path.read_bytes()).hexdigest() for path in files))
        with open_run(client, experiment, known, digest, title, common_tags() | {KIND: "map"}) as run:
            if run.new:
                told = [Param(name, str(value)) for name, value in settings.items()]
                client.log_batch(run.id, metrics_of(drawn.metrics), told)
                for path in files:
                    client.log_artifact(run.id, str(path))
