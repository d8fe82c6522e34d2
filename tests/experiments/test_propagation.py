import numpy as np
import pandas as pd
import pytest

from pipeline.axes.activations import ACTIVATIONS
from pipeline.axes.initializers import INITIALIZERS
from pipeline.evaluation.agreement import gaps, summarize
from pipeline.experiments.names import PROPAGATION_SETTING
from pipeline.experiments.propagation import Probe, Start, propagation, setting_tables, starts
from tests.building import build, cell

PLACEMENTS = ("none", "before", "after")
EDGELESS = ("softplus",)
"""Activations that have no critical initialisation."""
UNPREDICTED = ("identity",)
"""Initializers of which the theory says nothing."""
SETTINGS = len(INITIALIZERS) * len(ACTIVATIONS) - len(EDGELESS)


@pytest.fixture(scope="module")
def probe(digits) -> Probe:
    x = digits.split(0).train.x.astype(np.float64)
    return Probe(x[:64], digits.split(0).train.y[:64], float(np.square(x).mean()), range(8))


WIDE = (64, *[400] * 6, 10)


def start(activation: str, normalization: str, initializers: tuple[str, ...]) -> Start:
    design = build(WIDE, activation, normalization).design
    return Start("wide", design, tuple(INITIALIZERS.parse(name) for name in initializers))


@pytest.mark.parametrize("activation", ACTIVATIONS.names)
def test_theory_and_measurement_agree_where_layers_are_wide(activation: str, probe) -> None:
    initializers = ("glorot_uniform", "he_normal") + ("critical",) * (activation not in EDGELESS)
    found = gaps(setting_tables(start(activation, "none", initializers), probe))
    assert len(found) == len(initializers)
    assert (found["signal_gap"] < 0.15).all()
    assert (found["gradient_gap"] < 0.35).all()


@pytest.mark.parametrize("placement", ["before", "after"])
def test_batch_norm_explodes_relus_gradients_as_predicted(placement, probe, digits) -> None:
    """By π / (π - 1) = 1.47 a layer; with a batch large enough that its statistics are the signal's."""
    many = probe._replace(x=digits.split(0).train.x[:512].astype(np.float64), y=digits.split(0).train.y[:512])
    table = setting_tables(start("relu", placement, ("he_normal",)), many)
    growth = table["gradient"].to_numpy()[1:-1] / table["gradient"].to_numpy()[2:]
    np.testing.assert_allclose(growth, np.pi / (np.pi - 1), rtol=0.15)
    assert gaps(table)["gradient_gap"].item() < 0.3


@pytest.fixture(scope="module")
def small(params):
    changed = {"depth": 5, "width": 12, "seeds": 2, "samples": 32}
    return params.model_copy(update={"propagation": params.propagation.model_copy(update=changed)})


@pytest.fixture(scope="module")
def every(mini):
    """A study of every initializer, activation and placement; what does not show before the first step, twice."""
    whole = mini.grid[0].model_copy(update={
        "initializer": INITIALIZERS.names, "activation": tuple(n for n in ACTIVATIONS.names if n not in EDGELESS),
        "normalization": PLACEMENTS, "regularization": ("none", "l2"), "optimizer": ("sgd", "adam"),
        "clipping": ("none", "norm"), "learning_rate": (0.1,), "seed": (0,),
    })  # fmt: skip
    others = {"initializer": tuple(n for n in INITIALIZERS.names if n != "critical"), "activation": EDGELESS}
    return mini.model_copy(update={"grid": (whole, whole.model_copy(update=others))})


@pytest.fixture(scope="module")
def table(small, every, digits) -> pd.DataFrame:
    return propagation("mini", every, small, digits)


def test_every_setting_and_layer_has_a_row(table: pd.DataFrame, every) -> None:
    layers = {"study": len(every.hidden_widths), "deep": 5}
    assert len(table) == SETTINGS * len(PLACEMENTS) * sum(layers.values())
    assert table.groupby("shape")["layer"].max().to_dict() == layers
    assert not table.duplicated([*PROPAGATION_SETTING, "layer"]).any()
    silent = table["initializer"].isin(UNPREDICTED)
    foretold = table[["signal_predicted", "gradient_predicted"]]
    assert np.isfinite(table.drop(columns=[*PROPAGATION_SETTING, *foretold])).all(axis=None)
    assert np.isfinite(foretold[~silent]).all(axis=None)
    assert foretold[silent].isna().all(axis=None)
    assert (table["signal_low"] <= table["signal"]).all()
    assert (table["signal"] <= table["signal_high"] * (1 + 1e-12)).all()


def test_settings_are_those_that_the_grid_names(mini, small, digits) -> None:
    table = propagation("mini", mini, small, digits)
    for _, rows in table.groupby("shape"):
        settings = rows[["initializer", "activation", "normalization"]].itertuples(index=False, name=None)
        cells = {network.cell for network in mini.networks()}
        assert {*settings} == {(cell.initializer, cell.activation, cell.normalization) for cell in cells}


def test_a_level_with_settings_is_measured_as_it_is_spelled(mini, small, digits) -> None:
    levels = ("leaky_relu", "leaky_relu(slope=0.5)", "relu")
    block = mini.grid[0].model_copy(update={"activation": levels, "normalization": ("none",)})
    table = propagation("mini", mini.model_copy(update={"grid": (block,)}), small, digits)
    assert {*table["activation"]} == {*levels}
    signals = table[table["layer"] == table["layer"].max()].groupby("activation")["signal"].mean()
    assert signals["relu"] < signals["leaky_relu"] < signals["leaky_relu(slope=0.5)"]


def test_one_worker_and_two_give_the_same(table: pd.DataFrame, small, every, digits) -> None:
    alone = small.compute.model_copy(update={"workers": 1})
    again = propagation("mini", every, small.model_copy(update={"compute": alone}), digits)
    pd.testing.assert_frame_equal(again, table, check_exact=True)


def test_the_summary_counts_where_the_theory_holds(table: pd.DataFrame) -> None:
    summary = summarize(table, tolerance=0.5)
    found = gaps(table)
    deep = found[(found["shape"] == "deep") & (found["normalization"] == "none")]
    assert summary["deep"]["plain"]["settings"] == len(deep) == SETTINGS - len(UNPREDICTED) * len(ACTIVATIONS)
    assert summary["deep"]["plain"]["signal_holds"] == (deep["signal_gap"] <= 0.5).mean()


def test_a_measurement_that_is_lost_does_not_bear_the_theory_out() -> None:
    row = {"shape": "deep", "layer": 1} | cell()._asdict()
    ones = {"signal": 1.0, "signal_predicted": 1.0, "gradient": np.nan, "gradient_predicted": 1.0}
    (found,) = gaps(pd.DataFrame([row | ones])).to_dict("records")
    assert (found["signal_gap"], found["gradient_gap"]) == (0, np.inf)


def test_a_linear_study_has_the_deep_shape_alone(params, mini, digits) -> None:
    linear = mini.model_copy(update={"hidden": ()})
    assert {start.shape for start in starts(linear, params, digits)} == {"deep"}
