"""Bring MLflow up to date with the results, without training. Usage: ``python -m stages.track``."""

import pandas as pd

from pipeline import data
from pipeline.config import load_params, load_study
from pipeline.evaluation.files import load_evaluation
from pipeline.evaluation.maps import load_map
from pipeline.experiments.transfer.results import load_transfer
from pipeline.tracking import Execution, track_claims, track_execution, track_map, track_report, track_transfer
from pipeline.training.results import load_results
from stages import MAPS, PREPARED, REPORT, RESULTS, run, tracked_now


def main() -> None:
    """Write every study's and every map's missing runs, and the report."""
    params, executions = load_params(), []
    for study in params.run:
        folder = RESULTS / study
        card = data.load_card(PREPARED / study)
        execution = Execution(study, load_study(folder), card, load_results(folder), load_evaluation(folder), folder)
        executions.append(execution)
        with tracked_now(study):
            track_execution(execution)
            if params.transfer.get(study):
                device = ", ".join(sorted(execution.results.timings["device"].unique()))
                summary = pd.read_parquet(folder / "transfer_summary.parquet")
                track_transfer(study, params, card, device, load_transfer(folder), summary)
    for title in params.draw:
        with tracked_now(title):
            track_map(title, load_map(MAPS / title), MAPS / title)
    with tracked_now("the report"):
        track_report(REPORT / "index.html", executions, track_claims(REPORT))


if __name__ == "__main__":
    run(main)
