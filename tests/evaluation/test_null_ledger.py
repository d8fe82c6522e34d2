"""Real networks whose settings are dealt out anew: nothing has an effect, and at most one ledger in twenty says so."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmarks.null_ledger import compared, dealt, false_verdicts
from pipeline.config import Params, Study
from pipeline.data import Dataset
from pipeline.evaluation.claims.evidence import Evidence, StudyTables, samples_tested
from pipeline.evaluation.claims.ledger import keep_ledger
from pipeline.training.study import train_networks

LEDGERS = 25


@pytest.fixture(scope="module")
def trained(mini: Study, params: Params, digits: Dataset) -> StudyTables:
    block = mini.grid[0].model_copy(
        update={
            "initializer": ("glorot_uniform", "lecun_normal", "he_normal", "he_uniform"),
            "activation": ("sigmoid", "relu", "leaky_relu", "elu", "selu", "gelu", "gelu_sigmoid", "swish"),
            "normalization": ("none", "before", "after"),
            "learning_rate": (0.1,),
            "seed": tuple(range(10)),
        }
    )
    study = mini.model_copy(
        update={"grid": (block,), "training": mini.training.model_copy(update={"epochs": 2}), "hidden": ("2x16",)}
    )
    results = train_networks("null", study, params, digits, study.networks())
    return StudyTables.of(study, results, tested=samples_tested(digits, range(10)))


def test_dealing_keeps_every_network_and_every_setting(trained: StudyTables) -> None:
    one = dealt(trained, np.random.default_rng(0))
    key, scores = trained.key, ["seed", "test_accuracy", "val_accuracy"]
    for name in ("networks", "history", "layers"):
        assert len(getattr(one, name)) == len(getattr(trained, name))
    pd.testing.assert_frame_equal(
        one.networks[key].sort_values(key, ignore_index=True), trained.networks[key].sort_values(key, ignore_index=True)
    )
    pd.testing.assert_frame_equal(
        one.networks[scores].sort_values(scores, ignore_index=True),
        trained.networks[scores].sort_values(scores, ignore_index=True),
    )
    last = one.history[one.history["epoch"] == 2].merge(one.networks, on=key, suffixes=("_then", "_at_last"))
    assert (last["val_accuracy_then"] == last["val_accuracy_at_last"]).all()  # what belongs together stays together
    assert (one.networks["activation"].to_numpy() != trained.networks["activation"].to_numpy()).mean() > 0.5


def test_of_real_networks_without_any_effect_one_ledger_in_twenty_is_wrong_at_most(trained: StudyTables) -> None:
    wrong, tested = 0, 0
    for number in range(LEDGERS):
        null = Evidence({"null": dealt(trained, np.random.default_rng(number))})
        ledger = [entry for entry in keep_ledger(compared(), null) if entry.verdict != "not tested"]
        wrong += bool(false_verdicts(ledger))
        tested += len(ledger)
    assert tested >= 10 * LEDGERS
    assert wrong <= stats.binom.ppf(0.99, LEDGERS, 0.05)


def test_what_was_not_dealt_has_its_effects(trained: StudyTables) -> None:
    """So that the ledger above is silent because there is nothing, not because it hears nothing."""
    ledger = keep_ledger(compared(), Evidence({"trained": trained}))
    assert sum(entry.verdict in ("supported", "refuted", "depends") for entry in ledger) >= 4
