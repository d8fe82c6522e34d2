"""Stage ``propagation``: theory and measurement at initialisation. Usage: ``python -m stages.propagation STUDY``."""

from pipeline import data
from pipeline.config import load_params
from pipeline.evaluation.agreement import summarize
from pipeline.experiments.propagation import propagation
from pipeline.strict_json import save_json
from stages import PREPARED, RESULTS, run


def main(title: str) -> None:
    """Write ``results/<study>``: propagation.parquet, propagation.json."""
    params = load_params()
    folder = RESULTS / title
    folder.mkdir(parents=True, exist_ok=True)
    table = propagation(title, params.study(title), params, data.load(PREPARED / title))
    table.to_parquet(folder / "propagation.parquet", index=False)
    summary = summarize(table, params.propagation.tolerance)
    save_json(summary, folder / "propagation.json")
    for shape, found in summary.items():
        for kind, said in found.items():
            print(
                f"{title}, {shape} shape, {kind}: the theory holds for {said['signal_holds']:.0%} of "
                f"{said['settings']} settings' signals, {said['gradient_holds']:.0%} of their gradients"
            )


if __name__ == "__main__":
    run(main)
