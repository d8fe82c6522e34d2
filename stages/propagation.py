"""Stage ``propagation``: theory and measurement at initialisation. Usage: ``python -m stages.propagation STUDY``."""

from pipeline import data
from pipeline.config import load_params
from pipeline.evaluation.agreement import QUANTITIES, summarize
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
    summary = summarize(table)
    save_json(summary, folder / "propagation.json")
    for shape, found in summary.items():
        for kind, said in found.items():
            told = (
                f"{name}s: {said[f'{name}_holds']} hold, {said[f'{name}_off']} are off, "
                f"{said[f'{name}_not_predictable']} are not predictable"
                for name in QUANTITIES
            )
            print(f"{title}, {shape} shape, {kind}: the theory of {said['settings']} settings, {'; '.join(told)}")


if __name__ == "__main__":
    run(main)
