"""The full ledger: every study of params.yaml, twice. Usage: ``python -m stages.ledger [SEED] [STUDY …]``.

An interrupted run goes on from the networks that are kept. Results of `dvc repro` stay as they are.
"""

import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.config import Params, load_params
from pipeline.data import Dataset
from pipeline.data.prepare import prepare
from pipeline.errors import DataError, ParamsError, did_you_mean
from pipeline.evaluation.claims.entries import CLAIMS
from pipeline.evaluation.claims.evidence import Evidence
from pipeline.evaluation.claims.ledger import as_effects, as_metrics, as_table, keep_ledger
from pipeline.evaluation.golden import FULL_LEDGER
from pipeline.evaluation.rerun import agreed, gather
from pipeline.report.full import render_ledger
from pipeline.strict_json import save_json
from stages import REPORT, run
from stages.claims import load_ledger, load_probes
from stages.replicate import told

SMALL = "mini"
"""The study that is for trying things out."""
SEEDS = 40
"""That every study has at least, but for those that are large: their third look at the data."""
TUNING_SEEDS = 20
"""That choose each setting's learning rate; layers after training are measured on them too."""
APART = 1000
"""From the base seed of the first run to that of the second."""
LARGE = {"digits_very_deep", "fashion", "fashion_notebook", "fashion_deep", "fashion_third_edition"}
PAGE = Path("docs/results/ledger.md")


def main(*words: str) -> None:
    """Write ``golden/ledger.json``, ``docs/results/ledger.md`` from it, and the parts and effects to ``report/full``.

    Everything is trained twice, on seeds and splits that have nothing in common, and a verdict counts where both runs
    have it. With names of studies, they are trained once, the ledger over these alone is written to ``report/full``,
    and nothing is kept. With a base seed, everything is trained once, on other seeds and splits:
    ``report/full/SEED.json`` has the ledger, and it is said which verdicts of the kept one hold.
    """
    params = load_params()
    seed = int(words[0]) if words and words[0].isdecimal() else None
    names = words if seed is None else words[1:]
    if seed is not None:
        params = params.reseeded(seed)
    for name in names:
        if name not in params.studies:
            raise ParamsError(f"{name!r} is not a study of params.yaml{did_you_mean(name, params.studies)}")
    datasets = cache(lambda name: prepare(params.study(name).data))
    wanted = names or [name for name in params.studies if name != SMALL]
    left_out = {name: error for name in wanted if (error := _reason(datasets, name))}
    for name, error in left_out.items():
        print(f"warning: {name} is left out: {error}")
    studies = tuple(name for name in wanted if name not in left_out)
    tuning = params.tuning.model_copy(update={"seeds": max(TUNING_SEEDS, params.tuning.seeds)})
    params = params.with_seeds(SEEDS, {*studies} - LARGE).model_copy(update={"run": studies, "tuning": tuning})
    kept = judged(params, datasets, sorted(left_out))
    if seed is not None:
        before = json.loads(FULL_LEDGER.read_text(encoding="utf-8"))["claims"]
        print("\n".join(told(before, kept["claims"])))
        return
    if not names:
        again = judged(params.reseeded(params.base_seed + APART), datasets, sorted(left_out))
        kept["claims"] = agreed(kept["claims"], again["claims"])
        kept["run"]["again"] = again["run"]["base_seed"]
        save_json(kept, FULL_LEDGER)
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(render_ledger(json.loads(FULL_LEDGER.read_text(encoding="utf-8"))), encoding="utf-8")
        print(f"{PAGE} and {FULL_LEDGER} are written")
    for name, entry in kept["claims"].items():
        print(f"{name}: {entry['verdict']}")


def judged(params: Params, datasets: Callable[[str], Dataset], left_out: Sequence[str]) -> dict[str, Any]:
    """Train everything once; write parts, effects and ``BASE_SEED.json`` to ``report/full``, and return the last."""
    evidence = gather(params, datasets, load_probes())
    ledger = keep_ledger(CLAIMS, evidence)
    folder = REPORT / "full"
    folder.mkdir(parents=True, exist_ok=True)
    table = as_table(ledger)
    table.to_parquet(folder / f"findings-{params.base_seed}.parquet", index=False)
    as_effects(ledger).to_parquet(folder / f"effects-{params.base_seed}.parquet", index=False)
    kept = {
        "run": about(params, evidence, params.run, left_out),
        "claims": as_metrics(ledger),
        "quick": {name: entry["verdict"] for name, entry in load_ledger().items()},
        "parts": table[["claim", "part", "name", "speaks"]].to_numpy().tolist(),
    }
    save_json(kept, folder / f"{params.base_seed}.json")
    return kept


def about(params: Params, evidence: Evidence, studies: Sequence[str], left_out: Sequence[str]) -> dict[str, Any]:
    """Return what the run was."""
    return {
        "base_seed": params.base_seed,
        "studies": list(studies),
        "left_out": list(left_out),
        "datasets": sorted({tables.dataset for tables in evidence.studies.values()}),
        "networks": sum(len(tables.networks) + len(tables.transfer) for tables in evidence.studies.values()),
    }


def _reason(datasets: Callable[[str], Dataset], name: str) -> str | None:
    """Return why a study's data are not there; ``None`` where they are."""
    try:
        datasets(name)
    except DataError as error:
        return str(error)
    return None


if __name__ == "__main__":
    run(main)
