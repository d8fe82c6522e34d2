"""Stage ``evaluate``: cells, levels, metrics; MLflow. Usage: ``python -m stages.evaluate STUDY``."""

import json

import pandas as pd

from pipeline import data
from pipeline.config import load_params, load_study
from pipeline.evaluation.evaluate import evaluate
from pipeline.evaluation.files import save_evaluation
from pipeline.experiments.names import CHAMPION_FILE, REPEATS_FILE
from pipeline.tracking import Execution, track_execution
from pipeline.training.results import load_results
from stages import PREPARED, RESULTS, run, tracked


def main(title: str) -> None:
    """Write ``results/<study>``: cells, levels, metrics, details. Then bring MLflow up to date."""
    params = load_params()
    folder = RESULTS / title
    dataset, results = data.load(PREPARED / title), load_results(folder)
    champion = json.loads((folder / CHAMPION_FILE).read_text(encoding="utf-8"))
    evaluation = evaluate(params, dataset, results, champion, pd.read_parquet(folder / REPEATS_FILE))
    save_evaluation(evaluation, folder)
    with tracked(title):
        track_execution(Execution(title, load_study(folder), dataset.card, results, evaluation, folder))


if __name__ == "__main__":
    run(main)
