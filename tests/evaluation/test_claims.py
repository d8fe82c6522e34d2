"""The ledger: verdicts follow from findings; nothing is found where there is nothing, and what is planted is found."""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest

from pipeline.axes.activations import LeakyReLU
from pipeline.evaluation.claims.comparison import paired
from pipeline.evaluation.claims.entries import CLAIMS
from pipeline.evaluation.claims.evidence import Evidence, Probes, StudyTables, bounces, epochs_needed, profile
from pipeline.evaluation.claims.ledger import (
    FIRST_LOOK,
    Claim,
    Entry,
    Finding,
    as_effects,
    as_metrics,
    as_table,
    keep_ledger,
    looks,
    summarize,
    surprises,
)
from pipeline.evaluation.claims.questions import activations_differ
from pipeline.evaluation.claims.transfer import fewest_and_all
from pipeline.evaluation.estimates import of_replicates, of_samples
from pipeline.evaluation.rerun import agreed
from pipeline.experiments.probes import (
    COSTS,
    clipping_angles,
    input_moments,
    signal_drifts,
    step_times,
    variance_ratios,
)
from pipeline.training import tables
from pipeline.training.names import KEY, MEASURES
from pipeline.training.results import load_results
from pipeline.training.study import train_networks
from tests.building import cell
from tests.conftest import ROOT

ACTIVATIONS = ("sigmoid", "relu", "leaky_relu", "elu", "selu", "gelu", "gelu_sigmoid", "swish", "mish")
SEEDS = range(10)


def claim(
    margin: float = 0.5,
    name: str = "id",
    expected="supported",
    alike: bool = False,
    findings: Sequence[Finding] = (),
    kind="effect",
) -> Claim:
    return Claim(
        name, "statement", "section", "measure", "points", margin, expected, "known", "paper", (),
        lambda _evidence: findings, alike, kind,
    )  # fmt: skip


def found(effects: Sequence[float], dataset: str = "digits", where: str = "anywhere", overlap: float = 0.0) -> Finding:
    return Finding("study", dataset, {"place": where}, pd.Series(effects, dtype=float), overlap)


def around(mean: float, spread: float = 0.1, count: int = 10) -> list[float]:
    """Return effects with this mean and standard deviation."""
    values = np.linspace(-1, 1, count)
    return (mean + spread * values / values.std(ddof=1)).tolist()


def judge(*findings: Finding, alike: bool = False, margin: float = 0.5) -> Entry:
    (entry,) = keep_ledger([claim(findings=findings, alike=alike, margin=margin)], Evidence({}))
    return entry


NOT_KNOWN = around(0.4, spread=3)


@pytest.mark.parametrize(
    ("findings", "verdict"),
    [
        ([], "not tested"),
        ([found(around(10))], "supported"),
        ([found(around(-10))], "refuted"),
        ([found(around(0.1))], "negligible"),
        ([found(around(0))], "negligible"),
        ([found(NOT_KNOWN)], "inconclusive"),
        ([found(around(0.48, spread=0.2))], "inconclusive"),  # there is an effect; whether it matters is not known
        ([found(around(10), where="here"), found(around(-10), where="there")], "depends"),
        ([found(around(10), where="here"), found(around(0), where="there")], "supported"),
        ([found(around(4), where="0"), *(found(around(0), where=str(n)) for n in range(1, 10))], "depends"),
        ([found(around(10), where="here"), found(NOT_KNOWN, where="there")], "supported"),
        ([found(around(10), "digits"), found(around(-10), "wine")], "depends"),
        ([found(around(2, 0.5), name) for name in "abcdef"], "supported"),
    ],
)
def test_findings_make_a_verdict(findings: list[Finding], verdict: str) -> None:
    assert judge(*findings).verdict == verdict


@pytest.mark.parametrize(
    ("effects", "verdict"),
    [
        (around(0.1), "supported"),  # a difference that does not matter
        (around(10), "refuted"),
        (around(-10), "refuted"),
        (NOT_KNOWN, "inconclusive"),  # not knowing is not being alike
        (around(0.6, spread=1.0), "inconclusive"),
    ],
)
def test_things_are_alike_where_no_difference_matters(effects: list[float], verdict: str) -> None:
    assert judge(found(effects), alike=True).verdict == verdict


def test_effects_without_spread_leave_no_doubt() -> None:
    assert judge(found([0.7] * 5)).verdict == "supported"
    assert judge(found([0.3] * 5)).verdict == "negligible"
    assert judge(found([0.0] * 5), margin=0.0).verdict == "inconclusive"


def test_a_dataset_counts_once_however_many_places_it_has() -> None:
    places = [found(around(value), where=str(value)) for value in (1, 2, 6)]
    assert summarize(places).estimate.mean == pytest.approx(3)
    assert summarize([*places, found(around(5), "wine")]).estimate.mean == pytest.approx(4)


def test_seeds_that_lack_a_place_count_in_the_others() -> None:
    """Four places and eight seeds, of which each place lacks some: the interval covers the mean of the places."""
    generator = np.random.default_rng(3)
    covered = []
    for _ in range(1000):
        values = generator.normal(0, 1, (8, 4)) + 0.7 * generator.normal(0, 1, (8, 1)) + [1, 2, 4, 9]
        lost = {(0, 0), (1, 0), (2, 1), (3, 2), (4, 2), (5, 2), (6, 3)}
        places = []
        for place in range(4):
            own = pd.Series({seed: values[seed, place] for seed in range(8) if (seed, place) not in lost})
            places.append(found([0.0] * len(own), where=str(place))._replace(effects=own))
        estimate = summarize(places).estimate
        assert estimate.mean == pytest.approx(np.mean([one.effects.mean() for one in places]))
        _, low, high = estimate.interval(0.95)
        covered.append(low <= 4 <= high)
    assert 0.92 <= np.mean(covered) <= 0.98


def test_splits_of_the_same_samples_make_intervals_wider() -> None:
    alone, shared = (judge(found(around(1), overlap=overlap)).parts[0].pooled.estimate for overlap in (0, 1 / 3))
    assert shared.error / alone.error == pytest.approx(np.sqrt((1 / 10 + 1 / 3) / (1 / 10)))


def test_seeds_that_share_a_split_are_not_taken_for_splits() -> None:
    """Against the same estimate, told which seeds share one."""
    generator = np.random.default_rng(5)
    splits = np.repeat(np.arange(5), 2)
    tested = [generator.choice(60, 20, replace=False) for _ in range(5)]
    samples = np.full((10, 60), np.nan)
    for row, split in zip(samples, splits, strict=True):
        row[tested[split]] = generator.normal(split, 1, 20)
    one = found(np.nanmean(samples, 1), overlap=1 / 3)._replace(samples=samples)
    assert summarize([one]).estimate == pytest.approx(of_samples(samples, 1 / 3, splits))
    assert summarize([one]).estimate.error > 1.1 * of_samples(samples, 1 / 3).error


def test_the_data_are_looked_at_whenever_there_are_twice_as_many() -> None:
    assert FIRST_LOOK == 10
    assert [looks(count) for count in (5, 10, 15, 20, 40, 50)] == [
        [5], [10], [10, 15], [10, 20], [10, 20, 40], [10, 20, 40, 50],
    ]  # fmt: skip


def test_what_was_decided_at_an_earlier_look_stays_decided() -> None:
    """Ten clear replicates, and then ten that are as far on the other side: the mean is 0, the first look was not."""
    entry = judge(found([*around(10), *around(-4)]))
    assert entry.parts[0].side == "for"


def test_an_inconclusive_claim_says_how_many_replicates_would_tell() -> None:
    generator = np.random.default_rng(0)
    entry = judge(found(around(1.0, spread=1.5)))
    assert entry.verdict == "inconclusive"
    assert entry.needed in (20, 40)
    more = [judge(found(generator.normal(1.0, 1.5, 2 * entry.needed))).verdict for _ in range(50)]
    assert more.count("supported") >= 40
    assert judge(found(around(1.0, spread=1.5), overlap=1 / 3)).needed is None  # samples, not runs, are what is few


def test_every_claim_more_makes_each_verdict_harder() -> None:
    effects = around(1.0, spread=0.8)
    verdicts = {}
    for others in (0, 40):
        claims = [claim(findings=[found(effects)])]
        claims += [claim(name=str(number), findings=[found(NOT_KNOWN)]) for number in range(others)]
        verdicts[others] = keep_ledger(claims, Evidence({}))[0].verdict
    assert verdicts == {0: "supported", 40: "inconclusive"}
    checks = [claim(name=str(number), findings=[found(NOT_KNOWN)], kind="check") for number in range(40)]
    assert keep_ledger([claim(findings=[found(effects)]), *checks], Evidence({}))[0].verdict == "supported"


def test_where_other_claims_are_decided_a_verdict_is_easier() -> None:
    effects = around(1.0, spread=0.8)
    for decided, verdict in ((0, "inconclusive"), (30, "supported")):
        others = [around(10) if number < decided else NOT_KNOWN for number in range(40)]
        claims = [claim(name=str(number), findings=[found(own)]) for number, own in enumerate([effects, *others])]
        assert keep_ledger(claims, Evidence({}))[0].verdict == verdict


# --- simulations of the whole ledger --------------------------------------------------------------

LEDGER = 50
"""Claims."""


def simulated(
    generator: np.random.Generator, effect: float, spread: float, datasets: int, places: int, replicates: int
) -> list[Finding]:
    """Return noise in several datasets and places, with a true effect that varies between datasets."""
    return [
        found(generator.normal(own, 0.8, replicates), f"dataset {number}", f"place {place}")
        for number, own in enumerate(effect + generator.normal(0, spread, datasets))
        for place in range(places)
    ]


@pytest.mark.parametrize(("datasets", "places", "spread"), [(1, 1, 0.0), (6, 3, 0.3), (1, 6, 0.0)])
def test_of_ledgers_without_any_effect_one_in_twenty_at_most_has_a_false_verdict(
    datasets: int, places: int, spread: float
) -> None:
    """An effect that varies from dataset to dataset about 0 is none in the mean: of these, single datasets have one."""
    generator = np.random.default_rng(0)
    ledgers, false = 60, 0
    for _ in range(ledgers):
        claims = [
            claim(name=str(number), findings=simulated(generator, 0.0, 0.0, datasets, places, 10))
            for number in range(LEDGER // 2)
        ] + [
            claim(name=f"varies {number}", findings=simulated(generator, 0.0, spread, datasets, 1, 10))
            for number in range(LEDGER // 2)
        ]
        ledger = keep_ledger(claims, Evidence({}))
        whole = [entry.parts[0].side for entry in ledger]
        parts = [part.side for entry in ledger[: LEDGER // 2] for part in entry.parts]
        false += any(side in ("for", "against") for side in [*whole, *parts])
    assert false / ledgers <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / ledgers)


def test_looking_again_and_again_costs_no_more_than_it_may() -> None:
    generator = np.random.default_rng(1)
    ledgers, false = 150, 0
    for _ in range(ledgers):
        claims = [claim(name=str(n), findings=simulated(generator, 0.0, 0.0, 1, 1, 160)) for n in range(LEDGER)]
        false += any(entry.verdict in ("supported", "refuted") for entry in keep_ledger(claims, Evidence({})))
    assert false / ledgers <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / ledgers)


def test_effects_of_twice_the_margin_are_found_in_both_runs_of_a_ledger_of_fifty() -> None:
    """With eight datasets of 40 replicates in each run: what the full ledger has."""
    generator = np.random.default_rng(2)
    claims = [simulated(generator, 1.0, 0.25, 8, 2, 80) for _ in range(LEDGER)]
    runs = [
        [
            claim(name=str(n), findings=[one._replace(effects=one.effects[half]) for one in findings])
            for n, findings in enumerate(claims)
        ]
        for half in (slice(40), slice(40, None))
    ]
    kept = agreed(*(as_metrics(keep_ledger(run, Evidence({}))) for run in runs))
    verdicts = [entry["verdict"] for entry in kept.values()]
    assert verdicts.count("supported") / LEDGER >= 0.8
    assert verdicts.count("refuted") == verdicts.count("negligible") == 0


def test_a_verdict_that_two_runs_do_not_share_is_inconclusive() -> None:
    first, second = (
        as_metrics(
            keep_ledger([claim(name=name, findings=[found(effects)]) for name, effects in run.items()], Evidence({}))
        )
        for run in (
            {"same": around(10), "open in one": around(10), "the other way": around(10), "open": NOT_KNOWN},
            {"same": around(9), "open in one": NOT_KNOWN, "the other way": around(-10), "open": NOT_KNOWN},
        )
    )
    kept = agreed(first, second)
    assert {name: entry["verdict"] for name, entry in kept.items()} == {
        "same": "supported", "open in one": "inconclusive", "the other way": "inconclusive", "open": "inconclusive",
    }  # fmt: skip
    assert kept["the other way"]["verdicts"] == ["supported", "refuted"]
    assert kept["same"]["effect"] == first["same"]["effect"]


def test_of_the_verdicts_of_a_mixed_ledger_at_most_one_in_twenty_is_false() -> None:
    """Half of the claims have an effect; in the others there is none."""
    generator = np.random.default_rng(4)
    false = decided = 0
    for _ in range(40):
        claims = [
            claim(name=str(n), findings=simulated(generator, 1.0 if n % 2 else 0.0, 0.0, 1, 3, 10), margin=0.2)
            for n in range(LEDGER)
        ]
        for number, entry in enumerate(keep_ledger(claims, Evidence({}))):
            sides = {part.side for part in entry.parts}
            decided += bool(sides & {"for", "against"})
            false += number % 2 == 0 and bool(sides & {"for", "against"})
    assert decided > 400
    assert false / decided <= 0.05


def test_effects_that_are_none_are_found_to_be_negligible() -> None:
    generator = np.random.default_rng(3)
    claims = [claim(name=str(n), findings=simulated(generator, 0.0, 0.05, 8, 2, 40)) for n in range(LEDGER)]
    verdicts = [entry.verdict for entry in keep_ledger(claims, Evidence({}))]
    assert verdicts.count("negligible") / LEDGER >= 0.8
    assert verdicts.count("supported") + verdicts.count("refuted") == 0


# --- from tables to findings ----------------------------------------------------------------------


def test_pairs_are_of_one_seed_and_setting() -> None:
    first = pd.DataFrame({"initializer": ["a", "b", "a"], "seed": [0, 0, 1], "score": [3.0, 5.0, 9.0]})
    second = pd.DataFrame({"initializer": ["b", "a", "c"], "seed": [0, 0, 1], "score": [1.0, 2.0, 0.0]})
    assert paired(first, second, "score", ["initializer"]).to_dict() == {0: ((3 - 2) + (5 - 1)) / 2}


def test_rows_that_are_alike_in_all_that_makes_a_pair_are_refused() -> None:
    one = pd.DataFrame({"initializer": ["a"], "seed": [0], "score": [3.0]})
    with pytest.raises(pd.errors.MergeError):
        paired(pd.concat([one, one]), one, "score", ["initializer"])


def study(mini, generator: np.random.Generator, effects: dict[str, float]) -> StudyTables:
    """Return a study of noise, in which some activations are better by so much."""
    cells = product(("lecun_normal", "he_normal"), ACTIVATIONS, ("none", "before", "after"), ("none",), (0.01, 0.1))
    rows = [(*cell(*levels), seed) for levels in cells for seed in SEEDS]
    networks = pd.DataFrame(rows, columns=KEY).assign(status="trained", tuned=False, health="healthy", epochs=2)
    planted = networks["activation"].map(effects).fillna(0.0).to_numpy()
    for score in ("train_accuracy", "val_accuracy", "test_accuracy"):
        networks[score] = 0.8 + planted + generator.normal(0, 0.03, size=len(networks))
    history = networks[KEY].merge(pd.DataFrame({"epoch": [1, 2]}), how="cross")
    history["val_accuracy"] = networks["val_accuracy"].repeat(2).to_numpy()
    history["train_loss"] = 1.0
    layers = networks[KEY].merge(pd.DataFrame({"layer": [1, 2]}), how="cross").assign(epoch=0)
    layers = layers.assign(**dict.fromkeys(MEASURES, 1.0))
    timings = networks[KEY].assign(seconds=0.1)
    return StudyTables(mini, networks, history, pd.DataFrame(columns=["hidden"]), layers, timings)


def test_epochs_to_a_target_are_counted_within_epochs_too() -> None:
    nan = np.nan
    curves = np.array([[0.4, 0.8, 0.9], [0.7, 0.7, 0.7], [0.1, nan, nan], [nan, nan, nan], [0.2, 0.9, 0.1]])
    np.testing.assert_allclose(epochs_needed(curves, 0.7), [1.75, 1.0, np.inf, np.inf, 1 + 5 / 7])
    np.testing.assert_allclose(epochs_needed(curves, np.array([0.2, 0.9, 0.1, 0.1, 0.9]))[:3], [0.5, np.inf, 1.0])


def test_a_profile_is_the_area_under_dolan_and_mores_curve() -> None:
    """Against the curve itself: the share of problems that are solved within τ times the fastest's time, up to 4."""
    needed = pd.Series([2.0, 3.0, 9.0, np.inf, np.inf, np.inf])
    problem = pd.Series([0, 0, 0, 0, 1, 1])
    taus = np.linspace(0, np.log(4), 100_001)
    ratio = needed / needed.groupby(problem).transform("min")
    curve = [(np.log(one) <= taus).mean() if np.isfinite(one) else 0.0 for one in ratio]
    np.testing.assert_allclose(profile(needed, problem), curve, atol=1e-4)


def test_a_loss_that_falls_evenly_does_not_bounce() -> None:
    epochs = np.arange(1, 21)
    losses = {"even": np.exp(-0.3 * epochs), "bouncing": np.exp(-0.3 * epochs + 0.2 * (-1.0) ** epochs)}
    history = pd.concat(
        pd.DataFrame({"name": name, "epoch": epochs, "train_loss": one}) for name, one in losses.items()
    )
    found_ = bounces(history, ["name"])
    assert found_["even"] == pytest.approx(0, abs=1e-9)
    assert found_["bouncing"] == pytest.approx(np.std([0.8, -0.8] * 4, ddof=1), rel=1e-6)


COMPARISONS = {
    "relu, sigmoid": activations_differ("relu", ("sigmoid",)),
    "leaky_relu, relu": activations_differ("leaky_relu", ("relu",)),
    "elu, relu": activations_differ("elu", ("relu",), "profile"),
    "selu, all": activations_differ("selu", ("sigmoid", "relu", "elu", "gelu", "swish")),
}


def verdict_of(name: str, tables: StudyTables) -> str:
    (entry,) = keep_ledger([claim(findings=COMPARISONS[name](Evidence({"planted": tables})))], Evidence({}))
    return entry.verdict


def test_noise_supports_and_refutes_nothing(mini) -> None:
    generator = np.random.default_rng(1)
    verdicts = [verdict_of(name, study(mini, generator, {})) for _ in range(10) for name in COMPARISONS]
    assert {*verdicts} <= {"inconclusive", "negligible"}


def test_planted_effects_are_found_with_their_sign(mini) -> None:
    tables = study(mini, np.random.default_rng(2), {"sigmoid": -0.3, "leaky_relu": 0.05, "elu": -0.2})
    assert verdict_of("relu, sigmoid", tables) == "supported"
    assert verdict_of("leaky_relu, relu", tables) == "supported"
    assert verdict_of("elu, relu", tables) == "refuted"


def test_networks_that_diverge_count_against_their_setting(mini) -> None:
    """Were they left out, what is left would be its best seeds: sigmoid, better by 5 points where it trains at all."""
    tables = study(mini, np.random.default_rng(4), {"sigmoid": 0.05})
    lost = (tables.networks["activation"] == "sigmoid") & (tables.networks["seed"] < 6)
    networks = tables.networks.assign(
        status=np.where(lost, "diverged", "trained"),
        **{score: tables.networks[score].mask(lost, 0.1) for score in ("val_accuracy", "test_accuracy")},
    )
    finished = tables.history.merge(networks[networks["status"] == "trained"][KEY], on=KEY)
    tables = replace(tables, networks=networks, history=finished)
    (one,) = activations_differ("relu", ("sigmoid",), normalized=False)(Evidence({"planted": tables}))
    assert len(one.effects) == 10
    assert one.effects.mean() == pytest.approx(100 * (0.6 * 0.7 - 0.4 * 0.05), abs=3)
    (slow,) = activations_differ("relu", ("sigmoid",), "profile", normalized=False)(Evidence({"planted": tables}))
    assert slow.effects[:6].mean() > 50 > slow.effects[6:].mean()


@pytest.fixture(scope="module")
def probes() -> Probes:
    return Probes(variance_ratios(), signal_drifts(), input_moments(), clipping_angles(), step_times())


@pytest.fixture(scope="module")
def ledger(mini, probes):
    return keep_ledger(CLAIMS, Evidence({"noise": study(mini, np.random.default_rng(3), {})}, probes))


def test_every_claim_is_an_entry_of_the_metrics(ledger) -> None:
    metrics, table, effects = as_metrics(ledger), as_table(ledger), as_effects(ledger)
    assert list(metrics) == [entry.id for entry in CLAIMS if entry.kind != "cost"]
    assert len(metrics) == len({claim.id for claim in CLAIMS}) - 6
    for name, entry in metrics.items():
        own = table[table["claim"] == name]
        parts = own[own["part"] != "all"]
        for side in ("for", "against", "none", "open"):
            assert entry[side] == (parts["speaks"] == side).sum()
        assert (entry["verdict"] == "not tested") == own.empty == (name not in {*effects["claim"]})
        if len(own):
            assert entry["effect"] == own["effect"].iloc[0]
    assert (table["low"] <= table["effect"]).all()
    assert (table["effect"] <= table["high"]).all()


def test_costs_are_no_verdicts_that_repeat(ledger) -> None:
    costs = {claim.id for claim in CLAIMS if claim.kind == "cost"}
    assert costs == {"elu-slow-step", "elu-faster-in-all", "gelu-cost", "swish-cost", "bn-cost", "large-networks-time"}
    assert not costs & as_metrics(ledger).keys()
    assert costs - {*as_table(ledger)["claim"]} == {"large-networks-time"}  # of networks of one size


def test_an_effect_can_be_computed_again_from_the_tables(mini) -> None:
    tables = study(mini, np.random.default_rng(4), {})
    (entry,) = keep_ledger([c for c in CLAIMS if c.id == "leaky-beats-relu"], Evidence({"s": tables}))
    (one,) = (one for one in entry.findings if one.setting["normalization"] == "none")
    plain = tables.chosen.query("normalization == 'none'")
    accuracy = plain.pivot_table(index="seed", columns=["activation", "initializer"], values="test_accuracy")
    effects = 100 * (accuracy["leaky_relu"] - accuracy["relu"]).mean(axis=1)
    np.testing.assert_allclose(one.effects, effects)
    assert one.overlap == pytest.approx(0.2 / 0.6)
    (place,) = (part for part in entry.parts if part.name == one.where)
    assert place.pooled.estimate == of_replicates(effects.to_numpy(), 0.2 / 0.6)


def test_the_documented_query_gives_the_ledgers_numbers(mini, tmp_path, monkeypatch, capsys) -> None:
    tables = study(mini, np.random.default_rng(6), {"leaky_relu": 0.1})
    (tmp_path / "results/digits").mkdir(parents=True)
    (tmp_path / "report").mkdir()
    tables.networks.to_parquet(tmp_path / "results/digits/networks.parquet")
    as_effects(keep_ledger(CLAIMS, Evidence({"digits": tables}))).to_parquet(tmp_path / "report/effects.parquet")
    monkeypatch.chdir(tmp_path)
    namespace: dict = {}
    for block in re.findall(r"```python\n(.*?)```", (ROOT / "docs/claims.md").read_text(), re.DOTALL):
        exec(block, namespace)  # noqa: S102 (our own documentation)
    computed, written = capsys.readouterr().out.splitlines()
    assert computed == written
    assert computed.startswith("+")


@pytest.mark.parametrize("epochs", [[], [0], [2]])
def test_claims_about_layers_need_no_epoch_in_particular(mini, epochs: list[int]) -> None:
    deep = mini.model_copy(update={"hidden": ("12x8",)})
    tables = study(deep, np.random.default_rng(8), {})
    layers = tables.layers[tables.layers["layer"] == 1].merge(pd.DataFrame({"layer_": range(1, 13)}), how="cross")
    layers = layers.drop(columns="layer").rename(columns={"layer_": "layer"})
    layers = pd.concat([layers.assign(epoch=epoch) for epoch in epochs]) if epochs else layers.iloc[:0]
    ledger = keep_ledger(CLAIMS, Evidence({"deep": replace(tables, layers=layers)}))
    assert len(ledger) == len(CLAIMS)


def test_layers_after_training_are_compared_at_the_rates_that_every_setting_tried(mini) -> None:
    """Before the first step at each setting's own rate, which plays no part yet."""
    tables = study(mini, np.random.default_rng(9), {})
    chose = tables.layers.assign(seed=tables.layers["seed"] + 2**31)
    further = chose[(chose["activation"] == "relu") & (chose["learning_rate"] == 0.1)].assign(learning_rate=0.3)
    looks = pd.concat([pd.concat([chose, further]).assign(epoch=epoch) for epoch in (0, 1, 2)])
    tuned = replace(tables, tuning_layers=looks)
    for epoch, expected in ((1, 1), ("last", 2)):
        last = tuned.hidden(epoch)
        assert {*last["learning_rate"]} == {0.01, 0.1}
        assert {*last["epoch"]} == {expected}
        assert last["seed"].min() >= 2**31
    assert {*tuned.hidden(0)["seed"]} == {*tables.networks["seed"]}
    assert not tuned.hidden(0).duplicated([*KEY[:-2], "seed", "layer"]).any()
    assert tables.hidden("last").empty  # nobody looked after the first step


@pytest.mark.parametrize(("reused", "expected"), [((1, 3), [2.0, 2.0]), ((2,), [])])
def test_upper_layers_are_compared_where_several_numbers_of_layers_are_reused(reused, expected) -> None:
    rows = [(layers, 0, seed, 0.9 - layers / 100) for layers in reused for seed in (0, 1)]
    group = pd.DataFrame(rows, columns=["reused", "unfrozen", "seed", "test_accuracy"])
    assert (100 * paired(*fewest_and_all(group), "test_accuracy", on=())).tolist() == pytest.approx(expected)


def test_what_the_literature_did_not_expect_is_surprising() -> None:
    expected = {"a": "supported", "b": "supported", "c": "depends", "d": "supported", "e": "supported"}
    found = {"a": "depends", "b": "refuted", "c": "depends", "d": "inconclusive", "e": "supported"}
    claims = [claim(name=name, expected=verdict) for name, verdict in expected.items()]
    assert surprises(claims, found) == ["b", "a"]


def test_no_data_is_no_verdict() -> None:
    assert {entry.verdict for entry in keep_ledger(CLAIMS, Evidence({}))} == {"not tested"}


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
    assert (probes.steps.groupby("round").size() == len(COSTS)).all()
    assert (probes.steps["seconds"] > 0).all()


def test_a_ledger_over_tables_in_folders_is_that_over_tables_in_memory(
    params, mini, digits, tmp_path, monkeypatch
) -> None:
    block = mini.grid[0].model_copy(
        update={"activation": ("relu", "leaky_relu", "sigmoid"), "initializer": ("he_normal", "standard_normal"),
                "seed": (0, 1, 2), "learning_rate": ("tuned",)}
    )  # fmt: skip
    study = mini.model_copy(
        update={"hidden": ("20x10",), "grid": (block,), "training": mini.training.model_copy(update={"epochs": 3})}
    )
    results = train_networks("mini", study, params, digits, study.networks())
    monkeypatch.setattr(tables, "ROWS_OF_A_FILE", 50)
    results.save(tmp_path)
    opened = load_results(tmp_path)
    assert opened.layers == tmp_path / "layers.parquet"
    assert opened.tuning_layers == tmp_path / "tuning_layers.parquet"
    one, other = (
        as_metrics(keep_ledger(CLAIMS, Evidence(dict.fromkeys(("dying", "deep_plain"), StudyTables.of(study, own)))))
        for own in (results, opened)
    )
    assert one == other
    tested = {name for name, entry in one.items() if entry["verdict"] != "not tested"}
    assert {"vanishing-lower-layers", "still-layers-learn-badly", "leaky-units-wake-up"} <= tested  # of their layers
