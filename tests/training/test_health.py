"""The layers' health, on networks that are really trained."""

from itertools import pairwise, product

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional as F

from pipeline.config.schema import Verdicts
from pipeline.config.study import Looks
from pipeline.grid import Network
from pipeline.training.names import KEY, MEASURES
from pipeline.training.results import rows_of
from pipeline.training.study import train_networks
from pipeline.verdicts import VERDICTS, verdicts
from tests.building import cell, train_together


def short(mini, epochs: int = 2):
    return mini.model_copy(update={"training": mini.training.model_copy(update={"epochs": epochs})})


def watching(params, epochs, samples: int = 128):
    return params.model_copy(
        update={
            "health": params.health.model_copy(update={"epochs": epochs, "samples": samples}),
            "compute": params.compute.model_copy(update={"workers": 1}),
        }
    )


def train(params, study, digits, *networks: Network):
    return train_networks("mini", study, watching(params, (0, 1, "last")), digits, networks)


def plain(
    initializer: str, activation: str, rate: float, clipping: str = "none", seed: int = 0, hidden: str = "2x16"
) -> Network:
    return Network(cell(initializer, activation, "none", clipping, rate, hidden=hidden), seed)


# --- verdicts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("initializer", "activation", "rate", "hidden", "allowed"),
    [
        ("standard_normal", "sigmoid", 0.1, "3x64", {"saturated"}),
        ("lecun_normal", "sigmoid", 0.1, "20x50", {"vanishing"}),
        ("he_normal", "relu", 30.0, "3x64", {"dying", "diverged"}),
        ("lecun_normal", "selu", 0.03, "20x50", {"healthy"}),
        ("standard_normal", "relu", 1000.0, "3x64", {"diverged"}),
    ],
)
def test_trained_networks_get_the_verdict_that_the_theory_expects(
    initializer, activation, rate, hidden, allowed, params, mini, digits
) -> None:
    networks = [plain(initializer, activation, rate, seed=seed, hidden=hidden) for seed in range(3)]
    results = train(params, short(mini), digits, *networks)
    assert set(results.networks["health"]) <= allowed


def record(**columns: list[float]) -> dict:
    """Return a record of one network with two hidden layers; the output layer has no activation."""
    defaults = {"dead": [0, 0], "saturated": [0, 0], "gradient": [1, 1]}
    return {name: np.array([[*values, np.nan]]) for name, values in (defaults | columns).items()}


@pytest.mark.parametrize(
    ("columns", "verdict"),
    [
        ({}, "healthy"),
        ({"dead": [0.1, 0.75]}, "dying"),
        ({"saturated": [0.5, 0.0]}, "saturated"),
        ({"saturated": [0.5, 0.0], "dead": [0.9, 0.0]}, "dying"),
        ({"gradient": [1e-3, 1.0]}, "vanishing"),
        ({"gradient": [0.0, 1.0]}, "vanishing"),
        ({"gradient": [401.0, 1.0]}, "exploding"),
        ({"gradient": [1.0, 0.0]}, "exploding"),
        ({"gradient": [399.0, 1.0]}, "healthy"),
        ({"gradient": [0.0, 0.0]}, "healthy"),
        ({"gradient": [np.nan, 1.0]}, "healthy"),
    ],
)
def test_verdicts_follow_their_thresholds(columns: dict, verdict: str) -> None:
    thresholds = Verdicts(dead=0.75, saturated=0.5, gradient_ratio=20.0)
    assert verdicts(np.array([True]), record(**columns), thresholds) == [verdict]
    assert verdicts(np.array([False]), record(**columns), thresholds) == ["diverged"]
    assert verdict in VERDICTS


def test_networks_that_nobody_looked_at_get_no_verdict(params, mini, digits) -> None:
    networks = [plain("he_normal", "relu", 0.1), plain("standard_normal", "relu", 1e3)]
    results = train_networks("mini", short(mini), watching(params, ()), digits, networks)
    assert results.networks["health"].isna().tolist() == [True, False]
    assert len(results.layers) == 0
    assert set(results.layers) == {*KEY, "epoch", "layer", *MEASURES}


def test_a_linear_model_is_healthy(params, mini, digits) -> None:
    results = train(params, short(mini), digits, plain("lecun_normal", "relu", 0.1, hidden="none"))
    assert results.networks["health"].tolist() == ["healthy"]
    assert results.layers["gradient_norm"].notna().all()
    assert results.layers["dead"].isna().all()


# --- what is recorded -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def results(params, mini, digits):
    networks = [
        plain("he_normal", "relu", 0.1, clipping, seed, hidden="16-12")
        for clipping in ("none", "value", "norm", "global_norm")
        for seed in (0, 1)
    ] + [plain("standard_normal", "relu", 1000.0, hidden="16-12")]
    return train(params, short(mini, epochs=3), digits, *networks)


def test_every_network_epoch_and_layer_has_a_row(results) -> None:
    for network in results.networks.to_dict("records"):
        rows = results.layers[(results.layers[KEY] == pd.Series({key: network[key] for key in KEY})).all(axis=1)]
        epochs = [epoch for epoch in (0, 1, 3) if epoch <= network["epochs"]]
        assert list(zip(rows["epoch"], rows["layer"], strict=True)) == list(product(epochs, (1, 2, 3)))


def test_units_that_are_off_are_counted_and_those_that_wake_up(params, mini, digits) -> None:
    """Against the units themselves, one network at a time; a leaky unit is off where all that it takes is negative."""
    seen: dict[int, list[np.ndarray]] = {}
    lost: list[bool] = []
    dying = [plain("he_normal", "relu", 1.0, clipping, hidden="24-10") for clipping in ("none", "norm")]
    networks = [*dying, plain("standard_normal", "leaky_relu(slope=0.01)", 0.3, hidden="24-10")]
    for network in networks:
        seen.clear()

        def look(module) -> None:
            x = torch.from_numpy(digits.split(0).train.x)
            layers = module.networks.unstack(0)
            seen[len(module.history)] = [(layers[: 2 * layer + 1](x) <= 0).all(0).numpy() for layer in range(2)]

        study = short(mini, epochs=4).model_copy(update={"health": Looks(epochs=(1, 2, "last"), samples=100_000)})
        train_together([network], study, params, digits, after_epoch=look)
        layers = train_networks("mini", study, params, digits, [network]).layers
        table = layers.set_index(["epoch", "layer"])
        assert sorted(set(layers["epoch"])) == [1, 2, 4]
        for layer in range(2):
            for before, epoch in ((None, 1), (1, 2), (2, 4)):
                off = seen[epoch][layer]
                assert table.loc[(epoch, layer + 1), "off"] == pytest.approx(off.mean())
                if network.cell.activation == "relu":
                    assert table.loc[(epoch, layer + 1), "dead"] == table.loc[(epoch, layer + 1), "off"]
                lost.append(off.any())
                were = seen[before][layer] if before else np.zeros(0, bool)
                woken = table.loc[(epoch, layer + 1), "woken"]
                assert np.isnan(woken) if not were.any() else woken == pytest.approx((were & ~off).sum() / were.sum())
    assert any(lost)


def test_the_first_gradient_is_that_of_plain_layers_on_the_first_batch(params, mini, digits) -> None:
    from pipeline.training.order import Epochs

    study = short(mini, epochs=1)
    network = plain("glorot_uniform", "tanh", 0.1, seed=4, hidden="16-12")
    module = train_together([network], study, watching(params, (0,)), digits)
    still = network._replace(cell=network.cell._replace(learning_rate=1e-30))
    fresh = train_together([still], study, params, digits).networks.unstack(0)
    x, y = map(torch.from_numpy, digits.split(4).train)
    (order,) = Epochs([4], [np.arange(len(y))], lambda: 0)
    batch = order[0, : network.cell.batch_size]
    F.cross_entropy(fresh(x[batch]), y[batch]).backward()
    weights = [p for p in fresh.parameters() if p.dim() == 2]
    norms = [float(w.grad.norm()) for w in weights]
    recorded = module.health.records[0]
    np.testing.assert_allclose(recorded["gradient_norm"][0], norms, rtol=1e-4)
    ratios = [0.1 * n / float(w.detach().norm()) for n, w in zip(norms, weights, strict=True)]
    np.testing.assert_allclose(recorded["update_ratio"][0], ratios, rtol=1e-3)


def test_clipping_shows_in_the_norms_and_the_share_of_steps(params, mini, digits) -> None:
    tight = ("none", "value(threshold=0.0001)", "norm(threshold=0.001)", "global_norm(threshold=0.001)")
    networks = [plain("he_normal", "relu", 0.1, clipping) for clipping in tight]
    layers = train(params, short(mini), digits, *networks).layers
    for network in networks:
        rows = rows_of(layers, network)
        if network.cell.clipping == "none":
            assert (rows["clipped_norm"] == rows["gradient_norm"]).all()
            assert (rows["clipped_share"] == 0).all()
            continue
        assert (rows["clipped_norm"] < rows["gradient_norm"]).all()
        assert (rows["clipped_share"] == 1).all()
        if network.cell.clipping.startswith("norm"):
            np.testing.assert_allclose(rows["clipped_norm"], 1e-3, rtol=1e-5)


def test_prelus_slopes_move_from_their_start(params, mini, digits) -> None:
    network = plain("he_normal", "prelu", 0.1)
    rows = rows_of(train(params, short(mini), digits, network).layers, network)
    hidden = rows[rows["layer"] < 3]
    assert (hidden.query("epoch == 0")["prelu_slope"] == 0).all()
    assert (hidden.query("epoch > 0")["prelu_slope"] != 0).all()


def test_looking_does_not_change_what_is_trained(params, mini, digits) -> None:
    networks = [plain("he_normal", "rrelu", 0.1, clipping) for clipping in ("none", "norm")]
    normed = [n._replace(cell=n.cell._replace(normalization="after")) for n in networks]
    for chosen in (networks, normed):
        with_health, without = (
            train_networks("mini", short(mini), watching(params, epochs), digits, chosen)
            for epochs in ((0, 1, "last"), ())
        )
        for table in ("networks", "history"):
            a, b = (getattr(r, table).drop(columns="health", errors="ignore") for r in (with_health, without))
            pd.testing.assert_frame_equal(a, b, check_exact=True)


def test_vanishing_gradients_leave_the_lower_layers_weights_nearly_unchanged(params, mini, digits) -> None:
    network = plain("lecun_normal", "sigmoid", 0.1, hidden="10x32")
    rows = rows_of(train(params, short(mini), digits, network).layers, network).query("epoch == 2")
    ratios = rows["update_ratio"].tolist()
    assert ratios[0] < 1e-4 * ratios[-1]
    assert all(low < high for low, high in pairwise(ratios[:-2]))
