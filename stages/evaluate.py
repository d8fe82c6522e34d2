"""Stage ``evaluate``: cells, champion, references; MLflow. Usage: ``python -m stages.evaluate STUDY``."""

from pipeline import data
from pipeline.evaluation.evaluate import evaluate
from pipeline.params import load_params
from pipeline.tracking import Execution, track_execution
from pipeline.training.results import load_results
from stages import PREPARED, RESULTS, run, tracked


def main(study: str) -> None:
    """Write ``results/<study>``: cells, levels, metrics, details, champion. Then bring MLflow up to date."""
    params = load_params()
    folder = RESULTS / study
    dataset, results = data.load(PREPARED / study), load_results(folder)
    evaluation = evaluate(params.study(study), params, dataset, results, folder)
    with tracked(study):
        track_execution(Execution(study, params, dataset.card, results, evaluation, folder))


if __name__ == "__main__":
    run(main)
