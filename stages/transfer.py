"""Stage ``transfer``: a study's transfer experiments; MLflow. Usage: ``python -m stages.transfer STUDY``."""

import pandas as pd

from pipeline.config import Params, load_params
from pipeline.strict_json import save_json
from stages import PREPARED, RESULTS, run, tracked

TABLES = ("transfer", "transfer_history", "transfer_hits", "transfer_timings", "transfer_summary")


def main(study: str) -> None:
    """Write ``results/<study>``: transfer, its history, hits, timings and summary, and transfer.json.

    They are empty where the study has no experiment.
    """
    params = load_params()
    folder = RESULTS / study
    folder.mkdir(parents=True, exist_ok=True)
    if params.transfer.get(study):
        _experiments(study, params)
        return
    for name in TABLES:
        pd.DataFrame().to_parquet(folder / f"{name}.parquet")
    (folder / "transfer.json").write_text("{}\n", encoding="utf-8")


def _experiments(study: str, params: Params) -> None:
    # Imported here: most studies have no experiment, and need not wait seconds for nothing.
    from pipeline import data
    from pipeline.evaluation.transfer import summarize_transfer, transfer_metrics
    from pipeline.experiments.transfer.run import run_transfer
    from pipeline.tracking import track_transfer
    from pipeline.training.devices import device_name
    from pipeline.training.store import NetworkStore

    dataset = data.load(PREPARED / study)
    results = run_transfer(study, params, dataset, params.transfer[study], NetworkStore())
    results.save(RESULTS / study)
    summary = summarize_transfer(results.transfer, results.transfer_hits, dataset.card, params.evaluation.confidence)
    summary.to_parquet(RESULTS / study / "transfer_summary.parquet", index=False)
    metrics = transfer_metrics(results.transfer, summary)
    save_json(metrics, RESULTS / study / "transfer.json")
    with tracked(f"{study}, transfer"):
        track_transfer(study, params, dataset.card, device_name(params.compute), results, summary)


if __name__ == "__main__":
    run(main)
