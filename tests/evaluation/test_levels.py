"""What each choice is worth, on tables whose answer is known."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from pipeline.config import load_params
from pipeline.data.prepare import prepare
from pipeline.evaluation.levels import Levels, summarize_levels
from pipeline.training.names import KEY
from tests.building import cell, hits_at
from tests.conftest import ROOT

ACTIVATIONS, INITIALIZERS, NORMS = ("relu", "sigmoid", "tanh"), ("he_normal", "lecun_normal"), ("none", "before")
WORTH = {"relu": 0.1, "tanh": 0.0, "sigmoid": -0.3}


def tables(rates: tuple[float, ...] = (0.01, 0.1)) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return networks whose accuracy depends on activation, a little on the seed, and is better at the highest rate."""
    cells = [cell(*levels) for levels in product(INITIALIZERS, ACTIVATIONS, NORMS, ["none"], rates)]
    networks = pd.DataFrame([(*one, seed) for one in cells for seed in range(4)], columns=KEY)
    networks = networks.assign(status="trained", tuned=False, health="healthy", epochs=3)
    accuracy = 0.7 + networks["activation"].map(WORTH) + 0.01 * networks["seed"]
    networks["val_accuracy"] = networks["test_accuracy"] = accuracy + 0.05 * (networks["learning_rate"] == max(rates))
    networks["train_accuracy"] = networks["test_accuracy"] + 0.03 * (networks["activation"] == "tanh")
    history = networks[[*KEY, "val_accuracy"]].merge(pd.DataFrame({"epoch": [1, 2, 3]}), how="cross")
    history["val_accuracy"] *= history["epoch"] / 3
    return networks, history


def levels_of(networks: pd.DataFrame, history: pd.DataFrame, limit: float = 0.1) -> Levels:
    card = prepare(load_params(ROOT / "params.yaml").study("mini").data).card
    return summarize_levels(networks, history, hits_at(networks, card), limit, 0.95)


def rows(table: pd.DataFrame, view: str = "best", axis: str = "activation") -> pd.DataFrame:
    return table[(table["view"] == view) & (table["axis"] == axis)].set_index("level")


def test_levels_have_their_accuracy_and_rank() -> None:
    levels = rows(levels_of(*tables()).table)
    middle = 0.7 + 0.05 + 0.015  # the seeds' middle two
    for activation, worth in WORTH.items():
        assert levels.loc[activation, "accuracy"] == pytest.approx(middle + worth)
    assert levels["mean_rank"].to_dict() == {"relu": 1.0, "tanh": 2.0, "sigmoid": 3.0}
    assert (levels["accuracy_low"] < levels["accuracy"]).all()
    assert (levels["networks"] == 16).all()
    assert levels["gap"].to_dict() == pytest.approx({"relu": 0, "tanh": 0.03, "sigmoid": 0})


def test_the_fixed_view_is_at_the_lowest_of_equally_frequent_rates() -> None:
    table = levels_of(*tables()).table
    best, fixed = (rows(table, view)["accuracy"] for view in ("best", "fixed"))
    np.testing.assert_allclose(best - fixed, 0.05)


def test_the_fixed_view_is_at_the_rate_of_most_of_all_networks() -> None:
    networks, history = tables()
    few = networks[(networks["learning_rate"] == 0.1) & (networks["normalization"] == "none")]
    few = few[few["activation"] == "relu"].assign(clipping="norm")
    table = levels_of(pd.concat([networks, few]), history).table
    best, fixed = (rows(table, view)["accuracy"] for view in ("best", "fixed"))
    np.testing.assert_allclose(best, fixed)


def test_activation_explains_what_it_alone_decides() -> None:
    explained = levels_of(*tables()).explained["best"]
    assert explained["activation"] == pytest.approx(1)
    assert sum(explained.values()) == pytest.approx(1)


def test_failures_are_shares_with_their_interval() -> None:
    networks, history = tables(rates=(0.1,))
    sigmoid = networks["activation"] == "sigmoid"
    networks.loc[sigmoid & (networks["seed"] == 0), "status"] = "diverged"
    networks.loc[sigmoid & (networks["seed"] == 0), ["val_accuracy", "test_accuracy"]] = 0.1
    networks.loc[sigmoid & (networks["seed"] == 1), ["val_accuracy"]] = 0.1
    levels = rows(levels_of(networks, history, 0.12).table)
    assert levels.loc["sigmoid", "diverged"] == levels.loc["sigmoid", "at_chance"] == 0.25
    assert levels.loc["sigmoid", "diverged_low"] < 0.25 < levels.loc["sigmoid", "diverged_high"]
    assert levels.loc["relu", "diverged"] == levels.loc["relu", "at_chance"] == 0
    assert 0 < levels.loc["relu", "diverged_high"] < 0.6  # as of 4 networks: those of a seed fail together


def test_epochs_are_counted_until_nine_tenths_of_the_best() -> None:
    levels = rows(levels_of(*tables(rates=(0.1,))).table)
    assert levels.loc["relu", ["reached", "epochs"]].tolist() == [1.0, 3.0]
    assert levels.loc["sigmoid", "reached"] == 0
    assert np.isnan(levels.loc["sigmoid", "epochs"])


def test_the_median_epoch_counts_those_that_never_arrive() -> None:
    networks, history = tables(rates=(0.1,))
    slow = networks["activation"].eq("relu") & networks["seed"].isin([0, 1])
    lost = history.merge(networks.loc[slow, KEY], on=KEY, how="left", indicator=True)["_merge"] == "both"
    history.loc[lost.to_numpy(), "val_accuracy"] = 0.1
    levels = rows(levels_of(networks, history).table)
    assert levels.loc["relu", ["reached", "epochs"]].tolist() == [0.5, 3.0]
    history.loc[(history["activation"] == "relu") & (history["seed"] < 3), "val_accuracy"] = 0.1
    levels = rows(levels_of(networks, history).table)
    assert levels.loc["relu", "reached"] == 0.25
    assert np.isnan(levels.loc["relu", "epochs"])


def test_a_level_that_was_not_combined_with_all_others_has_no_rank() -> None:
    networks, history = tables()
    extra = networks[(networks["activation"] == "relu") & (networks["normalization"] == "none")]
    extra = extra[extra["initializer"] == "he_normal"]
    networks = pd.concat([networks, extra.assign(initializer="standard_normal")])
    levels = levels_of(networks, history)
    assert rows(levels.table)["mean_rank"].to_dict() == {"relu": 1.0, "tanh": 2.0, "sigmoid": 3.0}
    assert rows(levels.table, axis="initializer")["mean_rank"].isna().all()
    assert levels.explained["best"]["activation"] == pytest.approx(1)
    assert levels.table["accuracy"].notna().all()


def test_a_level_that_all_networks_share_is_no_choice() -> None:
    networks, history = tables()
    plain = levels_of(networks, history)
    clipped = levels_of(networks.assign(clipping="norm"), history.assign(clipping="norm"))
    assert set(plain.table["axis"]) == {"activation", "initializer", "normalization"}
    pd.testing.assert_frame_equal(clipped.table, plain.table)
    assert clipped.explained == plain.explained


def test_levels_that_were_tried_on_a_few_settings_are_left_out_with_their_networks() -> None:
    networks, history = tables()
    few = networks[(networks["activation"] == "relu") & (networks["normalization"] == "none")]
    more = [few.assign(clipping=mode, test_accuracy=0.0) for mode in ("value", "norm", "global_norm")]
    plain = levels_of(networks, history)
    levels = levels_of(pd.concat([networks, *more]), history)
    pd.testing.assert_frame_equal(levels.table, plain.table)
    assert levels.explained == plain.explained


def test_an_axis_that_was_tried_on_every_setting_has_levels() -> None:
    networks, history = tables()
    better = {score: networks[score] + 0.02 for score in ("val_accuracy", "test_accuracy")}
    clipped = networks.assign(clipping="norm", **better)
    levels = levels_of(pd.concat([networks, clipped]), history)
    accuracy = rows(levels.table, axis="clipping")["accuracy"]
    assert accuracy["norm"] - accuracy["none"] == pytest.approx(0.02)
    assert set(levels.table["axis"]) == {"activation", "initializer", "normalization", "clipping"}


def test_where_nothing_is_varied_there_are_no_levels() -> None:
    networks, history = tables()
    one = (networks["activation"] == "relu") & (networks["initializer"] == "he_normal")
    one &= networks["normalization"] == "none"
    levels = levels_of(networks[one], history)
    assert levels.table.empty
    assert not any(levels.explained.values())


def test_networks_that_diverged_at_once_reach_nothing() -> None:
    networks, history = tables()
    lost = networks.assign(status="diverged", val_accuracy=0.1, test_accuracy=0.1)
    levels = rows(levels_of(lost, history.iloc[:0]).table)
    assert (levels[["diverged", "reached"]] == [1, 0]).all(axis=None)
    assert (levels["accuracy"] == 0.1).all()
