import json
import re
from html.parser import HTMLParser
from pathlib import Path

import markupsafe
import pandas as pd
import pytest

from pipeline.evaluation.claims.entries import CLAIMS
from pipeline.evaluation.claims.evidence import StudyTables
from pipeline.evaluation.claims.ledger import as_metrics, keep_ledger
from pipeline.evaluation.evaluate import evaluate
from pipeline.params import ACTIVATIONS, INITIALIZERS
from pipeline.propagation.measure import propagation
from pipeline.report.charts import heat
from pipeline.report.page import write_report
from pipeline.report.tables import StudyResults, depth_maps, health_table, propagation_curves
from pipeline.training.engine import train_networks
from pipeline.transfer.engine import run_transfer


class Tags(HTMLParser):
    """Collects a page's elements and their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag, attrs) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def study(params, mini, digits, tmp_path_factory) -> StudyResults:
    short = mini.model_copy(update={"training": mini.training.model_copy(update={"epochs": 2})})
    # A class name that would end its element, were it not escaped
    named = digits._replace(card=digits.card.model_copy(update={"classes": ("<b>zero</b></script>", *"123456789")}))
    results = train_networks("mini", short, params, named, short.networks())
    evaluation = evaluate(short, params, named, results, tmp_path_factory.mktemp("results"))
    shape = params.propagation.model_copy(update={"depth": 10, "width": 12, "seeds": 2, "samples": 32})
    measured = propagation("mini", short, params.model_copy(update={"propagation": shape}), named)
    transfer = run_transfer("mini", short, params, digits, params.transfer["mini"]).transfer
    return StudyResults("mini", short, named.card, results, evaluation, measured, transfer)


@pytest.fixture(scope="module")
def page(study, params, tmp_path_factory) -> Path:
    tables = StudyTables(
        study.study, study.results.networks, study.results.history, study.results.layers, study.transfer
    )
    claims = as_metrics(keep_ledger(CLAIMS, {"mini": tables}, 0.05))
    return write_report([study], params, claims, tmp_path_factory.mktemp("report"))


def test_the_page_needs_nothing_from_outside(page: Path) -> None:
    tags = Tags()
    tags.feed(page.read_text())
    for tag, attributes in tags.found:
        assert tag not in {"link", "iframe", "object", "embed", "base"}
        assert not attributes.get("src")
        assert (attributes.get("href") or "#").startswith("#")


def test_every_claim_has_its_verdict(page: Path) -> None:
    text = page.read_text()
    for claim in CLAIMS:
        assert f"</span> {markupsafe.escape(claim.statement)}</summary>" in text
    assert text.count('<details class="claim">') == len(CLAIMS)


def test_names_from_data_are_escaped(page: Path) -> None:
    text = page.read_text()
    assert "<b>zero" not in text
    assert "&lt;b&gt;zero" in text


def test_every_chart_of_the_page_has_a_place_and_words(page: Path) -> None:
    text = page.read_text()
    found = re.search(r'id="specifications">(.*?)</script>', text, re.DOTALL)
    assert found
    charts = json.loads(found[1].replace("<\\/", "</"))
    tags = Tags()
    tags.feed(text)
    places = {
        attributes["id"]: attributes
        for _, attributes in tags.found
        if (attributes.get("class") or "") in {"chart", "multiples"}
    }
    assert set(charts) == set(places)
    assert set(charts) == {
        *(f"{chart}-mini" for chart in ("curves", "failures", "signal", "gradient")),
        *(f"{chart}-mini-three_and_five" for chart in ("labels", "reuse")),
    }
    assert all(attributes["aria-label"] for attributes in places.values())


def test_the_page_says_what_the_tables_say(page: Path, study: StudyResults) -> None:
    text = page.read_text()
    best = study.evaluation.metrics["best_cell"]
    assert f"{best['val_accuracy_mean']:.3f}" in text
    assert f"{study.evaluation.metrics['diverged']} diverged" in text
    for name in ("standard_normal", "glorot_uniform", "he_normal", "rrelu", "logistic regression", "random forest"):
        assert name in text


def test_the_health_table_counts_every_network_once(study: StudyResults) -> None:
    rows = health_table(study)
    assert sum(row["networks"] for row in rows) == len(study.results.networks)
    assert {row["verdict"] for row in rows} == set(study.results.networks["health"])
    (diverged,) = [row for row in rows if row["verdict"] == "diverged"]
    assert diverged["settings"] == [("relu · standard_normal", 1)]


def test_the_depth_maps_say_how_deep_signals_go(study: StudyResults) -> None:
    for depth_map in depth_maps(study):
        assert depth_map.limit == 10
        assert [activation for activation, _ in depth_map.rows] == list(ACTIVATIONS)
    plain = dict(depth_maps(study)[0].rows)
    at = INITIALIZERS.index
    assert plain["relu"][at("he_normal")].predicted == 10
    assert plain["relu"][at("standard_normal")].predicted < 5
    assert plain["sigmoid"][at("lecun_normal")].predicted == plain["sigmoid"][at("lecun_normal")].measured == 3


def test_the_curves_hold_prediction_and_measurement(study: StudyResults) -> None:
    curves = propagation_curves(study)
    assert set(curves["quantity"]) == {"signal", "gradient"}
    assert set(curves["layer"]) == {1, 2, 5, 10}
    assert len(curves) == 2 * 12 * 4 * 4


def test_the_tables_for_dvc_plots_hold_every_setting_and_sample(page: Path, study: StudyResults) -> None:
    plots = page.parent / "plots"
    assert len(pd.read_csv(plots / "settings.csv")) == study.evaluation.cells["best_rate"].sum()
    assert pd.read_csv(plots / "confusion.csv")["samples"].sum() == study.card.samples["test"]
    assert set(pd.read_csv(plots / "curves.csv")["epoch"]) == {1, 2}


def test_heatmap_colours_show_their_text() -> None:
    def luminance(colour: tuple[int, ...]) -> float:
        linear = [c / 12.92 if (c := v / 255) <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for v in colour]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for share in [i / 50 for i in range(51)]:
        background = tuple(map(int, re.findall(r"\d+", heat(share).split(";")[0])))
        text = 0.0 if "#000" in heat(share) else 1.0
        light, dark = sorted((luminance(background), text), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.4  # WCAG 2: 4.5 for small text
