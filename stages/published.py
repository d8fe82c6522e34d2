"""The textbook's experiments beside what was published of them. Usage: ``python -m stages.published``.

Reads the results of the studies that they are of, which `dvc repro` made.
"""

import json
from pathlib import Path

import pandas as pd

from pipeline import data
from pipeline.compute.rounding import processor
from pipeline.compute.workers import cores
from pipeline.config import load_params, load_study
from pipeline.errors import DataError
from pipeline.evaluation.golden import KERAS_RUNS, PUBLISHED_RUNS
from pipeline.evaluation.published import StudyRuns, compare, load_published
from pipeline.report.published import write_pages
from pipeline.strict_json import save_json
from pipeline.tracking import commit
from stages import PREPARED, RESULTS, run

PAGES = Path("docs/results/notebook")
COMMAND = "dvc exp run -S 'run=[{}]'"


def main() -> None:
    """Write ``golden/published.json``, and the pages ``docs/results/notebook`` from it."""
    params = load_params()
    names = list(dict.fromkeys(known.study for known in load_published().values()))
    command = COMMAND.format(",".join(names))
    studies = {}
    for name in names:
        folder = RESULTS / name
        if not (folder / "transfer.json").is_file() or not (folder / "networks.parquet").is_file():
            raise DataError(f"{folder}: the study has not been run; `{command}` does it")
        if load_study(folder) != params.study(name):
            raise DataError(f"{folder}: params.yaml has another study of this name; `{command}` runs it")
        tables = {file.stem: pd.read_parquet(file) for file in sorted(folder.glob("*.parquet"))}
        studies[name] = StudyRuns(
            params.study(name), params.transfer.get(name, {}), data.load_card(PREPARED / name), tables
        )
    about = {"command": command, "commit": commit(), "processor": processor(), "cores": cores()}
    keras = json.loads(KERAS_RUNS.read_text(encoding="utf-8")) if KERAS_RUNS.is_file() else {"runs": {}}
    kept = {"run": about | {"keras": keras.get("keras", [])}} | compare(
        studies, keras["runs"], params.evaluation.confidence
    )
    save_json(kept, PUBLISHED_RUNS)
    write_pages(kept, PAGES)
    for name, one in kept["experiments"].items():
        for score, found in one["scores"].items():
            print(
                f"{name}: {score} published {found['published']:.4f}, here {found['mean']:.4f} "
                f"[{found['low']:.4f}, {found['high']:.4f}]{'' if found['inside'] else ': outside'}"
            )
    print(f"{PAGES} and {PUBLISHED_RUNS} are written")


if __name__ == "__main__":
    run(main)
