import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from torch import nn

from pipeline.axes.activations import ACTIVATIONS
from pipeline.axes.architectures import ARCHITECTURES
from pipeline.axes.normalization import NORMALIZATIONS
from pipeline.axes.regularizers import REGULARIZERS
from pipeline.errors import DataError
from pipeline.evaluation.evaluate import evaluate
from pipeline.evaluation.files import Evaluation, load_evaluation, save_evaluation
from pipeline.experiments.champion import (
    SavedNetwork,
    choose_champion,
    crown,
    load_champion,
    predict,
    retrain,
    save_champion,
)
from pipeline.experiments.names import CHAMPION_FILE, CHAMPION_FOLDER
from pipeline.experiments.references import REFERENCES, reference_scores
from pipeline.grid import Network
from pipeline.strict_json import save_json
from pipeline.training.results import rows_of
from pipeline.training.study import train_networks
from tests.building import cell, train_together
from tests.damage import Flip, flipped, flips


@pytest.fixture(scope="module")
def study(mini):
    return mini.model_copy(update={"grid": mini.grid[:1], "training": mini.training.model_copy(update={"epochs": 2})})


@pytest.fixture(scope="module")
def results(params, study, digits, tmp_path_factory):
    """As the stage reads them: from files, where numbers are numpy's."""
    folder = tmp_path_factory.mktemp("results")
    trained = train_networks("mini", study, params, digits, study.networks())
    trained.save(folder)
    return trained._replace(networks=pd.read_parquet(folder / "networks.parquet"))


def staged(study, params, digits, results, folder: Path) -> Evaluation:
    """Return an evaluation as the stages make it, with their files."""
    found = crown("mini", study, params, digits, results.networks, folder / CHAMPION_FOLDER)
    save_json(found, folder / CHAMPION_FILE)
    found = json.loads((folder / CHAMPION_FILE).read_text())
    evaluation = evaluate(params, digits, results, found, pd.DataFrame())
    save_evaluation(evaluation, folder)
    return evaluation


def test_the_champion_has_the_best_validation_score_whatever_its_test_score(results) -> None:
    champion = choose_champion(results.networks)
    best = results.networks.sort_values(["val_accuracy", "val_loss"], ascending=[False, True]).iloc[0]
    assert champion is not None
    assert (champion.cell.activation, champion.cell.learning_rate, champion.seed) == (
        best["activation"], best["learning_rate"], best["seed"],
    )  # fmt: skip


def test_no_champion_where_all_diverged(results) -> None:
    assert choose_champion(results.networks.assign(status="diverged")) is None


def test_the_champion_trained_again_is_the_recorded_one_bit_for_bit(results, params, study, digits) -> None:
    champion = choose_champion(results.networks)
    again = retrain(champion, study, params, digits, results.networks)
    recorded = results.networks.query("val_accuracy == val_accuracy.max()").sort_values("val_loss").iloc[0]
    assert (again.reproduced, again.largest_difference) == ("bit for bit", 0.0)
    assert np.float32((again.labels == digits.split(0).test.y).mean()) == recorded["test_accuracy"]
    np.testing.assert_array_equal(predict(again.model, digits.split(0).test.x), again.labels)


@pytest.mark.parametrize(
    ("off", "reproduced", "difference"),
    [
        (1e-7, "within tolerance", pytest.approx(1e-7, rel=1e-3)),
        (0.5, "no", pytest.approx(0.5)),
        (np.nan, "no", None),
    ],
)
def test_a_champion_that_comes_out_different_is_reported_and_stops_nothing(
    off: float, reproduced: str, difference, results, params, study, digits, tmp_path: Path, capsys
) -> None:
    champion = choose_champion(results.networks)
    changed = results.networks.copy()
    changed.loc[changed["val_loss"] == rows_of(changed, champion)["val_loss"].iloc[0], "test_loss"] += off
    metrics = staged(study, params, digits, results._replace(networks=changed), tmp_path).metrics["champion"]
    assert (metrics["reproduced"], metrics["largest_difference"]) == (reproduced, difference)
    warning = capsys.readouterr().err
    assert ("warning" in warning) == (reproduced == "no")
    if reproduced == "no":
        for words in ("test_loss", "make verify", "dvc repro --force"):
            assert words in warning
    assert (tmp_path / "champion" / "weights.safetensors").is_file()
    for file in ("metrics.json", "champion.json"):
        json.loads((tmp_path / file).read_text(), parse_constant=pytest.fail)  # no NaN, no Infinity


def train_and_save(network: Network, params, study, digits, folder: Path) -> nn.Module:
    model = train_together([network], study, params, digits).networks.unstack(0)
    save_champion(model, SavedNetwork.of(network.cell, digits.card), digits.card, digits.split(0).scaler, folder)
    return model


KINDS = [{"activation": name} for name in (*ACTIVATIONS.names, "leaky_relu(slope=0.5)", "elu(alpha=0.25)")]
KINDS += [{"normalization": name} for name in (*NORMALIZATIONS.names, "before(eps=0.5)")]
KINDS += [{"architecture": name} for name in ARCHITECTURES.names if not ARCHITECTURES[name].recurrent]
KINDS += [{"regularization": name} for name in REGULARIZERS.names]
KINDS += [{"hidden": spelling} for spelling in ("none", "9", "16-9-3x5")]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(kind.values()))
def test_a_saved_champion_predicts_the_same(kind: dict[str, str], params, study, digits, tmp_path: Path) -> None:
    network = Network(cell(normalization="before")._replace(**kind), 0)
    model = train_and_save(network, params, study, digits, tmp_path)
    loaded = load_champion(tmp_path)
    x = torch.from_numpy(digits.split(0).test.x)
    np.testing.assert_array_equal(loaded(x).detach(), model(x).detach())
    np.testing.assert_array_equal(predict(loaded, digits.split(0).test.x), predict(model, digits.split(0).test.x))


@pytest.fixture(scope="module")
def saved(params, study, digits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    train_and_save(Network(cell("he_normal", "prelu", "before"), 0), params, study, digits, folder)
    return folder


@pytest.mark.parametrize("name", ["weights.safetensors", "network.json"])
@given(flip=flips)
@settings(max_examples=60, deadline=None)
def test_a_flipped_bit_in_a_champion_is_noticed(saved: Path, name: str, flip: Flip) -> None:
    with flipped(saved / name, flip), pytest.raises(DataError, match="damaged"):
        load_champion(saved)
    load_champion(saved)


def test_an_evaluation_comes_back_the_same(results, params, study, digits, tmp_path: Path) -> None:
    written = staged(study, params, digits, results, tmp_path)
    read = load_evaluation(tmp_path)
    pd.testing.assert_frame_equal(read.cells, written.cells)
    assert read.metrics == written.metrics
    assert np.trace(read.details["confusion"]) / len(digits.split(0).test.y) == pytest.approx(
        read.metrics["champion"]["test_accuracy"]
    )


def test_a_study_in_which_all_diverged_is_evaluated_too(results, params, study, digits, tmp_path: Path) -> None:
    lost = results.networks.assign(status="diverged", val_accuracy=0.1, val_loss=np.nan)
    evaluation = staged(study, params, digits, results._replace(networks=lost), tmp_path)
    assert evaluation.metrics["best_cell"] is None
    assert evaluation.metrics["diverged"] == len(lost)
    assert "champion" not in evaluation.metrics
    assert list((tmp_path / CHAMPION_FOLDER).iterdir()) == []


def test_references_beat_the_majority(digits) -> None:
    scores = reference_scores(REFERENCES, digits.split(0))
    assert scores["majority"]["val_accuracy"] == pytest.approx(0.1, abs=0.02)
    assert scores["logistic_regression"]["val_accuracy"] > 0.9
    assert scores["random_forest"]["val_accuracy"] > 0.9
