"""The ledger again, on fresh seeds and splits: which verdicts hold? Usage: ``python -m stages.replicate [SEED]``.

Trains what `dvc repro` does with ``base_seed: SEED``, by default today's date, and changes none of its results.
"""

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import pandas as pd

from pipeline import data
from pipeline.config import Params, load_params
from pipeline.errors import DataError, ParamsError
from pipeline.evaluation.claims.entries import CLAIMS
from pipeline.evaluation.claims.evidence import Evidence, Probes, StudyTables
from pipeline.evaluation.claims.ledger import as_metrics, keep_ledger
from pipeline.experiments.transfer.run import run_transfer
from pipeline.strict_json import save_json
from pipeline.training.store import NetworkStore
from pipeline.training.study import train_networks
from stages import PREPARED, REPORT, RESULTS, run


def main(*words: str) -> None:
    """Write ``report/replications/SEED.json``, and say which verdicts of ``report/claims.json`` hold."""
    if len(words) > 1 or not all(word.isdecimal() for word in words):
        raise ParamsError(f"found {' '.join(words)!r}; allowed: a seed, as in `make replicate SEED=7`")
    seed = int(words[0]) if words else int(f"{date.today():%Y%m%d}")
    try:
        before = json.loads((REPORT / "claims.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{REPORT / 'claims.json'} is not there; run `dvc repro` first") from None
    after = as_metrics(keep_ledger(CLAIMS, fresh_evidence(load_params().reseeded(seed))))
    folder = REPORT / "replications"
    folder.mkdir(exist_ok=True)
    save_json(after, folder / f"{seed}.json")
    print("\n".join(told(before, after)))


def fresh_evidence(params: Params) -> Evidence:
    """Train every study of a run, and return what the claims are tested on."""
    store, studies = NetworkStore(), {}
    for name in params.run:
        study, dataset = params.study(name), data.load(PREPARED / name)
        results = train_networks(name, study, params, dataset, study.networks(), store)
        transfer = run_transfer(name, params, dataset, params.transfer.get(name, {}), store).transfer
        studies[name] = StudyTables(study, results.networks, results.history, results.layers, transfer)
    tables = [pd.read_parquet(RESULTS / "probes" / f"{name}.parquet") for name in Probes._fields]
    return Evidence(studies, Probes(*tables))


def told(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return in lines which verdicts changed, and how many did not."""
    verdicts = {name: (entry["verdict"], after[name]["verdict"]) for name, entry in before.items() if name in after}
    changed = {name: pair for name, pair in verdicts.items() if pair[0] != pair[1]}
    decided = [name for name, pair in changed.items() if "inconclusive" not in pair]
    return [
        *(f"{name}: {first}, now {second}" for name, (first, second) in changed.items()),
        f"{len(verdicts) - len(changed)} of {len(verdicts)} verdicts hold; {len(changed) - len(decided)} changed to or "
        f"from inconclusive, {len(decided)} otherwise",
    ]


if __name__ == "__main__":
    run(main)
