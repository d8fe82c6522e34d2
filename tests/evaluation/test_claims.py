"""The ledger: verdicts follow from findings; nothing is found where there is nothing, and what is planted is found."""

import re
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pipeline.axes.activations import LeakyReLU
from pipeline.evaluation.claims.comparison import paired
from pipeline.evaluation.claims.entries import CLAIMS
from pipeline.evaluation.claims.evidence import Evidence, Probes, StudyTables
from pipeline.evaluation.claims.ledger import (
    Claim,
    Finding,
    as_metrics,
    as_table,
    finding,
    judge,
    keep_ledger,
    surprises,
)
from pipeline.evaluation.claims.questions import activations_differ
from pipeline.evaluation.statistics import Interval
from pipeline.experiments.probes import clipping_angles, input_moments, signal_drifts, step_times, variance_ratios
from pipeline.training.names import KEY, MEASURES
from tests.building import cell
from tests.conftest import ROOT

ACTIVATIONS = ("sigmoid", "relu", "leaky_relu", "elu", "selu", "gelu", "gelu_sigmoid", "swish", "mish")
SEEDS = range(5)


def claim(margin: float = 0.5, name: str = "id", expected="supported", alike: bool = False) -> Claim:
    return Claim(
        name,
        "statement",
        "section",
        "measure",
        "points",
        margin,
        expected,
        "known",
        "paper",
        (),
        lambda _evidence: [],
        alike,
    )


def found(effect: float, half: float = 1.0, p: float = 0.001) -> Finding:
    return Finding("somewhere", {}, Interval(effect, effect - half, effect + half), p, 5)


@pytest.mark.parametrize(
    ("findings", "verdict"),
    [
        ([], "not tested"),
        ([found(10)], "supported"),
        ([found(-10)], "refuted"),
        ([found(10), found(-10)], "depends"),
        ([found(10, half=20, p=0.4)], "inconclusive"),
        ([found(10), found(0, half=10, p=0.9)], "supported"),
        ([found(10), *[found(0, half=10, p=0.9)] * 2], "inconclusive"),
        ([found(0.1, half=0.2)], "refuted"),  # there is a difference, but none that matters
        ([found(10, p=0.02)] * 3, "inconclusive"),  # significant each, not after correction
    ],
)
def test_findings_make_a_verdict(findings: list[Finding], verdict: str) -> None:
    assert judge(claim(), findings).verdict == verdict


@pytest.mark.parametrize(
    ("finding_", "verdict"),
    [
        (found(0.1, half=0.2, p=0.3), "supported"),
        (found(0.1, half=0.2, p=0.001), "supported"),  # a difference that does not matter
        (found(10), "refuted"),
        (found(-10), "refuted"),
        (found(0, half=10, p=0.9), "inconclusive"),  # not knowing is not being alike
        (found(1.2, half=1, p=0.03), "inconclusive"),
    ],
)
def test_things_are_alike_where_no_difference_matters(finding_: Finding, verdict: str) -> None:
    assert judge(claim(alike=True), [finding_]).verdict == verdict


@pytest.mark.parametrize("spread", [0.1, 2.0])
def test_seed_noise_does_not_make_two_things_differ(spread: float) -> None:
    generator = np.random.default_rng(7)
    verdicts = [
        judge(claim(alike=True), [finding("noise", generator.normal(0, spread, size=5))]).verdict for _ in range(200)
    ]
    assert verdicts.count("refuted") <= 5
    assert (verdicts.count("supported") > 190) == (spread < 1)


def test_effects_without_spread_leave_no_doubt() -> None:
    assert finding("x", np.full(5, 0.3)).p == 0
    assert finding("x", np.zeros(5)).p == 1
    assert finding("x", np.array([0.3, np.nan])) is None


def test_pairs_are_of_one_seed_and_setting() -> None:
    first = pd.DataFrame({"initializer": ["a", "b", "a"], "seed": [0, 0, 1], "score": [3.0, 5.0, 9.0]})
    second = pd.DataFrame({"initializer": ["b", "a", "c"], "seed": [0, 0, 1], "score": [1.0, 2.0, 0.0]})
    np.testing.assert_array_equal(paired(first, second, "score", ["initializer"]), [((3 - 2) + (5 - 1)) / 2])


def test_rows_that_are_alike_in_all_that_makes_a_pair_are_refused() -> None:
    one = pd.DataFrame({"initializer": ["a"], "seed": [0], "score": [3.0]})
    with pytest.raises(pd.errors.MergeError):
        paired(pd.concat([one, one]), one, "score", ["initializer"])


def test_a_family_without_effects_is_seldom_found_to_have_any() -> None:
    generator = np.random.default_rng(0)
    families = 1000
    false = 0
    for _ in range(families):
        findings = [finding("noise", generator.normal(0, 2, size=5), k=k) for k in range(10)]
        entry = judge(claim(margin=0.0), findings)
        false += any(speaks != "open" for _, _, speaks in entry.findings)
    assert false / families < 0.05 + 3 * np.sqrt(0.05 * 0.95 / families)


def study(mini, generator: np.random.Generator, effects: dict[str, float]) -> StudyTables:
    """Return a study of noise, in which some activations are better by so much."""
    cells = product(("lecun_normal", "he_normal"), ACTIVATIONS, ("none", "before", "after"), ("none",), (0.01, 0.1))
    rows = [(*cell(*levels), seed) for levels in cells for seed in SEEDS]
    networks = pd.DataFrame(rows, columns=KEY).assign(status="trained", health="healthy", epochs=2)
    planted = networks["activation"].map(effects).fillna(0.0).to_numpy()
    for score in ("val_accuracy", "test_accuracy"):
        networks[score] = 0.8 + planted + generator.normal(0, 0.03, size=len(networks))
    history = networks[KEY].merge(pd.DataFrame({"epoch": [1, 2]}), how="cross")
    history["val_accuracy"] = networks["val_accuracy"].repeat(2).to_numpy()
    layers = networks[KEY].merge(pd.DataFrame({"layer": [1, 2]}), how="cross").assign(epoch=0)
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
        any(speaks != "open" for _, _, speaks in judge(claim(margin=0.0), test(Evidence({"noise": tables}))).findings)
        for tables in (study(mini, generator, {}) for _ in range(simulations))
        for test in COMPARISONS.values()
    )
    trials = simulations * len(COMPARISONS)
    assert false / trials < 0.05 + 3 * np.sqrt(0.05 * 0.95 / trials)


def test_planted_effects_are_found_with_their_sign(mini) -> None:
    tables = study(mini, np.random.default_rng(2), {"sigmoid": -0.3, "leaky_relu": 0.2, "elu": -0.2})
    verdicts = {name: judge(claim(), test(Evidence({"planted": tables}))).verdict for name, test in COMPARISONS.items()}
    assert verdicts["relu, sigmoid"] == "supported"
    assert verdicts["leaky_relu, relu"] == "supported"
    assert verdicts["elu, relu"] == "refuted"


@pytest.fixture(scope="module")
def probes() -> Probes:
    return Probes(variance_ratios(), signal_drifts(), input_moments(), clipping_angles(), step_times())


@pytest.fixture(scope="module")
def ledger(mini, probes):
    return keep_ledger(CLAIMS, Evidence({"noise": study(mini, np.random.default_rng(3), {})}, probes))


def test_every_claim_is_an_entry_of_the_metrics(ledger) -> None:
    metrics, table = as_metrics(ledger), as_table(ledger)
    assert list(metrics) == [entry.id for entry in CLAIMS]
    assert len(metrics) == 30
    for name, entry in metrics.items():
        own = table[(table["claim"] == name) & (table["view"] == "best")]
        assert {side: entry[side] for side in ("for", "against", "open")} == {
            side: (own["speaks"] == side).sum() for side in ("for", "against", "open")
        }
        assert (entry["verdict"] == "not tested") == own.empty


def test_findings_say_where_they_were_made(ledger) -> None:
    table = as_table(ledger).set_index(["claim", "view", "study", "setting"])
    one = table.loc[("leaky-beats-relu", "best", "noise", "normalization=none; compared=leaky_relu − relu")]
    assert one["pairs"] == 5
    assert one["low"] <= one["effect"] <= one["high"]


def test_a_finding_can_be_computed_again_from_the_tables(mini) -> None:
    tables = study(mini, np.random.default_rng(4), {})
    (line,) = keep_ledger([c for c in CLAIMS if c.id == "leaky-beats-relu"], Evidence({"s": tables}))
    assert line.fixed is not None
    found = {one.setting["normalization"]: one for one, _, _ in line.fixed.findings}
    plain = tables.networks.query("learning_rate == 0.01 and normalization == 'none'")
    accuracy = plain.pivot_table(index="seed", columns="activation", values="test_accuracy")
    effects = 100 * (accuracy["leaky_relu"] - accuracy["relu"])
    assert found["none"].effect.estimate == pytest.approx(effects.mean())
    half = stats.t.ppf(0.975, 4) * effects.std() / np.sqrt(5)
    assert found["none"].effect.high - found["none"].effect.estimate == pytest.approx(half)
    assert found["none"].p == pytest.approx(stats.ttest_1samp(effects, 0).pvalue)


def test_the_documented_query_gives_the_ledgers_numbers(mini, tmp_path, monkeypatch, capsys) -> None:
    tables = study(mini, np.random.default_rng(6), {"leaky_relu": 0.1})
    (tmp_path / "results/digits").mkdir(parents=True)
    (tmp_path / "report").mkdir()
    tables.networks.to_parquet(tmp_path / "results/digits/networks.parquet")
    as_table(keep_ledger(CLAIMS, Evidence({"digits": tables}))).to_parquet(tmp_path / "report/findings.parquet")
    monkeypatch.chdir(tmp_path)
    namespace: dict = {}
    for block in re.findall(r"```python\n(.*?)```", (ROOT / "docs/claims.md").read_text(), re.DOTALL):
        exec(block, namespace)  # noqa: S102 (our own documentation)
    computed, written = capsys.readouterr().out.splitlines()
    assert computed == written
    assert computed.startswith("+")


def test_a_verdict_at_a_fixed_rate_looks_at_no_other(mini) -> None:
    tables = study(mini, np.random.default_rng(5), {})
    slow = tables.networks["learning_rate"] == 0.01
    for score in ("val_accuracy", "test_accuracy"):  # ReLU is better at the fixed rate alone
        tables.networks.loc[slow & (tables.networks["activation"] == "relu"), score] += 0.3
        tables.networks.loc[~slow, score] += 0.6
    (line,) = keep_ledger([c for c in CLAIMS if c.id == "leaky-beats-relu"], Evidence({"s": tables}))
    assert line.fixed is not None
    assert line.fixed.verdict == "refuted"
    assert line.best.verdict == "inconclusive"


def test_a_claim_that_no_rate_is_chosen_for_has_one_view(ledger) -> None:
    views = {line.best.claim.id: line.fixed is not None for line in ledger}
    assert views["leaky-beats-relu"]
    assert not views["clip-direction"]
    assert "at_fixed_rate" not in as_metrics(ledger)["clip-direction"]


@pytest.mark.parametrize("epochs", [[], [0], [2]])
def test_claims_about_layers_need_no_epoch_in_particular(mini, epochs: list[int]) -> None:
    deep = mini.model_copy(update={"hidden": ("12x8",)})
    tables = study(deep, np.random.default_rng(8), {})
    layers = tables.layers[tables.layers["layer"] == 1].merge(pd.DataFrame({"layer_": range(1, 13)}), how="cross")
    layers = layers.drop(columns="layer").rename(columns={"layer_": "layer"})
    layers = pd.concat([layers.assign(epoch=epoch) for epoch in epochs]) if epochs else layers.iloc[:0]
    ledger = keep_ledger(CLAIMS, Evidence({"deep": tables._replace(layers=layers)}))
    assert len(ledger) == len(CLAIMS)


def test_what_the_literature_did_not_expect_is_surprising() -> None:
    expected = {"a": "supported", "b": "supported", "c": "depends", "d": "supported", "e": "supported"}
    found = {"a": "depends", "b": "refuted", "c": "depends", "d": "inconclusive", "e": "supported"}
    claims = [claim(name=name, expected=verdict) for name, verdict in expected.items()]
    assert surprises(claims, found) == ["b", "a"]


def test_no_data_is_no_verdict() -> None:
    assert {line.best.verdict for line in keep_ledger(CLAIMS, Evidence({}))} == {"not tested"}


def test_glorot_loses_what_fan_in_and_fan_out_differ_by(probes) -> None:
    means = probes.variances.groupby("shape")[["forward", "backward"]].mean()
    # The variance is multiplied by fan_in / fan_avg forwards, by fan_out / fan_avg backwards
    for shape, fan_in, fan_out in (("square", 200, 200), ("narrowing", 300, 100), ("widening", 100, 300)):
        assert means.loc[shape, "forward"] == pytest.approx(np.log(fan_in / 200), abs=0.02)
        assert means.loc[shape, "backward"] == pytest.approx(np.log(fan_out / 200), abs=0.02)


def test_signals_drift_by_what_theory_says(probes) -> None:
    drifts = probes.drifts.groupby("activation")["drift"].mean()
    slope = LeakyReLU().slope
    assert drifts["relu"] == pytest.approx(0, abs=0.5)
    assert drifts["leaky_relu"] == pytest.approx(19 * np.log(1 + slope**2), abs=0.5)  # He's gain is made for ReLU
    assert drifts["prelu"] == pytest.approx(drifts["relu"], abs=1e-6)  # its slope starts at 0
    assert drifts["swish"] < -np.log(100)


def test_only_the_global_norm_leaves_the_direction(probes) -> None:
    largest = probes.angles.groupby("clipping")["angle"].agg(["min", "max"])
    assert largest.loc["global_norm", "max"] < 0.01
    assert largest.loc["norm", "min"] > 1
    assert largest.loc["value", "min"] > 1


def test_probes_come_out_the_same(probes) -> None:
    for name, again in (
        ("variances", variance_ratios),
        ("drifts", signal_drifts),
        ("moments", input_moments),
        ("angles", clipping_angles),
    ):
        pd.testing.assert_frame_equal(getattr(probes, name), again())


def test_every_kind_of_network_is_timed_in_every_round(probes) -> None:
    assert (probes.steps.groupby("round").size() == 4).all()
    assert (probes.steps["seconds"] > 0).all()
