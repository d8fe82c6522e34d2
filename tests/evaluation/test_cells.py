import numpy as np
import pandas as pd
import pytest

from pipeline.evaluation.cells import SCORES, chance_limit, summarize_cells
from pipeline.evaluation.names import health_name
from pipeline.grid import AXES
from tests.building import cell, hits_at

GUESS = 0.1


def networks(scores: dict[float, list[float | None]]) -> pd.DataFrame:
    """One setting at some learning rates; ``None`` is a network that diverged, and guesses."""
    rows = [
        (*cell(learning_rate=rate), seed)
        + (("trained", "healthy") if score is not None else ("diverged", "diverged"))
        + tuple(score if score is not None else np.nan if name.endswith("loss") else GUESS for name in SCORES)
        for rate, values in scores.items()
        for seed, score in enumerate(values)
    ]
    return pd.DataFrame(rows, columns=[*AXES, "seed", "status", "health", *SCORES]).assign(tuned=False)


@pytest.mark.parametrize(
    ("verdicts", "name"),
    [
        (["healthy"] * 3, "healthy"),
        (["healthy", "dying", "dying"], "dying 2, healthy 1"),
        (["vanishing", "dying"], "dying 1, vanishing 1"),
        ([None, None], "unknown"),
        ([None, "diverged"], "diverged"),
    ],
)
def test_a_cells_health_counts_its_networks_verdicts(verdicts: list, name: str) -> None:
    assert health_name(pd.Series(verdicts, dtype="str")) == name


def test_both_accuracies_have_the_interval_of_their_hits(digits) -> None:
    table = networks({0.1: [0.9, 0.8, 0.85, 0.95]})
    table["val_accuracy"] += 0.02
    tested = hits_at(table, digits.card)
    (row,) = summarize_cells(table, tested, 0.1, 0.95).to_dict("records")
    _, low, high = tested.mean(np.arange(4)).interval(0.95)
    assert (row["test_accuracy_low"], row["test_accuracy_high"]) == pytest.approx((low, min(high, 1.0)))
    assert row["val_accuracy_low"] == pytest.approx(low + 0.02, abs=1e-3)  # validation has a sample less
    assert row["test_accuracy_sd"] == pytest.approx(table["test_accuracy"].std())


def test_failures_are_counted_and_are_scores(digits) -> None:
    table = networks({0.1: [0.9, 0.8, None, 0.1]})
    cells = summarize_cells(table, hits_at(table, digits.card), chance_limit(digits.card), 0.95)
    (row,) = cells.to_dict("records")
    assert (row["networks"], row["diverged"], row["at_chance"]) == (4, 1, 1)
    assert row["val_accuracy_mean"] == pytest.approx((0.9 + 0.8 + GUESS + 0.1) / 4)
    assert row["val_loss_mean"] == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ({0.01: [0.7, 0.7], 0.1: [0.8, 0.8]}, 0.1),
        ({0.01: [0.7, 0.7], 0.1: [0.99, None]}, 0.01),  # one that diverged is a guess
        ({0.01: [0.4, 0.4], 0.1: [0.99, None]}, 0.1),
        ({0.01: [0.8, 0.8], 0.1: [0.8, 0.8]}, 0.01),
    ],
)
def test_the_best_learning_rate_scores_best_on_validation(scores, best: float, digits) -> None:
    table = networks(scores)
    cells = summarize_cells(table, hits_at(table, digits.card), 0.1, 0.95)
    assert list(cells[cells["best_rate"]]["learning_rate"]) == [best]


def test_one_seed_gives_a_mean_and_no_interval(digits) -> None:
    table = networks({0.1: [0.9]})
    (row,) = summarize_cells(table, hits_at(table, digits.card), 0.1, 0.95).to_dict("records")
    assert row["val_accuracy_mean"] == 0.9
    assert np.isnan(row["val_accuracy_low"])


def test_chance_is_what_the_most_frequent_class_gets_and_two_standard_errors(digits) -> None:
    counts = np.array(digits.card.class_counts["validation"])
    share = counts.max() / counts.sum()
    assert chance_limit(digits.card) == pytest.approx(share + 2 * np.sqrt(share * (1 - share) / counts.sum()))
