"""What was published stands beside the right networks."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pipeline.evaluation.published import beside, expected, load_published
from pipeline.experiments.names import TRANSFER_SETTING
from pipeline.experiments.transfer.networks import networks_of_a, networks_of_b
from pipeline.grid import AXES
from tests.building import cell

SCORES = ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "test_loss", "test_accuracy")


def grid_of(params, study: str) -> pd.DataFrame:
    """Return the networks of a study, without scores."""
    networks = params.study(study).networks()
    return pd.DataFrame([(*network.cell, network.seed) for network in networks], columns=[*AXES, "seed"])


def transfer_of(params, study: str) -> pd.DataFrame:
    rows = []
    for name, experiment in params.transfer.get(study, {}).items():
        for network in [*networks_of_a(experiment, 1000), *networks_of_b(experiment)]:
            rows.append([name, network.task, network.method, *network[1:]])
    return pd.DataFrame(rows, columns=[*TRANSFER_SETTING, "seed"])


@pytest.mark.parametrize("name", load_published())
def test_a_published_run_is_one_setting_of_its_study_on_enough_seeds(name: str, params) -> None:
    known = load_published()[name]
    tables = {"networks": grid_of(params, known.study), "transfer": transfer_of(params, known.study)}
    rows = known.rows(tables)
    setting = list(AXES) if known.table == "networks" else TRANSFER_SETTING
    assert len(rows[setting].drop_duplicates()) == 1
    assert len(rows) == rows["seed"].nunique() >= 10


@pytest.mark.parametrize("name", load_published())
def test_the_studies_train_as_the_notebook_does(name: str, params) -> None:
    known = load_published()[name]
    study = params.study(known.study)
    third = "3rd edition" in known.source
    assert study.data.split.validation == 5000
    assert study.data.split.validation_at == ("end" if third else "start")
    assert study.data.scaling == ("standardize" if known.study == "fashion_deep" else "unit")
    if known.table == "networks":
        assert study.training.batch_size == 32
        assert "glorot_uniform" in known.where["initializer"]  # the output layer's, which the notebook leaves to Keras
    else:
        experiment = params.transfer[known.study][known.where["experiment"]]
        assert (experiment.training.epochs, experiment.frozen_epochs, experiment.choose) == (20, 4, "first")


def test_beside_says_where_a_further_run_is_expected() -> None:
    axes = cell("he_normal(output=glorot_uniform)", "prelu", learning_rate=0.001, hidden="300-100")._asdict()
    rows = pd.DataFrame([axes | dict.fromkeys(SCORES, 0.84 + 0.001 * seed) | {"seed": seed} for seed in range(5)])
    found = beside("fashion_notebook", rows, pd.DataFrame(), 0.95).set_index("score")
    assert set(found["name"]) == {"prelu"}
    row = found.loc["val_accuracy"]
    assert (row["published"], row["runs"]) == (0.8398, 5)
    assert row["mean"] == pytest.approx(0.842)
    half = stats.t.ppf(0.975, 4) * np.std(0.001 * np.arange(5), ddof=1) * math.sqrt(1 + 1 / 5)
    assert row["high"] - row["mean"] == pytest.approx(half)
    assert row["inside"]
    assert not found.loc["val_loss", "inside"]
    other_rate = rows.assign(learning_rate=0.01)
    assert beside("fashion_notebook", other_rate, pd.DataFrame(), 0.95).empty
    assert beside("digits", rows, pd.DataFrame(), 0.95).empty


def test_no_accuracy_is_expected_beyond_its_bounds() -> None:
    values = np.array([0.97, 0.99, 0.95, 0.99, 1.0])
    assert expected("test_accuracy", values, 0.95).high == 1
    assert expected("test_loss", values, 0.95).high > 1
