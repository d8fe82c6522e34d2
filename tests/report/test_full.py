"""The page on the full ledger is what the kept file says."""

import json

from pipeline.evaluation.claims.entries import CLAIMS
from pipeline.evaluation.golden import FULL_LEDGER
from pipeline.report.full import render_ledger
from tests.conftest import ROOT

KEPT = json.loads((ROOT / FULL_LEDGER).read_text())


def test_the_page_is_current() -> None:
    assert (ROOT / "docs/results/ledger.md").read_text() == render_ledger(KEPT)


def test_every_claim_has_a_verdict_from_data() -> None:
    assert KEPT["claims"].keys() == {claim.id for claim in CLAIMS if claim.kind != "cost"}
    assert [name for name, entry in KEPT["claims"].items() if entry["verdict"] == "not tested"] == []


def test_a_claim_that_depends_says_on_what() -> None:
    page = render_ledger(KEPT)
    for claim in CLAIMS:
        if KEPT["claims"].get(claim.id, {}).get("verdict") == "depends":
            assert f"- **{claim.statement.replace('|', chr(92) + '|')}** For: " in page


def test_a_verdict_stands_where_both_runs_have_it_and_the_page_says_where_they_differ() -> None:
    page = render_ledger(KEPT)
    for claim in CLAIMS:
        if entry := KEPT["claims"].get(claim.id):
            first, second = entry["verdicts"]
            assert entry["verdict"] == (first if first == second else "inconclusive")
            assert (f"The first run found it {first}, the second {second}." in page) or first == second
