"""Stage ``claims``: the ledger over all studies that ran. Usage: ``python -m stages.claims``."""

import json
from collections import Counter

import pandas as pd

from pipeline.evaluation.claims.entries import CLAIMS
from pipeline.evaluation.claims.evidence import StudyTables
from pipeline.evaluation.claims.ledger import as_metrics, keep_ledger
from pipeline.params import load_params
from stages import REPORT, RESULTS, run

TABLES = ("networks", "history", "layers", "transfer")


def main() -> None:
    """Write ``report/claims.json``."""
    params = load_params()
    evidence = {
        name: StudyTables(params.study(name), *(pd.read_parquet(RESULTS / name / f"{t}.parquet") for t in TABLES))
        for name in params.run
    }
    entries = keep_ledger(CLAIMS, evidence, 1 - params.evaluation.confidence)
    REPORT.mkdir(exist_ok=True)
    (REPORT / "claims.json").write_text(json.dumps(as_metrics(entries), indent=2) + "\n", encoding="utf-8")
    counts = Counter(entry.verdict for entry in entries)
    print("claims: " + ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())))


if __name__ == "__main__":
    run(main)
