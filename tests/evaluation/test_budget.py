"""Whether a study gave its networks enough: on tables whose answer is known."""

import numpy as np
import pandas as pd
import pytest

from pipeline.evaluation.budget import budget
from pipeline.grid import AXES
from tests.building import cell


def networks(*rates: tuple[str, float, float, bool]) -> pd.DataFrame:
    """Return networks of two seeds by activation, learning rate, validation accuracy, and whether it was tuned."""
    return pd.DataFrame(
        cell("he_normal", activation, "none", "none", rate)._asdict()
        | {"seed": seed, "val_accuracy": accuracy, "tuned": tuned}
        for activation, rate, accuracy, tuned in rates
        for seed in (0, 1)
    )


def history(table: pd.DataFrame, gain: float, epochs: int = 6) -> pd.DataFrame:
    curves = table[[*AXES, "seed"]].merge(pd.DataFrame({"epoch": range(1, epochs + 1)}), how="cross")
    return curves.assign(val_accuracy=0.5 + gain * curves["epoch"])


def test_a_rate_is_at_the_edge_where_no_larger_or_no_smaller_one_was_tried() -> None:
    table = networks(
        ("relu", 0.01, 0.8, False), ("relu", 0.1, 0.9, False), ("relu", 1.0, 0.7, False),  # between two others
        ("elu", 0.01, 0.8, False), ("elu", 0.1, 0.9, False),  # the larger of two
        ("tanh", 0.1, 0.9, False),  # the only one
        ("gelu", 0.3, 0.9, True), ("selu", 1.0, 0.9, True),
    )  # fmt: skip
    tried = networks(
        *(("gelu", rate, 0.5, True) for rate in (0.1, 0.3, 1.0)), *(("selu", rate, 0.5, True) for rate in (0.3, 1.0))
    )
    found = budget(table, history(table, 0.01), tried)
    assert (found.settings, found.edge, found.one_rate) == (5, 2, 1)
    assert found.gain == pytest.approx(0.03)  # over three epochs


def test_of_three_epochs_or_fewer_nobody_knows_whether_the_curve_is_flat() -> None:
    table = networks(("relu", 0.1, 0.9, False))
    assert np.isnan(budget(table, history(table, 0.01, epochs=3), table.iloc[:0]).gain)
