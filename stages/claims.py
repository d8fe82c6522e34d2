"""Stage ``claims``: the ledger over all studies that ran. Usage: ``python -m stages.claims``."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import data
from pipeline.config import load_params, load_study
from pipeline.errors import DataError
from pipeline.evaluation.claims.entries import CLAIMS
from pipeline.evaluation.claims.evidence import OF_TRANSFER, Evidence, Probes, StudyTables, samples_tested
from pipeline.evaluation.claims.ledger import as_effects, as_metrics, as_table, keep_ledger
from pipeline.strict_json import save_json
from pipeline.training.results import load_results
from pipeline.training.tables import load_table
from stages import PREPARED, REPORT, RESULTS, run

LEDGER = REPORT / "claims.json"


def main() -> None:
    """Write ``report/claims.json``, ``report/findings.parquet`` and ``report/effects.parquet``."""
    params = load_params()
    studies = {}
    for name in params.run:
        folder = RESULTS / name
        results = load_results(folder)
        tested = samples_tested(data.load(PREPARED / name), results.networks["seed"].unique())
        studies[name] = StudyTables.of(load_study(folder), results, *_tables(folder, *OF_TRANSFER), tested=tested)
    ledger = keep_ledger(CLAIMS, Evidence(studies, load_probes()))
    REPORT.mkdir(exist_ok=True)
    save_json(as_metrics(ledger), LEDGER)
    as_table(ledger).to_parquet(REPORT / "findings.parquet", index=False)
    as_effects(ledger).to_parquet(REPORT / "effects.parquet", index=False)
    counts = Counter(entry.verdict for entry in ledger)
    print("claims: " + ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())))


def load_probes() -> Probes:
    """Read the small experiments' tables.

    Raises:
        DataError: they are not there.
    """
    try:
        return Probes(*_tables(RESULTS / "probes", *Probes._fields))
    except FileNotFoundError as error:
        raise DataError(f"{error.filename} is not there; run `dvc repro probes` first") from None


def load_ledger() -> dict[str, Any]:
    """Read the ledger of the last run, as a metric.

    Raises:
        DataError: it is not there.
    """
    try:
        found: dict[str, Any] = json.loads(LEDGER.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{LEDGER} is not there; run `dvc repro` first") from None
    return found


def _tables(folder: Path, *names: str) -> list[pd.DataFrame]:
    return [load_table(folder / f"{name}.parquet") for name in names]


if __name__ == "__main__":
    run(main)
