"""A real MLflow database, written twice."""

from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient

from pipeline.evaluation.transfer import summarize_transfer
from pipeline.experiments.names import TRANSFER_SETTING
from pipeline.experiments.transfer.run import run_transfer
from pipeline.grid import cell_name
from pipeline.tracking import Execution, make_experiments, runs, track_execution, track_report, track_transfer
from tests.building import evaluated


@pytest.fixture(scope="module")
def execution(params, mini, digits, tmp_path_factory) -> Execution:
    study = mini.model_copy(update={"grid": mini.grid[1:], "training": mini.training.model_copy(update={"epochs": 2})})
    changed = params.model_copy(update={"studies": {"mini": study}})
    folder = tmp_path_factory.mktemp("results")
    return Execution("mini", study, digits.card, *evaluated("mini", study, changed, digits, folder), folder)


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    return MlflowClient()


def cells(client: MlflowClient) -> list:
    experiment = client.get_experiment_by_name("mini")
    return list(client.search_runs([experiment.experiment_id], "tags.kind = 'cell'"))


def test_results_written_twice_make_one_run_per_cell(execution: Execution, client: MlflowClient) -> None:
    parent = track_execution(execution)
    assert track_execution(execution) == parent
    found = cells(client)
    assert len(found) == len(execution.evaluation.cells) == 5
    assert len({run.info.run_name for run in found}) == 5
    assert {run.data.tags["mlflow.parentRunId"] for run in found} == {parent}
    assert {run.info.status for run in found} == {"FINISHED"}


def test_a_cell_is_written_whole(execution: Execution, client: MlflowClient) -> None:
    track_execution(execution)
    (run,) = [run for run in cells(client) if run.data.params["clipping"] == "global_norm"]
    assert run.info.run_name == "he_normal · relu · clip by global norm · lr 0.1"
    assert run.data.params["seeds"] == "0,1,2"
    for tag in ("digest", "activation", "git_commit", "git_dirty", "version.torch", "device"):
        assert tag in run.data.tags
    history = execution.results.history.query("clipping == 'global_norm'")
    for metric in ("train_loss", "train_accuracy", "val_loss", "val_accuracy"):
        for name, statistic in ((metric, "mean"), (f"{metric}_sd", "std")):
            logged = [m.value for m in sorted(client.get_metric_history(run.info.run_id, name), key=lambda m: m.step)]
            np.testing.assert_allclose(logged, history.groupby("epoch")[metric].agg(statistic))


def test_a_cell_has_the_intervals_over_its_seeds(execution: Execution, client: MlflowClient) -> None:
    track_execution(execution)
    names = [cell_name(levels, execution.study.varied) for levels in execution.evaluation.cells.to_dict("records")]
    kept = execution.evaluation.cells.set_axis(names)
    bounds = ["val_accuracy_low", "val_accuracy_high", "test_accuracy_low", "test_accuracy_high"]
    for run in cells(client):
        shown = {name: run.data.metrics[name] for name in bounds if name in run.data.metrics}
        assert shown == kept.loc[run.info.run_name, bounds].dropna().to_dict()
    assert len(kept[bounds].dropna()) >= 2


def test_a_database_holds_what_a_server_would_be_sent(execution: Execution, client: MlflowClient, monkeypatch) -> None:
    def found() -> list:
        shown = [run.to_dictionary() for run in cells(client)]
        for run in shown:
            for unique in ("run_id", "artifact_uri", "start_time", "end_time"):
                assert run["info"].pop(unique)
            run["data"]["tags"].pop("mlflow.parentRunId")
        return sorted(shown, key=lambda run: run["info"]["run_name"])

    track_execution(execution)
    inserted = found()
    client.delete_experiment(make_experiments(["mini"])["mini"])
    for run in client.search_runs([make_experiments(["mini"])["mini"]]):
        client.delete_run(run.info.run_id)
    monkeypatch.setattr(runs, "SqlAlchemyStore", type("NoStore", (), {}))
    track_execution(execution)
    assert found() == inserted


def test_an_execution_names_its_dataset_and_settings(execution: Execution, client: MlflowClient) -> None:
    run = client.get_run(track_execution(execution))
    (logged,) = run.inputs.dataset_inputs
    assert (logged.dataset.name, logged.dataset.digest) == ("digits", execution.card.sha256[:8])
    assert run.data.params["training.epochs"] == "2"
    assert run.data.metrics["champion.test_accuracy"] == execution.evaluation.metrics["champion"]["test_accuracy"]


def test_a_cell_that_diverged_is_there_too(execution: Execution, client: MlflowClient) -> None:
    track_execution(execution)
    (run,) = [run for run in cells(client) if run.data.params["learning_rate"] == "1000.0"]
    assert run.data.metrics["diverged"] == 1
    assert run.data.tags["health"] == "diverged"


def test_what_an_interrupted_writer_left_is_written_anew(execution: Execution, client: MlflowClient) -> None:
    track_execution(execution)
    half = cells(client)[0]
    client.update_run(half.info.run_id, status="RUNNING")
    track_execution(execution)
    found = cells(client)
    assert len(found) == 5
    assert half.info.run_id not in {run.info.run_id for run in found}


def test_transfer_written_twice_makes_one_run_per_setting(params, digits, client: MlflowClient) -> None:
    results = run_transfer("mini", params, digits, params.transfer["mini"])
    summary = summarize_transfer(results.transfer, results.transfer_hits, digits.card, params.evaluation.confidence)
    for _ in range(2):
        track_transfer("mini", params, digits.card, "cpu", results, summary)
    experiment = client.get_experiment_by_name("mini").experiment_id
    (parent,) = client.search_runs([experiment], "tags.kind = 'transfer'")
    assert parent.info.run_name == "mini, transfer three_and_five: 12 networks"
    found = client.search_runs([experiment], "tags.kind = 'transfer_setting'")
    assert len(found) == len(results.transfer.drop_duplicates(TRANSFER_SETTING)) == 6
    assert {run.data.tags["mlflow.parentRunId"] for run in found} == {parent.info.run_id}
    (run,) = [run for run in found if run.info.run_name == "B · 20 labels · 2 layers reused, 2 unfrozen"]
    own = results.transfer.query("reused == 2 and unfrozen == 2")
    assert run.data.metrics["test_accuracy"] == pytest.approx(own["test_accuracy"].mean())
    (kept,) = summary.query("reused == 2 and unfrozen == 2").to_dict("records")
    assert kept["test_accuracy_low"] < run.data.metrics["test_accuracy"] < kept["test_accuracy_high"]
    for name in ("test_accuracy_low", "test_accuracy_high", "gain_low", "gain_high"):
        assert run.data.metrics[name] == kept[name]
    assert run.data.params["labels"] == "20"
    assert len(client.get_metric_history(run.info.run_id, "val_accuracy")) == 3


def test_a_deleted_experiment_comes_back(client: MlflowClient) -> None:
    first = make_experiments(["mini"])["mini"]
    client.delete_experiment(first)
    assert make_experiments(["mini"])["mini"] == first


def test_the_report_is_an_artifact_of_the_execution_it_is_about(
    execution: Execution, client: MlflowClient, tmp_path: Path
) -> None:
    parent = track_execution(execution)
    training = execution.study.training.model_copy(update={"epochs": 3})
    later = track_execution(execution._replace(study=execution.study.model_copy(update={"training": training})))
    ledger = client.create_run(make_experiments(["claims"])["claims"]).info.run_id
    page = tmp_path / "index.html"
    page.write_text("<p>report</p>")
    track_report(page, [execution], ledger)
    for run in (parent, ledger):
        assert [file.path for file in client.list_artifacts(run, "report")] == ["report/index.html"]
    assert client.list_artifacts(later, "report") == []
