"""A real MLflow server that is refused, stopped, paused and restarted; a real database that is locked."""

import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from pipeline.tracking import Execution, make_experiments, runs, track_execution
from stages import tracked
from tests.building import evaluated
from tests.s3 import free_port
from tests.servers import Server


@pytest.fixture(scope="module")
def execution(params, mini, digits, tmp_path_factory) -> Execution:
    block = mini.grid[1].model_copy(update={"learning_rate": (0.01, 0.1), "seed": (0,)})
    study = mini.model_copy(update={"grid": (block,), "training": mini.training.model_copy(update={"epochs": 1})})
    changed = params.model_copy(update={"studies": {"mini": study, "paused": study}})
    folder = tmp_path_factory.mktemp("results")
    return Execution("mini", study, digits.card, *evaluated("mini", study, changed, digits, folder), folder)


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("server"))
    yield started
    started.kill()


@pytest.fixture
def uri(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    return server.url


def assert_one_complete_run_per_cell(uri: str, execution: Execution) -> None:
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(execution.name)
    runs = client.search_runs([experiment.experiment_id])
    cells = [run for run in runs if run.data.tags["kind"] == "cell"]
    assert len({run.info.run_name for run in cells}) == len(cells) == len(execution.evaluation.cells)
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert len(runs) == len(cells) + 1
    assert all({"val_accuracy", "test_accuracy"} <= run.data.metrics.keys() for run in cells)
    (parent,) = {run.data.tags["mlflow.parentRunId"] for run in cells}
    assert [model.name for model in client.search_logged_models([experiment.experiment_id])] == ["champion"]
    assert parent in {run.info.run_id for run in runs}
    (version,) = client.search_model_versions(f"name = 'trainability-{execution.name}'")
    assert version.run_id == parent
    assert client.get_model_version_by_alias(version.name, "champion").version == version.version


def do_at_the_third_cell(monkeypatch: pytest.MonkeyPatch, action) -> None:
    """Let something happen when the execution and two cells are finished and the third cell is not."""
    finished = []

    def finish(client: MlflowClient, run: str, *status: str) -> None:
        finished.append(run)
        if len(set(finished)) == 4:
            action()
        real(client, run, *status)

    real = MlflowClient.set_terminated
    monkeypatch.setattr(MlflowClient, "set_terminated", finish)


def test_a_server_that_stops_and_starts_again_has_one_run_per_cell(
    execution: Execution, server: Server, uri: str, monkeypatch, capsys
) -> None:
    do_at_the_third_cell(monkeypatch, server.kill)
    with tracked("mini"):
        track_execution(execution)
    assert "warning: mini is not in MLflow yet" in capsys.readouterr().err
    server.start()
    track_execution(execution)
    assert_one_complete_run_per_cell(uri, execution)


def test_a_server_that_is_paused_and_goes_on_has_one_run_per_cell(
    execution: Execution, server: Server, uri: str, monkeypatch, capsys
) -> None:
    execution = execution._replace(name="paused")
    do_at_the_third_cell(monkeypatch, lambda: server.signal(signal.SIGSTOP))
    with tracked("mini"):
        track_execution(execution)
    assert "warning: mini is not in MLflow yet" in capsys.readouterr().err
    server.signal(signal.SIGCONT)
    track_execution(execution)
    assert_one_complete_run_per_cell(uri, execution)


@pytest.mark.usefixtures("uri")
def test_a_server_that_is_not_there_is_a_warning(execution: Execution, monkeypatch, capsys) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
    with tracked("mini"):
        track_execution(execution)
    assert "`make track` writes it" in capsys.readouterr().err


def test_a_database_that_another_writer_locks_is_a_warning(
    execution: Execution, tmp_path: Path, monkeypatch, capsys
) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setattr(runs, "SECONDS_FOR_A_LOCK", 0.1)
    make_experiments(["mini"])
    other = sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with tracked("mini"):
        track_execution(execution)
    assert "database is locked" in capsys.readouterr().err
    other.execute("ROLLBACK")
    other.close()
    track_execution(execution)
    assert_one_complete_run_per_cell(uri, execution)


@pytest.mark.usefixtures("uri")
def test_what_another_clone_is_writing_is_left_alone_for_a_day() -> None:
    experiment = make_experiments(["several writers"])["several writers"]
    client, now = MlflowClient(), runs.now()
    day = runs.HOURS_OF_A_WRITER * 3_600_000
    made = {
        (who, when): client.create_run(experiment, now - when, {"digest": f"{who} {when}", "writer": who}).info.run_id
        for who in ("another", runs.writer())
        for when in (0, day + 1000)
    }
    assert runs.finished_runs(client, experiment) == {}
    left = {run.info.run_id for run in client.search_runs([experiment])}
    assert left == {made["another", 0]}
