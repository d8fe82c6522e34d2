"""Disks that are full or may not be written: real file systems, mounted where this process alone sees them."""

import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline import data
from pipeline.training.study import train_networks
from tests.conftest import ROOT

STORE, RESULTS = ".networks", "results"


def can_mount(options: str, place: Path) -> bool:
    return mounted(place, place, options, "true").returncode == 0


def mounted(folder: Path, place: Path, options: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder while a fresh file system with these options lies at a place."""
    place.mkdir(parents=True, exist_ok=True)
    script = 'mount -t tmpfs -o "$0" none "$1" && shift && exec "$@"'
    return subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", script, options, str(place), *command],
        cwd=folder, env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture
def project(params, mini, digits, tmp_path: Path) -> Path:
    """A folder in which the stages run, with a study of 12 networks."""
    if sys.platform != "linux" or not can_mount("size=1m", tmp_path / "probe"):
        pytest.skip("no file systems can be mounted here")
    raw = YAML(typ="safe").load((ROOT / "params.yaml").read_text())
    raw["studies"]["mini"]["grid"] = raw["studies"]["mini"]["grid"][1:2]
    with (tmp_path / "params.yaml").open("w") as file:
        YAML().dump(raw, file)
    data.save(digits, tmp_path / "data/prepared/mini")
    study = mini.model_copy(update={"grid": mini.grid[1:2]})
    train_networks("mini", study, params, digits, study.networks()).save(tmp_path / "expected")
    return tmp_path


def run(stage: str, project: Path, place: str, options: str) -> subprocess.CompletedProcess[str]:
    return mounted(project, project / place, options, sys.executable, "-m", f"stages.{stage}", "mini")


def assert_equal_tables(project: Path) -> None:
    for name in ("networks", "history", "layers"):
        assert (project / "results/mini" / f"{name}.parquet").read_bytes() == (
            project / "expected" / f"{name}.parquet"
        ).read_bytes()


@pytest.mark.parametrize(("options", "reason"), [("size=16k", "No space left on device"), ("ro", "Read-only file")])
def test_a_store_that_is_full_or_read_only_loses_no_training(project: Path, options: str, reason: str) -> None:
    done = run("train", project, STORE, options)
    assert done.returncode == 0
    assert done.stderr.count("warning: networks are not kept") == 1
    assert reason in done.stderr
    assert_equal_tables(project)


def test_results_that_cannot_be_written_are_an_error_and_nothing_is_trained_again(project: Path) -> None:
    failed = run("train", project, RESULTS, "size=8k")
    assert failed.returncode == 1
    assert "No space left on device" in failed.stderr
    assert "Finished stages and finished networks are kept" in failed.stderr
    assert "Traceback" not in failed.stderr
    again = run("train", project, "elsewhere", "size=1m")
    assert "12 of 12 networks are in the store, 0 to train" in again.stdout
    assert_equal_tables(project)


def test_an_mlflow_database_on_a_read_only_disk_is_a_warning(project: Path) -> None:
    for stage in ("train", "champion"):
        assert run(stage, project, "elsewhere", "size=1m").returncode == 0
    command = f"MLFLOW_TRACKING_URI=sqlite:///{project}/disk/mlflow.db exec {sys.executable} -m stages.evaluate mini"
    done = mounted(project, project / "disk", "ro", "sh", "-c", command)
    assert done.returncode == 0
    assert "warning: mini is not in MLflow yet" in done.stderr
    assert (project / "results/mini/metrics.json").is_file()
