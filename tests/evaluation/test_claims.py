"""The ledger: verdicts follow from findings; nothing is found where there is nothing, and what is planted is found."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from pipeline.evaluation.claims.entries import CLAIMS, activations_differ
from pipeline.evaluation.claims.evidence import StudyTables, paired
from pipeline.evaluation.claims.ledger import Claim, Finding, as_metrics, finding, judge, keep_ledger
from pipeline.evaluation.statistics import Interval
from pipeline.training.names import MEASURES

ACTIVATIONS = ("sigmoid", "relu", "leaky_relu", "elu", "selu", "gelu", "gelu_sigmoid", "swish", "mish")
SEEDS = range(5)


def claim(margin: float = 0.005, test=None) -> Claim:
    return Claim("id", "statement", "measure", "accuracy", margin, "known", (), test)


def found(effect: float, half: float = 0.01, p: float = 0.001) -> Finding:
    return Finding("somewhere", Interval(effect, effect - half, effect + half), p, 5)


@pytest.mark.parametrize(
    ("findings", "verdict"),
    [
        ([], "not tested"),
        ([found(0.1)], "supported"),
        ([found(-0.1)], "refuted"),
        ([found(0.1), found(-0.1)], "depends"),
        ([found(0.1, half=0.2, p=0.4)], "inconclusive"),
        ([found(0.1), found(0.0, half=0.1, p=0.9)], "supported"),
        ([found(0.1), *[found(0.0, half=0.1, p=0.9)] * 2], "inconclusive"),
        ([found(0.001, half=0.002)], "refuted"),  # there is a difference, but none that matters
        ([found(0.1, p=0.02)] * 3, "inconclusive"),  # significant each, not after correction
    ],
)
def test_findings_make_a_verdict(findings: list[Finding], verdict: str) -> None:
    assert judge(claim(), findings, 0.05).verdict == verdict


def test_effects_without_spread_leave_no_doubt() -> None:
    assert finding("x", np.full(5, 0.3)).p == 0
    assert finding("x", np.zeros(5)).p == 1
    assert finding("x", np.array([0.3, np.nan])) is None


def test_pairs_are_of_one_seed_and_setting() -> None:
    first = pd.DataFrame({"initializer": ["a", "b", "a"], "seed": [0, 0, 1], "score": [3.0, 5.0, 9.0]})
    second = pd.DataFrame({"initializer": ["b", "a", "c"], "seed": [0, 0, 1], "score": [1.0, 2.0, 0.0]})
    np.testing.assert_array_equal(paired(first, second, "score"), [((3 - 2) + (5 - 1)) / 2])


def test_a_family_without_effects_is_seldom_found_to_have_any() -> None:
    generator = np.random.default_rng(0)
    families = 1000
    false = 0
    for _ in range(families):
        findings = [finding(str(k), generator.normal(0, 0.02, size=5)) for k in range(10)]
        entry = judge(claim(margin=0.0), findings, 0.05)
        false += any(speaks != "open" for _, _, speaks in entry.findings)
    assert false / families < 0.05 + 3 * np.sqrt(0.05 * 0.95 / families)


def study(mini, generator: np.random.Generator, effects: dict[str, float]) -> StudyTables:
    """Return a study of noise, in which some activations are better by so much."""
    axes = product(
        ("lecun_normal", "he_normal"), ACTIVATIONS, ("none", "before", "after"), ("none",), (0.01, 0.1), SEEDS
    )
    names = ["initializer", "activation", "batch_norm", "clipping", "learning_rate", "seed"]
    networks = pd.DataFrame(axes, columns=names).assign(status="trained", health="healthy", epochs=2)
    planted = networks["activation"].map(effects).fillna(0.0).to_numpy()
    for score in ("val_accuracy", "test_accuracy"):
        networks[score] = 0.8 + planted + generator.normal(0, 0.03, size=len(networks))
    history = networks[names].merge(pd.DataFrame({"epoch": [1, 2]}), how="cross")
    history["val_accuracy"] = networks["val_accuracy"].repeat(2).to_numpy()
    layers = networks[names].merge(pd.DataFrame({"layer": [1, 2]}), how="cross").assign(epoch=0)
    layers = layers.assign(**dict.fromkeys(MEASURES, 1.0))
    return StudyTables(mini, networks, history, layers, pd.DataFrame())


COMPARISONS = {
    "relu, sigmoid": activations_differ("relu", ("sigmoid",)),
    "leaky_relu, relu": activations_differ("leaky_relu", ("relu",)),
    "elu, relu": activations_differ("elu", ("relu",), "speed"),
    "selu, all": activations_differ("selu", ("sigmoid", "relu", "elu", "gelu", "swish")),
}


def test_noise_supports_and_refutes_no_more_than_one_claim_in_twenty(mini) -> None:
    generator = np.random.default_rng(1)
    simulations = 20
    false = sum(
        any(speaks != "open" for _, _, speaks in judge(claim(margin=0.0), test({"noise": tables}), 0.05).findings)
        for tables in (study(mini, generator, {}) for _ in range(simulations))
        for test in COMPARISONS.values()
    )
    trials = simulations * len(COMPARISONS)
    assert false / trials < 0.05 + 3 * np.sqrt(0.05 * 0.95 / trials)


def test_planted_effects_are_found_with_their_sign(mini) -> None:
    tables = study(mini, np.random.default_rng(2), {"sigmoid": -0.3, "leaky_relu": 0.2, "elu": -0.2})
    verdicts = {name: judge(claim(), test({"planted": tables}), 0.05).verdict for name, test in COMPARISONS.items()}
    assert verdicts["relu, sigmoid"] == "supported"
    assert verdicts["leaky_relu, relu"] == "supported"
    assert verdicts["elu, relu"] == "refuted"


def test_every_claim_is_an_entry_of_the_metrics(mini) -> None:
    entries = keep_ledger(CLAIMS, {"noise": study(mini, np.random.default_rng(3), {})}, 0.05)
    metrics = as_metrics(entries)
    assert len(metrics) == len(CLAIMS) == len({entry.id for entry in CLAIMS}) == 27
    assert metrics["gelu-cost"]["verdict"] == "not tested"
    one = metrics["sigmoid-worse-than-relu"]["findings"]["noise, batch norm none: relu beside sigmoid"]
    assert one["pairs"] == 5
    assert one["low"] <= one["effect"] <= one["high"]


def test_no_data_is_no_verdict() -> None:
    assert {entry.verdict for entry in keep_ledger(CLAIMS, {}, 0.05)} == {"not tested"}
