"""The real dvc and a real MLflow database, from a bare clone to a report. The tests build on each other, in order."""

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
import vl_convert
from mlflow import MlflowClient

from tests.e2e.conftest import Clone

pytestmark = pytest.mark.e2e
TABLES = ("networks.parquet", "history.parquet", "layers.parquet", "metrics.json")


def ran(output: str) -> list[str]:
    return re.findall(r"Running stage '(.+?)'", output)


def contents(clone: Clone) -> dict[str, bytes]:
    return {name: (clone.folder / "results/mini" / name).read_bytes() for name in TABLES}


def test_dvc_repro_runs_every_stage_of_the_study(clone: Clone, mini) -> None:
    done = clone.dvc("repro")
    assert ran(done.stdout) == [
        "code",
        "prepare@mini",
        "train@mini",
        "propagation@mini",
        "transfer@mini",
        "champion@mini",
        "evaluate@mini",
        "probes",
        "claims",
        "report",
    ]
    networks = pd.read_parquet(clone.folder / "results/mini/networks.parquet")
    assert len(networks) == len(mini.networks())
    assert set(networks["status"]) == {"trained", "diverged"}
    assert (clone.folder / "report/index.html").is_file()


def test_a_second_run_does_nothing(clone: Clone) -> None:
    assert ran(clone.dvc("repro").stdout) == []
    assert "up to date" in clone.dvc("status").stdout


def assert_mlflow_has_one_run_per_cell(clone: Clone, uri: str, stage: str) -> None:
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("mini")
    assert experiment is not None
    cells = client.search_runs([experiment.experiment_id], "tags.kind = 'cell'")
    expected = pd.read_parquet(clone.folder / "results/mini/cells.parquet")
    assert len(cells) == len(expected)
    assert {run.data.tags["dvc_stage"] for run in cells} == {stage}
    (parent,) = client.search_runs([experiment.experiment_id], "tags.kind = 'execution'")
    assert [file.path for file in client.list_artifacts(parent.info.run_id, "report")] == ["report/index.html"]


def test_mlflow_shows_one_run_per_cell_though_the_study_ran_twice(clone: Clone) -> None:
    clone.dvc("repro", "--force", "--single-item", "evaluate@mini")
    assert_mlflow_has_one_run_per_cell(clone, f"sqlite:///{clone.folder}/mlflow.db", "evaluate@mini")


def test_the_ledger_is_a_run_of_its_own(clone: Clone) -> None:
    client = MlflowClient(f"sqlite:///{clone.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("claims")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    claims = json.loads((clone.folder / "report/claims.json").read_text())
    assert run.data.params == {name: entry["verdict"] for name, entry in claims.items()}
    kept = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert kept == {"claims.json", "effects.parquet", "findings.parquet", "report"}


def test_a_replication_trains_other_networks_and_changes_no_result(clone: Clone) -> None:
    before = contents(clone), (clone.folder / "report/claims.json").read_bytes()
    said = clone.python("-m", "stages.replicate", "1000").stdout
    assert re.search(r"mini: \d+ networks trained", said)
    assert re.search(r"\d+ of \d+ verdicts hold; \d+ changed to or from inconclusive, \d+ otherwise", said)
    kept = json.loads((clone.folder / "report/replications/1000.json").read_text())
    assert kept.keys() == json.loads(before[1]).keys()
    assert (contents(clone), (clone.folder / "report/claims.json").read_bytes()) == before
    again = clone.python("-m", "stages.replicate", "1000").stdout
    assert "networks trained" not in again
    assert again.splitlines()[-1] == said.splitlines()[-1]


def test_more_seeds_resolve_what_the_data_leave_open(clone: Clone) -> None:
    before = contents(clone), (clone.folder / "report/claims.json").read_bytes()
    claims = json.loads(before[1])
    open_ones = [
        name for name, entry in claims.items() if entry["verdict"] == "inconclusive" and "probe" not in entry["studies"]
    ]
    said = clone.python("-m", "stages.resolve", open_ones[0], "20").stdout
    assert re.search(r"mini: \d+ networks trained", said)
    assert f"{open_ones[0]}: with 20 seeds " in said
    assert "to keep it: give mini 20 seeds in params.yaml" in said
    kept = json.loads((clone.folder / f"report/resolved/{open_ones[0]}.json").read_text())
    assert kept["seeds"] == 20
    assert kept["verdict"] in said
    assert (contents(clone), (clone.folder / "report/claims.json").read_bytes()) == before
    decided = next(name for name, entry in claims.items() if entry["verdict"] == "supported")
    assert "nothing to resolve" in clone.python("-m", "stages.resolve", decided).stdout


def test_results_that_dvc_restores_are_tracked_without_training(clone: Clone) -> None:
    shutil.rmtree(clone.folder / "results")
    clone.dvc("checkout")
    uri = f"sqlite:///{clone.folder}/another.db"
    assert "networks trained" not in clone.python("-m", "stages.track", MLFLOW_TRACKING_URI=uri).stdout
    assert_mlflow_has_one_run_per_cell(clone, uri, "none")


def test_metrics_and_plots_are_dvcs(clone: Clone) -> None:
    metrics = json.loads(clone.dvc("metrics", "show", "--json").stdout)
    shown = metrics[""]["data"]["results/mini/metrics.json"]["data"]
    assert shown == json.loads((clone.folder / "results/mini/metrics.json").read_text())
    for name in ("curves", "settings", "propagation", "confusion"):
        shown = json.loads(clone.dvc("plots", "show", f"report/plots/{name}.csv", "--show-vega").stdout)
        assert "<svg" in vl_convert.vegalite_to_svg(json.dumps(shown))  # it is a chart that can be drawn


def test_editing_the_report_trains_nothing(clone: Clone) -> None:
    style = clone.folder / "pipeline/report/page.css"
    style.write_text(style.read_text() + "\n/* edited */\n")
    assert ran(clone.dvc("repro").stdout) == ["code", "report"]


def test_a_champion_that_does_not_repeat_is_shown_and_stops_nothing(clone: Clone) -> None:
    code = clone.folder / "pipeline/experiments/champion.py"
    text = code.read_text()
    off = text.replace("- float(before[score]))", "- float(before[score])) + 0.5")
    assert off != text
    code.write_text(off)
    done = clone.dvc("repro")
    code.write_text(text)
    assert ran(done.stdout) == ["code", "champion@mini", "evaluate@mini", "claims", "report"]
    assert "came out different when trained again" in done.stderr
    metrics = json.loads((clone.folder / "results/mini/metrics.json").read_text())
    assert metrics["champion"]["reproduced"] == "no"
    assert "these results do not repeat on this machine" in (clone.folder / "report/index.html").read_text()
    client = MlflowClient(f"sqlite:///{clone.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("mini")
    runs = client.search_runs([experiment.experiment_id], "tags.kind = 'execution' and tags.reproduced = 'no'")
    assert [run.data.metrics["champion.largest_difference"] for run in runs] == [pytest.approx(0.5)]
    clone.dvc("repro")  # as it was, from DVC's run cache


def test_editing_one_axis_prepares_nothing_and_trains_only_what_is_new(clone: Clone) -> None:
    before = contents(clone)
    clone.python("-m", "stages.store", "--prune")  # of what other tests trained
    clone.change(lambda params: params["studies"]["mini"]["grid"][1].update(clipping=["none", "value"]))
    assert "studies.mini.grid" in clone.dvc("params", "diff").stdout
    fewer = clone.dvc("repro", "train@mini").stdout
    assert ran(fewer) == ["train@mini"]
    assert "mini: 112 of 112 networks are in the store, 0 to train" in fewer
    pruned = clone.python("-m", "stages.store", "--prune").stdout
    for kept in ("mini: 112 of 112", "mini, three_and_five: 12 of 12", "deleted: 6 that no study uses"):
        assert kept in pruned
    clone.git("checkout", "params.yaml")
    done = clone.dvc("repro")
    assert contents(clone) == before
    assert "networks trained" not in done.stdout  # restored from DVC's run cache


def test_an_experiment_may_name_its_studies(clone: Clone) -> None:
    done = clone.dvc("exp", "run", "-S", "run=[mini]")
    assert "Ran experiment" in done.stdout


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda p: p["studies"]["mini"]["grid"][0].update(initializer=["he_norml"]), "did you mean 'he_normal'"),
        (lambda p: p.update(run=["minni"]), "minni"),
        (lambda p: p["studies"]["mini"].pop("training"), "studies.mini.training"),
    ],
)
def test_wrong_parameters_end_dvc_repro_before_any_training(clone: Clone, edit, message: str) -> None:
    clone.change(edit)
    done = clone.dvc("repro", check=False)
    clone.git("checkout", "params.yaml")
    assert done.returncode != 0
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "networks trained" not in done.stdout


def test_a_table_of_the_users_is_a_study_like_any_other(clone: Clone) -> None:
    from sklearn.datasets import load_wine

    load_wine(as_frame=True).frame.to_csv(clone.folder / "data/tables/wine.csv", index=False)

    def add(params: dict) -> None:
        study = json.loads(json.dumps(params["studies"]["mini"]))
        study["data"] |= {"source": "table", "path": "data/tables/wine.csv", "target": "target"}
        study["training"] |= {"batch_size": 16}
        study["grid"] = study["grid"][1:2]
        params["studies"]["wine"] = study
        params["run"] = ["wine"]

    clone.change(add)
    clone.dvc("repro", "train@wine")
    networks = pd.read_parquet(clone.folder / "results/wine/networks.parquet")
    assert networks["test_accuracy"].mean() > 0.6
    clone.git("checkout", "params.yaml")


def test_a_source_archive_runs_in_any_folder_and_any_surroundings(tmp_path: Path) -> None:
    folder = tmp_path / "a folder, in Zürich"
    folder.mkdir()
    archive = Clone(folder)
    archive.copy_the_working_tree()
    assert not (folder / ".git").exists()
    archive.make(".dvc/tmp/ready", "check")
    bare = {"HOME": "/nonexistent", "LANG": "C", "LC_ALL": "C", "OMP_NUM_THREADS": "1"}
    done = archive.dvc("repro", "evaluate@mini", **bare)
    assert ran(done.stdout) == ["code", "prepare@mini", "train@mini", "champion@mini", "evaluate@mini"]
    assert "up to date" in archive.dvc("status", "evaluate@mini").stdout
    (folder / "report").mkdir()
    (folder / "report" / "index.html").touch()
    assert "/a%20folder,%20in%20Z" in archive.make("report").stdout


@pytest.mark.faults  # which is where what takes a while is
def test_a_map_is_drawn_and_shown_with_theorys_edge_on_it(clone: Clone) -> None:
    def small(params: dict) -> None:
        params["draw"] = ["tanh"]
        params["maps"]["tanh"] |= {"hidden": ["20x16"], "training": {"epochs": 3, "batch_size": 32}}
        params["maps"]["tanh"]["x"]["points"], params["maps"]["tanh"]["y"]["points"] = 12, 3

    clone.change(small)
    done = clone.dvc("repro")
    assert {"map@tanh", "claims", "report"} <= {*ran(done.stdout)}
    assert re.search(r"map tanh: \d+ of 36 networks learned", done.stdout)
    folder = clone.folder / "results/maps/tanh"
    points, lines = pd.read_parquet(folder / "map.parquet"), pd.read_parquet(folder / "lines.parquet")
    assert len(points) == 36
    assert lines.query("line == 'edge' and y > 0.2")["x"].between(2, 3).all()
    assert json.loads((folder / "metrics.json").read_text())["networks"] == 36
    assert 'data-chart="map-tanh"' in (clone.folder / "report/index.html").read_text()
    client = MlflowClient(f"sqlite:///{clone.folder}/mlflow.db")
    (run,) = client.search_runs([client.get_experiment_by_name("maps").experiment_id])
    assert (run.info.run_name, run.data.metrics["networks"]) == ("tanh", 36)
    clone.python("-m", "stages.store", "--prune")
    assert "map tanh: 36 of 36 networks are in the store" in clone.python("-m", "stages.map", "tanh").stdout
    clone.git("checkout", "params.yaml")
