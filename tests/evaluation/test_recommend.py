"""Which setting to take, on a handful of networks whose answer is known."""

import pandas as pd
import pytest

from pipeline.evaluation.recommend import most_robust, recommend, simplest
from tests.building import cell, hits_at

ROWS = [
    # initializer, activation, normalization, clipping, rate, accuracies of seeds 0 and 1
    ("he_normal", "relu", "before", "none", 0.1, (0.99, 0.97)),
    ("he_normal", "relu", "before", "none", 0.01, (0.60, 0.61)),
    ("lecun_normal", "selu", "none", "none", 0.1, (0.97, 0.984)),
    ("lecun_normal", "selu", "none", "none", 0.01, (0.80, 0.80)),
    ("critical", "tanh", "none", "none", 0.1, (0.978, 0.978)),
    ("critical", "tanh", "none", "none", 0.01, (0.95, 0.95)),
    ("he_normal", "tanh", "none", "none", 0.1, (0.9, 0.9)),
    ("he_normal", "prelu", "none", "norm", 0.1, (0.999, None)),  # and guesses
]


@pytest.fixture
def networks() -> pd.DataFrame:
    return pd.DataFrame(
        cell(*levels)._asdict()
        | {"seed": seed, "val_accuracy": accuracy or 0.1, "test_accuracy": accuracy or 0.1}
        | {"status": "trained" if accuracy else "diverged", "tuned": False}
        for *levels, accuracies in ROWS
        for seed, accuracy in enumerate(accuracies)
    ).astype({"val_accuracy": float, "test_accuracy": float})


@pytest.fixture
def take(digits):
    """Returns what is recommended of a table."""
    return lambda table, margin: recommend(table, hits_at(table, digits.card), margin, 0.95)


def test_those_within_the_margin_come_near_the_best(networks, take) -> None:
    settings = take(networks, 0.005)
    assert [setting["activation"] for setting in settings] == ["relu", "tanh", "selu"]
    assert [setting["val_accuracy"] for setting in settings] == pytest.approx([0.98, 0.978, 0.977])
    assert [setting["difference"] for setting in settings] == pytest.approx([0, -0.002, -0.003])
    assert settings[2]["low"] < -0.003 < settings[2]["high"]
    assert [setting["improvement"] for setting in settings[1:]] == [0.5, 0.5]  # on one seed of two
    assert [setting["standing"] for setting in settings] == [
        "equivalent",
        "open",
        "open",
    ]  # which two seeds cannot tell
    assert len(take(networks, 0.001)) == 1


def test_where_a_setting_stands_the_test_part_says(digits) -> None:
    """Beside the best: its own networks under another name; others that differ little; others that do worse there."""
    rows = []
    for activation, validated, tested in (
        ("relu", 0.98, 0.97), ("elu", 0.979, 0.97), ("tanh", 0.978, 0.969), ("selu", 0.977, 0.8),
    ):  # fmt: skip
        cell_ = cell(activation=activation)._asdict()
        scores = {"val_accuracy": validated, "test_accuracy": tested}
        rows += [cell_ | scores | {"seed": seed} for seed in range(10)]
    table = pd.DataFrame(rows).assign(status="trained", tuned=False)
    found = {one["activation"]: one for one in recommend(table, hits_at(table, digits.card), 0.005, 0.95)}
    assert {name: one["standing"] for name, one in found.items()} == {
        "relu": "equivalent", "elu": "equivalent", "tanh": "equivalent", "selu": "different",
    }  # fmt: skip
    assert found["elu"]["p_equivalent"] == 0
    assert found["selu"]["p_sign"] < 0.001


def test_the_simplest_has_the_fewest_parts(networks, take) -> None:
    settings = take(networks, 0.005)
    assert [setting["parts"] for setting in settings] == [1, 1, 0]
    assert simplest(settings)["activation"] == "selu"


def test_the_most_robust_has_the_best_worst_network_over_rates_and_seeds(networks, take) -> None:
    settings = take(networks, 0.005)
    assert [setting["lowest"] for setting in settings] == [0.60, 0.95, 0.80]
    assert most_robust(settings)["activation"] == "tanh"


def test_a_setting_in_which_a_network_diverged_is_not_recommended(networks, take) -> None:
    assert "prelu" not in {setting["activation"] for setting in take(networks, 0.5)}
    assert take(networks[networks["activation"] == "prelu"], 0.005) == []
