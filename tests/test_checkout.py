"""Where networks and MLflow's files are kept."""

from pathlib import Path

import pytest

from pipeline.checkout import checkout
from pipeline.tracking.runs import tracking_uri
from pipeline.training.store import NetworkStore


@pytest.mark.parametrize("copy", ["tmpab12", "standalone/tmpab12"])
def test_a_copy_that_dvc_makes_for_an_experiment_keeps_them_where_it_is_a_copy_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copy: str
) -> None:
    for variable in ("NETWORK_STORE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    assert (checkout(), tracking_uri(), NetworkStore().folder) == (Path(), "sqlite:///mlflow.db", Path(".networks"))
    folder = tmp_path / ".dvc/tmp/exps" / copy
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    assert checkout() == tmp_path
    assert NetworkStore().folder == tmp_path / ".networks"
    assert tracking_uri() == f"sqlite:///{tmp_path}/mlflow.db"
