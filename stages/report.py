"""Stage ``report``: one page over all studies that ran. Usage: ``python -m stages.report``."""

import json

import pandas as pd

from pipeline import data
from pipeline.config import load_params, load_study
from pipeline.evaluation import golden
from pipeline.evaluation.files import load_evaluation
from pipeline.evaluation.maps import load_map
from pipeline.report.page import Ledger
from pipeline.report.tables import StudyResults
from pipeline.report.write import write_report
from pipeline.tracking import Execution, commit, track_claims, track_report
from pipeline.training.results import load_results
from stages import MAPS, PREPARED, REPORT, RESULTS, run, tracked


def main() -> None:
    """Write the report's files, and attach the page to the studies' MLflow runs."""
    params = load_params()
    studies = [
        StudyResults(
            name,
            load_study(RESULTS / name),
            data.load_card(PREPARED / name),
            load_results(RESULTS / name),
            load_evaluation(RESULTS / name),
            pd.read_parquet(RESULTS / name / "propagation.parquet"),
            pd.read_parquet(RESULTS / name / "transfer.parquet"),
            pd.read_parquet(RESULTS / name / "transfer_summary.parquet"),
        )
        for name in params.run
    ]
    metrics, full = (
        json.loads(path.read_text(encoding="utf-8")) for path in (REPORT / "claims.json", golden.FULL_LEDGER)
    )
    ledger = Ledger(metrics, pd.read_parquet(REPORT / "findings.parquet"), full)
    kept = {path.name: path for path in sorted(golden.MAPS.glob("*"))}
    maps = {name: load_map(path) for name, path in (kept | {name: MAPS / name for name in params.draw}).items()}
    page = write_report(studies, params, ledger, maps, REPORT, commit())
    print(f"report: {page}")
    with tracked("the report"):
        executions = [
            Execution(one.name, one.study, one.card, one.results, one.evaluation, RESULTS / one.name) for one in studies
        ]
        track_report(page, executions, track_claims(REPORT))


if __name__ == "__main__":
    run(main)
