"""A team: one clone trains and pushes, another pulls; they share a DVC remote, a network store and an MLflow server."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.e2e.conftest import Clone
from tests.s3 import Bucket
from tests.servers import Server

pytestmark = [pytest.mark.e2e, pytest.mark.faults]


@pytest.fixture
def server(bucket: Bucket, tmp_path: Path) -> Iterator[Server]:
    """An MLflow server that keeps artifacts in the bucket, of which its clients know nothing."""
    folder = tmp_path / "server"
    folder.mkdir()
    started = Server(folder, bucket.url("artifacts"))
    yield started
    started.kill()


def contents(clone: Clone) -> dict[str, bytes]:
    """Return what a run has made, by name."""
    made = [clone.folder / "report/index.html", *(clone.folder / "results").rglob("*")]
    return {str(file.relative_to(clone.folder)): file.read_bytes() for file in made if file.is_file()}


def runs(uri: str, experiment: str) -> dict[str, str]:
    """Return the digests of an experiment's runs, by id."""
    client = MlflowClient(uri)
    found = client.get_experiment_by_name(experiment)
    assert found
    return {run.info.run_id: run.data.tags["digest"] for run in client.search_runs([found.experiment_id])}


def test_what_one_clone_trains_another_pulls(clone: Clone, bucket: Bucket, server: Server, tmp_path: Path) -> None:
    shared = bucket.environment | {"MLFLOW_TRACKING_URI": server.url, "NETWORK_STORE": bucket.url("networks")}
    clone.dvc("remote", "add", "--default", "team", bucket.url("dvc"))
    clone.dvc("remote", "add", "disk", str(tmp_path / "disk"))
    said = [clone.dvc("repro", **shared), clone.dvc("push", "--run-cache", **shared)]
    said.append(clone.dvc("push", "--run-cache", "--remote", "disk", **shared))
    assert "is not in MLflow" not in said[0].stdout + said[0].stderr
    assert not (clone.folder / ".networks").exists()
    clone.git("add", "--all")
    clone.git("commit", "--message", "a run")
    made, tracked = contents(clone), runs(server.url, "mini")

    for remote in ("team", "disk"):
        folder = tmp_path / f"from-{remote}"
        subprocess.run(["git", "clone", "--quiet", clone.folder, folder], check=True)
        another = Clone(folder)
        said += [another.dvc("pull", "--run-cache", "--remote", remote, **shared), another.dvc("repro", **shared)]
        assert contents(another) == made
        assert "networks trained" not in said[-1].stdout
        assert "Running stage 'train" not in said[-1].stdout
        another.python("-m", "stages.track", **shared)
        assert runs(server.url, "mini") == tracked  # they are all there

    own = f"sqlite:///{tmp_path}/own.db"  # nor does it take more than what was pulled to fill another MLflow
    another.python("-m", "stages.track", MLFLOW_TRACKING_URI=own)
    assert sorted(runs(own, "mini").values()) == sorted(tracked.values())

    assert_nobody_says(bucket, [text for done in said for text in (done.stdout, done.stderr)])
    assert_nothing_has(bucket, clone.folder, tmp_path)


def assert_nobody_says(bucket: Bucket, said: list[str]) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        assert not any(bucket.environment[name] in text for text in said)


def assert_nothing_has(bucket: Bucket, *folders: Path) -> None:
    """Look for credentials in every file, DVC's logs and Git's objects as they are too."""
    secrets = [bucket.environment[name].encode() for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")]
    for folder in folders:
        for file in folder.rglob("*"):
            if file.is_file() and ".venv" not in file.parts:
                content = file.read_bytes()
                assert not any(secret in content for secret in secrets), file
