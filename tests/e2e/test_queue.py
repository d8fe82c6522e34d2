"""Experiments in DVC's queue, side by side in copies of one checkout."""

import json
import os
import time

import pytest
from mlflow import MlflowClient

from tests.e2e.conftest import Clone

pytestmark = pytest.mark.faults
RATES = {"slow": 0.05, "fast": 0.2}
SECONDS = 600


def test_two_workers_run_a_queue_and_nothing_is_lost_with_their_copies(clone: Clone) -> None:
    clone.change(lambda params: params["studies"]["mini"]["training"].update(epochs=2))
    clone.git("commit", "-am", "two epochs")
    path = f"{clone.folder}/.venv/bin:{os.environ['PATH']}"  # as in an environment that is activated
    for name, rate in RATES.items():
        clone.dvc(
            "exp", "run", "--queue", "--name", name, "-S", f"studies.mini.grid.0.learning_rate=[{rate}]", PATH=path
        )
    clone.dvc("queue", "start", "--jobs", "2", PATH=path)
    deadline = time.monotonic() + SECONDS
    while (told := clone.dvc("queue", "status").stdout) and told.count("Success") < len(RATES):
        assert "Failed" not in told, clone.dvc("queue", "logs", told.split("Failed")[0].split()[-2], check=False).stdout
        assert time.monotonic() < deadline, told
        time.sleep(2)
    clone.dvc("queue", "stop", "--kill", check=False)

    (_, *kept) = json.loads(clone.dvc("exp", "show", "--json").stdout)
    (committed,) = kept
    shown = {one["name"]: one["revs"][0]["data"] for one in committed["experiments"]}
    assert shown.keys() == RATES.keys()
    for name, rate in RATES.items():
        assert shown[name]["params"]["params.yaml"]["data"]["studies"]["mini"]["grid"][0]["learning_rate"] == [rate]
        assert shown[name]["metrics"]["results/mini/metrics.json"]["data"]["networks"] > 0

    assert not (clone.folder / "results/mini/networks.parquet").exists()  # the workspace is as it was
    assert any((clone.folder / ".networks").rglob("*"))
    client = MlflowClient(f"sqlite:///{clone.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("mini")
    assert experiment is not None
    assert experiment.artifact_location == (clone.folder / "mlruns/mini").as_uri()
    executions = client.search_runs([experiment.experiment_id], "tags.kind = 'execution'")
    assert len(executions) == len(RATES)
    for run in executions:
        assert {file.path for file in client.list_artifacts(run.info.run_id)} >= {"report"}

    clone.dvc("exp", "apply", "fast")
    assert (clone.folder / "report/index.html").is_file()
    again = clone.dvc("repro").stdout
    assert "networks trained" not in again
