import json
import re
from copy import deepcopy
from html.parser import HTMLParser
from pathlib import Path

import markupsafe
import pandas as pd
import pytest
import scipy.stats
from ruamel.yaml import YAML

from pipeline.axes.activations import ACTIVATIONS
from pipeline.axes.initializers import INITIALIZERS
from pipeline.config import parse_params
from pipeline.data import Dataset
from pipeline.evaluation.claims.entries import CLAIMS
from pipeline.evaluation.claims.evidence import Evidence, StudyTables
from pipeline.evaluation.claims.ledger import as_metrics, as_table, keep_ledger
from pipeline.evaluation.transfer import summarize_transfer
from pipeline.experiments.propagation import propagation
from pipeline.experiments.transfer.run import run_transfer
from pipeline.grid import AXES, AXIS
from pipeline.report.charts import heat, shade
from pipeline.report.languages import LANGUAGES
from pipeline.report.page import Ledger, clipping_block, contents, render_page
from pipeline.report.tables import (
    StudyResults,
    axis_levels,
    cell_details,
    depth_maps,
    health_table,
    heatmaps,
    propagation_curves,
)
from pipeline.report.write import write_report
from tests import building
from tests.building import evaluated
from tests.conftest import ROOT
from tests.maps import drawn, small_map

CRITICAL = ("tanh", "relu")
"""Activations that stand with the initializer of that name where signals and gradients are measured."""


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
    classes = ("<b>zero</b></script>", "accuracy", "macro avg", *"3456789")
    named = Dataset(
        digits.features,
        digits.labels,
        digits.places,
        digits.card.model_copy(update={"classes": classes, "class_type": "str"}),
    )
    results, evaluation = evaluated("mini", short, params, named, tmp_path_factory.mktemp("results"))
    shape = params.propagation.model_copy(update={"depth": 10, "width": 12, "seeds": 2, "samples": 32})
    plain = {"initializer": tuple(one.name for one in INITIALIZERS if not one.fitted), "activation": ACTIVATIONS.names}
    blocks = (plain, {"initializer": ("critical",), "activation": CRITICAL})
    whole = short.model_copy(update={"grid": tuple(short.grid[0].model_copy(update=block) for block in blocks)})
    measured = propagation("mini", whole, params.model_copy(update={"propagation": shape}), named)
    found = run_transfer("mini", params, digits, params.transfer["mini"])
    summary = summarize_transfer(found.transfer, found.transfer_hits, digits.card, 0.95)
    return StudyResults("mini", short, named.card, results, evaluation, measured, found.transfer, summary)


@pytest.fixture(scope="module")
def page(study, params, tmp_path_factory) -> Path:
    of_study = study.results
    tables = StudyTables.of(study.study, of_study)
    ledger = keep_ledger(CLAIMS, Evidence({"mini": tables}))
    folder = tmp_path_factory.mktemp("report")
    maps = {"planted": drawn(small_map(), lambda place: 1.62 < place["weight_variance"] < 2.48)}
    return write_report([study], params, Ledger(as_metrics(ledger), as_table(ledger)), maps, folder, "c0ffee")


@pytest.fixture(scope="module")
def data(page: Path) -> dict:
    found = re.search(r'id="data">(.*?)</script>', page.read_text(), re.DOTALL)
    assert found
    return json.loads(found[1].replace("<\\/", "</"))


def test_the_page_needs_nothing_from_outside(page: Path) -> None:
    tags = Tags()
    tags.feed(page.read_text())
    for tag, attributes in tags.found:
        assert tag not in {"link", "iframe", "object", "embed", "base"}
        assert not attributes.get("src")
        assert (attributes.get("href") or "#").startswith("#")


def test_every_claim_has_its_card_in_every_language(page: Path) -> None:
    text = page.read_text()
    for claim in (one for one in CLAIMS if one.kind != "cost"):
        assert f"<span>{markupsafe.escape(claim.statement)}</span></summary>" in text
        assert text.count(f'<details class="claim" id="claim-{claim.id}"') == len(LANGUAGES)


def test_names_from_data_are_escaped(page: Path) -> None:
    text = page.read_text()
    assert "<b>zero" not in text
    assert "&lt;b&gt;zero" in text


def test_every_chart_of_the_page_has_a_place_and_words(page: Path, data: dict) -> None:
    tags = Tags()
    tags.feed(page.read_text())
    places = {attributes["data-chart"]: attributes for _, attributes in tags.found if "data-chart" in attributes}
    assert set(data["charts"]) == set(places)
    assert {name for name in places if not name.startswith("claim-")} == {
        *(f"{chart}-mini" for chart in ("curves", "failures", "signal", "gradient")),
        *(f"{chart}-mini-three_and_five" for chart in ("labels", "reuse")),
        *(f"ranks-mini-{axis}" for axis in ("activation", "normalization")),
        "map-planted",
    }
    assert all(attributes["aria-label"] for attributes in places.values())
    assert {f["data-cell-chart"] for _, f in tags.found if "data-cell-chart" in f} == set(data["cellCharts"])


def test_a_map_shows_every_network_once_and_theorys_edge(page: Path, data: dict) -> None:
    chart = data["charts"]["map-planted"]
    cells = pd.DataFrame(chart["datasets"][chart["layer"][0]["data"]["name"]])
    assert len(cells) == 41 * 5
    area = (cells["x_to"] - cells["x_from"]) * (cells["y_to"] - cells["y_from"])
    assert area.sum() == pytest.approx((3.025 - 0.975) * (0.225 + 0.025), rel=1e-2)  # no gap, no overlap
    lines = pd.DataFrame(chart["datasets"][chart["layer"][-1]["data"]["name"]])
    assert lines[lines["line"] == "edge"]["x"].to_list() == pytest.approx([2] * 5, rel=1e-4)
    text = re.sub(r"<[^>]+>", "", page.read_text())
    assert "205 networks of 20x8, relu, on digits" in text
    assert "The edge lies where networks learned in 100 % of the rows" in text


def test_all_that_scrolls_is_reached_by_keyboard(page: Path) -> None:
    tags = Tags()
    tags.feed(page.read_text())
    scrolling = [attributes for _, attributes in tags.found if attributes.get("class") == "scroll"]
    assert scrolling
    assert [attributes for attributes in scrolling if attributes.get("tabindex") != "0"] == []


def test_every_cell_of_a_heatmap_has_its_curves_and_layers(page: Path, data: dict, study: StudyResults) -> None:
    cells = data["cells"]["mini"]
    shown = {cell["number"]: cell for own in heatmaps(study) for _, row in own.rows for cell in row if cell}
    assert {int(n) for n in re.findall(r'data-cell="(\d+)"', page.read_text())} == set(shown)
    for number, cell in shown.items():
        assert cells[number]["name"].startswith(f"{cell['initializer']} · {cell['activation']}")
        if cell["diverged"] == 0:
            epoch, _, accuracy, low, high = cells[number]["curve"][-1]
            assert epoch == 2
            assert low <= accuracy <= high
            assert accuracy == pytest.approx(cell["val_accuracy_mean"], abs=1e-4)
            assert len(cells[number]["layers"]) == 3 * len(study.study.hidden_widths)


def test_a_cell_shows_the_mean_over_its_seeds(study: StudyResults) -> None:
    cell = study.evaluation.cells.query("diverged == 0").iloc[0]
    details = cell_details(study)[cell.name]
    layers = study.results.layers
    for axis in AXES:
        layers = layers[layers[axis] == cell[axis]]
    own = layers[(layers["epoch"] == 0) & (layers["layer"] == 1)]
    epoch, layer, gradient, sd, dead = details["layers"][0]
    assert (epoch, layer) == (0, 1)
    assert gradient == pytest.approx(scipy.stats.gmean(own["gradient"]), rel=1e-3)
    assert sd == pytest.approx(own["activation_sd"].mean(), rel=1e-3)
    assert dead == pytest.approx(own["dead"].mean(), rel=1e-3)


def test_both_views_have_their_heatmaps_and_levels(study: StudyResults) -> None:
    fixed = [cell for own in heatmaps(study) if own.view == "fixed" for _, row in own.rows for cell in row if cell]
    assert fixed
    assert {cell["learning_rate"] for cell in fixed} == {study.fixed_rate}
    parts = {(own.view, own.axis): own.rows for own in axis_levels(study)}
    assert set(parts) == {
        (view, axis) for view in ("best", "fixed") for axis in ("activation", "initializer", "normalization")
    }
    rows = parts["best", "activation"]
    assert [row["accuracy"] for row in rows] == sorted((row["accuracy"] for row in rows), reverse=True)


def test_the_markdown_report_has_its_pictures(page: Path, study: StudyResults) -> None:
    text = (page.parent / "report.md").read_text()
    pictures = re.findall(r"!\[[^]]*\]\((figures/[^)]+\.svg)\)", text)
    assert len(pictures) == len({*pictures}) >= 4
    for picture in pictures:
        assert (page.parent / picture).read_text().startswith("<svg")
    assert {path.name for path in (page.parent / "figures").iterdir()} == {Path(name).name for name in pictures}
    for claim in (one for one in CLAIMS if one.kind != "cost"):
        assert claim.statement.replace("|", "\\|") in text
    assert f"{study.evaluation.metrics['best_cell']['val_accuracy_mean']:.3f}" in text
    assert "Commit c0ffee" in text


def test_the_page_is_small(page: Path) -> None:
    assert page.stat().st_size < 2_000_000  # of which the charts' library is 0.9 MB


def test_shades_follow_the_error() -> None:
    assert shade(0.5, 0.5, 0.99) == 0
    assert shade(0.99, 0.5, 0.99) == 1
    assert shade(0.9, 0.5, 0.98) == pytest.approx(0.5, abs=1e-9)  # errors 0.5, 0.1, 0.02
    assert shade(1.0, 1.0, 1.0) == 1


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
    assert diverged["settings"] == [("standard_normal · relu", 1)]


def test_the_depth_maps_say_how_deep_signals_go(study: StudyResults) -> None:
    maps = depth_maps(study)
    assert [one.facet for one in maps] == [{"normalization": level} for level in ("none", "before", "after")]
    for one in maps:
        assert tuple(one.columns) == INITIALIZERS.names
        assert tuple(activation for activation, _ in one.rows) == ACTIVATIONS.names
        assert all(cell["limit"] == 10 for _, row in one.rows for cell in row if cell)
    plain = {activation: dict(zip(maps[0].columns, row, strict=True)) for activation, row in maps[0].rows}
    assert plain["relu"]["he_normal"]["predicted"] == 10
    assert plain["relu"]["standard_normal"]["predicted"] < 5
    assert plain["sigmoid"]["lecun_normal"]["predicted"] == plain["sigmoid"]["lecun_normal"]["measured"] == 3


def test_a_depth_map_is_empty_where_the_grid_names_no_network(study: StudyResults) -> None:
    for one in depth_maps(study):
        critical = one.columns.index("critical")
        assert {level for level, cells in one.rows if cells[critical] is not None} == {*CRITICAL}


def test_a_depth_map_holds_whole_numbers_and_nothing_where_the_theory_is_silent(study: StudyResults) -> None:
    for one in depth_maps(study):
        for _, row in one.rows:
            for initializer, cell in zip(one.columns, row, strict=True):
                if cell:
                    assert type(cell["measured"]) is int
                    assert type(cell["predicted"]) is (type(None) if initializer == "identity" else int)


def test_the_curves_hold_prediction_and_measurement(study: StudyResults) -> None:
    curves = propagation_curves(study)
    assert set(curves["quantity"]) == {"signal", "gradient"}
    assert set(curves["layer"]) == {1, 2, 5, 10}
    assert len(curves) == 2 * 4 * (3 * len(ACTIVATIONS) + len(CRITICAL))


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


def test_divergence_is_shown_over_the_modes_that_most_settings_were_trained_under() -> None:
    modes = [*((name, mode) for name in "abc" for mode in ("none", "value", "norm")), ("a", "norm(threshold=0.1)")]
    modes += [("d", "none")]
    cells = pd.DataFrame([building.cell(clipping=mode)._replace(activation=name) for name, mode in modes])
    kept = clipping_block(cells)
    assert set(kept["activation"]) == {"a", "b", "c"}
    assert set(kept["clipping"]) == {"none", "value", "norm"}


@pytest.mark.parametrize(
    ("axis", "levels"),
    [
        ("optimizer", ["sgd", "adam"]), ("regularization", ["none", "dropout(rate=0.1)"]), ("hidden", ["2x8", "2x16"]),
        ("label_noise", [0.0, 0.3]), ("learning_rate", [0.01, 0.1]), ("architecture", ["mlp", "recurrent"]),
    ],
)  # fmt: skip
def test_a_study_of_one_axis_gets_a_page_about_that_axis(axis: str, levels: list, digits, tmp_path: Path) -> None:
    raw = deepcopy(YAML(typ="safe").load((ROOT / "params.yaml").read_text()))
    block = {"initializer": ["he_normal"], "activation": ["relu"], "learning_rate": [0.1], "seed": [0, 1]}
    raw["studies"]["mini"] |= {"hidden": ["8x8"], "grid": [block | {axis: levels}]}
    changed = parse_params(raw)
    own = changed.study("mini")
    own = own.model_copy(update={"training": own.training.model_copy(update={"epochs": 1})})
    results, evaluation = evaluated("mini", own, changed, digits, tmp_path)
    start = propagation("mini", own, changed, digits)
    study = StudyResults("mini", own, digits.card, results, evaluation, start)
    (first, *_) = heatmaps(study)
    assert (axis if axis != "learning_rate" else "activation") == first.rows_axis
    assert first.columns_axis == "learning_rate"
    assert {row.axis for row in axis_levels(study)} == ({axis} - {"learning_rate"})
    tables = StudyTables.of(own, results)
    ledger = keep_ledger(CLAIMS, Evidence({"mini": tables}))
    page = render_page(contents([study], changed, Ledger(as_metrics(ledger), as_table(ledger)), {}, ""))
    for level in levels:
        assert f">{AXIS[axis].label(level)}<" in page or f">{level}<" in page
