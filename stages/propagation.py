"""Stage ``propagation``: theory and measurement at initialisation. Usage: ``python -m stages.propagation STUDY``."""

from pipeline import data
from pipeline.params import load_params
from pipeline.propagation.agreement import summarize
from pipeline.propagation.measure import propagation
from pipeline.strict_json import save_json
from stages import PREPARED, RESULTS, run


def main(study: str) -> None:
    """Write ``results/<study>``: propagation.parquet, propagation.json."""
    params = load_params()
    folder = RESULTS / study
    folder.mkdir(parents=True, exist_ok=True)
    table = propagation(study, params.study(study), params, data.load(PREPARED / study))
    table.to_parquet(folder / "propagation.parquet", index=False)
    summary = summarize(table, params.propagation.tolerance)
    save_json(summary, folder / "propagation.json")
    plain = summary["deep"]["plain"]
    print(
        f"{study}: {params.propagation.depth} layers of {params.propagation.width}, no batch norm: the theory holds "
        f"for {plain['signal_holds']:.0%} of {plain['settings']} settings' signals, "
        f"{plain['gradient_holds']:.0%} of their gradients"
    )


if __name__ == "__main__":
    run(main)
