import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pipeline.axes.activations import ACTIVATIONS
from pipeline.axes.initializers import INITIALIZERS
from pipeline.evaluation.agreement import ERROR_RATE, gaps, summarize, verdicts
from pipeline.experiments.names import PROPAGATION_SETTING
from pipeline.experiments.propagation import (
    Measured,
    Probe,
    Start,
    compared,
    predicted,
    propagation,
    setting_tables,
    starts,
    student,
)
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


NARROW = (64, *[64] * 20, 10)
FOLLOW = ("relu", "tanh", "selu", "gelu")


@pytest.mark.parametrize("initializer", ["he_normal", "lecun_uniform", "orthogonal", "critical"])
def test_networks_of_finite_width_are_within_their_band(initializer: str, probe) -> None:
    """Sixteen: layers are off by up to a factor of e, as they should be."""
    many = probe._replace(x=probe.x[:1], y=probe.y[:1], seeds=range(16))
    for activation in FOLLOW:
        design = build(NARROW, activation).design
        (_, row), *_ = setting_tables(Start("deep", design, (INITIALIZERS.parse(initializer),)), many).iterrows()
        # Of 32 tests one is below by chance in a hundred runs.
        assert not row[["signal_p", "gradient_p"]].lt(0.01 / 32).any(), activation


def test_the_band_is_of_one_network(probe) -> None:
    """Of networks that were never measured before, 95 % lie in it in each layer."""
    many = probe._replace(seeds=range(40), x=probe.x[:1], y=probe.y[:1])
    design = build((64, *[64] * 20, 10), "relu").design
    table = setting_tables(Start("deep", design, (INITIALIZERS.parse("he_normal"),)), many)
    spread = np.log(table["signal_predicted_high"] / table["signal_predicted_low"]).to_numpy()
    np.testing.assert_allclose(spread[10:], 2 * 1.96 * np.sqrt(5 * np.arange(11, 21) / 64), rtol=0.15)
    assert np.log(table["signal_high"] / table["signal_low"]).iloc[-1] > spread[-1] / 2


def test_a_wrong_prediction_is_off(probe) -> None:
    """A theory that is told that the weights are LeCun's is wrong by a factor of 2 a layer."""
    design = build(WIDE, "relu").design
    he, lecun = (INITIALIZERS.parse(name) for name in ("he_normal", "lecun_normal"))
    table = setting_tables(Start("wide", design, (he,)), probe)
    whole = Measured(*(np.tile(table[name].to_numpy(), (8, 1)) for name in Measured._fields))
    found = compared(design, lecun, probe, predicted(design, lecun, probe), whole, whole)
    assert (found["signal_p"] < 0.005).all()
    assert (found["gradient_p"] < 0.005).all()


@pytest.mark.parametrize("architecture", ["residual", "recurrent"])
def test_without_a_band_students_t_compares_with_infinite_width(architecture: str, probe) -> None:
    shape, hidden = ((8, 8), (300,) * 5) if architecture == "recurrent" else ((64,), (300,) * 5)
    design = build((64, *hidden, 10), "tanh", architecture=architecture, shape=shape).design
    table = setting_tables(Start("deep", design, (INITIALIZERS.parse("he_normal"),)), probe)
    assert table[["signal_z", "signal_predicted_low", "gradient_z"]].isna().all(axis=None)
    assert table[["signal_p", "gradient_p"]].notna().all(axis=None)


def test_students_t_is_students() -> None:
    gaps = np.array([0.3, -0.1, 0.4])
    assert student(gaps) == pytest.approx(stats.ttest_1samp(gaps, 0).pvalue)
    assert student(np.zeros(3)) == 1
    assert student(np.array([0.0, np.nan, 1.0])) == 0
    assert np.isnan(student(gaps[:1]))


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
    tests = table.columns[table.columns.str.contains("_predicted_|_z|_p$")]
    assert np.isfinite(table.drop(columns=[*PROPAGATION_SETTING, *foretold, *tests])).all(axis=None)
    assert table.loc[silent, tests].isna().all(axis=None)
    bands = table[~silent & (table["normalization"] == "none")]
    assert (bands["signal_predicted_low"] <= bands["signal_predicted_high"]).all()
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
    plain = summarize(table)["deep"]["plain"]
    p = table[(table["shape"] == "deep") & (table["normalization"] == "none") & (table["layer"] == 1)]
    p = p.dropna(subset="signal_predicted")["signal_p"]
    assert plain["settings"] == len(p) == SETTINGS - len(UNPREDICTED) * len(ACTIVATIONS)
    assert plain["signal_holds"] == (p >= ERROR_RATE).sum()
    assert plain["signal_off"] == (p < ERROR_RATE).sum()
    assert plain["signal_not_predictable"] == p.isna().sum() > 0  # 12 units are few


def test_a_measurement_that_is_lost_does_not_bear_the_theory_out() -> None:
    row = {"shape": "deep", "layer": 1} | cell()._asdict()
    ones = {"signal": 1.0, "signal_predicted": 1.0, "gradient": np.nan, "gradient_predicted": 1.0}
    (found,) = gaps(pd.DataFrame([row | ones])).to_dict("records")
    assert (found["signal_gap"], found["gradient_gap"]) == (0, np.inf)


def test_a_verdict_goes_by_the_p_value() -> None:
    row = {"shape": "deep", "layer": 1, "signal_predicted": 1.0} | cell()._asdict()
    for p, verdict in ((0.06, "holds"), (0.04, "off"), (np.nan, "not predictable")):
        (found,) = verdicts(pd.DataFrame([row | {"signal_p": p, "gradient_p": 0.5}])).to_dict("records")
        assert (found["signal_verdict"], found["gradient_verdict"]) == (verdict, "holds")


def test_a_linear_study_has_the_deep_shape_alone(params, mini, digits) -> None:
    linear = mini.model_copy(update={"hidden": ()})
    assert {start.shape for start in starts(linear, params, digits)} == {"deep"}
