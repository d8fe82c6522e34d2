import numpy as np
import pandas as pd
import pytest

from pipeline.params import ACTIVATIONS, INITIALIZERS
from pipeline.propagation.agreement import gaps, summarize
from pipeline.propagation.measure import Probe, Shape, propagation, setting_tables, shapes


@pytest.fixture(scope="module")
def probe(digits) -> Probe:
    x = digits.train.x.astype(np.float64)
    return Probe(x[:64], digits.train.y[:64], float(np.square(x).mean()), range(4))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_theory_and_measurement_agree_where_layers_are_wide(activation: str, params, probe) -> None:
    shape = Shape("wide", (64, *[400] * 6, 10))
    table = setting_tables(shape, activation, "none", params, probe, ["glorot_uniform", "he_normal", "critical"])
    found = gaps(table)
    assert len(found) == 3
    assert (found["signal_gap"] < 0.15).all()
    assert (found["gradient_gap"] < 0.35).all()


@pytest.mark.parametrize("placement", ["before", "after"])
def test_batch_norm_explodes_relus_gradients_as_predicted(placement, params, probe, digits) -> None:
    """By π / (π - 1) = 1.47 a layer; with a batch large enough that its statistics are the signal's."""
    many = probe._replace(x=digits.train.x[:512].astype(np.float64), y=digits.train.y[:512])
    shape = Shape("wide", (64, *[400] * 6, 10))
    table = setting_tables(shape, "relu", placement, params, many, ["he_normal"])
    growth = table["gradient"].to_numpy()[1:-1] / table["gradient"].to_numpy()[2:]
    np.testing.assert_allclose(growth, np.pi / (np.pi - 1), rtol=0.15)
    assert gaps(table)["gradient_gap"].item() < 0.3


@pytest.fixture(scope="module")
def table(params, mini, digits) -> pd.DataFrame:
    small = params.propagation.model_copy(update={"depth": 5, "width": 12, "seeds": 2, "samples": 32})
    return propagation("mini", mini, params.model_copy(update={"propagation": small}), digits)


def test_every_setting_and_layer_has_a_row(table: pd.DataFrame, mini) -> None:
    layers = {"study": len(mini.hidden_widths), "deep": 5}
    assert len(table) == len(INITIALIZERS) * len(ACTIVATIONS) * 3 * sum(layers.values())
    assert table.groupby("shape")["layer"].max().to_dict() == layers
    assert np.isfinite(table.drop(columns=["shape", "initializer", "activation", "batch_norm"])).all(axis=None)
    assert (table["signal_low"] <= table["signal"]).all()
    assert (table["signal"] <= table["signal_high"] * (1 + 1e-12)).all()


def test_one_worker_and_two_give_the_same(table: pd.DataFrame, params, mini, digits) -> None:
    small = params.propagation.model_copy(update={"depth": 5, "width": 12, "seeds": 2, "samples": 32})
    alone = params.compute.model_copy(update={"workers": 1})
    again = propagation("mini", mini, params.model_copy(update={"propagation": small, "compute": alone}), digits)
    pd.testing.assert_frame_equal(again, table, check_exact=True)


def test_the_summary_counts_where_the_theory_holds(table: pd.DataFrame) -> None:
    summary = summarize(table, tolerance=0.5)
    found = gaps(table)
    deep = found[(found["shape"] == "deep") & (found["batch_norm"] == "none")]
    assert summary["deep"]["plain"]["settings"] == len(deep) == 96
    assert summary["deep"]["plain"]["signal_holds"] == (deep["signal_gap"] <= 0.5).mean()


def test_a_measurement_that_is_lost_does_not_bear_the_theory_out() -> None:
    row = {"shape": "deep", "initializer": "he_normal", "activation": "relu", "batch_norm": "none", "layer": 1}
    ones = {"signal": 1.0, "signal_predicted": 1.0, "gradient": np.nan, "gradient_predicted": 1.0}
    (found,) = gaps(pd.DataFrame([row | ones])).to_dict("records")
    assert (found["signal_gap"], found["gradient_gap"]) == (0, np.inf)


def test_a_linear_study_has_the_deep_shape_alone(params, mini, digits) -> None:
    linear = mini.model_copy(update={"hidden": ()})
    assert [shape.name for shape in shapes(linear, params, digits)] == ["deep"]
