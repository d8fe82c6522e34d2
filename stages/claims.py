"""Stage ``claims``: the ledger over all studies that ran. Usage: ``python -m stages.claims``."""

from collections import Counter
from pathlib import Path

import pandas as pd

from pipeline.config import load_params, load_study
from pipeline.evaluation.claims.entries import CLAIMS
from pipeline.evaluation.claims.evidence import Evidence, Probes, StudyTables
from pipeline.evaluation.claims.ledger import as_effects, as_metrics, as_table, keep_ledger
from pipeline.strict_json import save_json
from stages import REPORT, RESULTS, run


def main() -> None:
    """Write ``report/claims.json``, ``report/findings.parquet`` and ``report/effects.parquet``."""
    params = load_params()
    studies = {}
    for name in params.run:
        networks, history, layers, transfer = _tables(RESULTS / name, "networks", "history", "layers", "transfer")
        studies[name] = StudyTables(load_study(RESULTS / name), networks, history, layers, transfer)
    evidence = Evidence(studies, Probes(*_tables(RESULTS / "probes", *Probes._fields)))
    ledger = keep_ledger(CLAIMS, evidence)
    REPORT.mkdir(exist_ok=True)
    save_json(as_metrics(ledger), REPORT / "claims.json")
    as_table(ledger).to_parquet(REPORT / "findings.parquet", index=False)
    as_effects(ledger).to_parquet(REPORT / "effects.parquet", index=False)
    counts = Counter(entry.verdict for entry in ledger)
    print("claims: " + ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())))


def _tables(folder: Path, *names: str) -> list[pd.DataFrame]:
    return [pd.read_parquet(folder / f"{name}.parquet") for name in names]


if __name__ == "__main__":
    run(main)
