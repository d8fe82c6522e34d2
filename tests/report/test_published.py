"""The pages on the textbook's experiments are what the kept file says."""

import json

import pytest

from pipeline.evaluation.golden import PUBLISHED_RUNS
from pipeline.evaluation.published import load_published
from pipeline.evaluation.statistics import further_run_interval
from pipeline.report.published import render_pages
from tests.conftest import ROOT

KEPT = json.loads((ROOT / PUBLISHED_RUNS).read_text())
FOLDER = ROOT / "docs/results/notebook"


def test_the_pages_are_current() -> None:
    pages = render_pages(KEPT)
    assert {file.name for file in FOLDER.iterdir()} == pages.keys()
    for name, text in pages.items():
        if name.endswith(".md"):
            assert (FOLDER / name).read_text() == text


@pytest.mark.parametrize("name", load_published())
def test_every_published_score_stands_beside_its_interval(name: str) -> None:
    known, kept = load_published()[name], KEPT["experiments"][name]
    assert kept["scores"].keys() == known.scores.keys()
    for score, found in kept["scores"].items():
        assert found["published"] == known.scores[score]
        assert found["mean"] == pytest.approx(
            further_run_interval([run for run in found["runs"] if run is not None]).estimate
        )
        assert len(found["runs"]) >= 10
        assert found["inside"] == (found["low"] <= found["published"] <= found["high"])
        assert found["inside"] or known.remark, "why it lies outside, as an experiment showed"
