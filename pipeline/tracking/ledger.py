"""The ledger of claims, and the report that quotes it."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Param

from ..evaluation.claims.ledger import SIDES
from .provenance import common_tags, sha256
from .runs import DIGEST, KIND, finished_runs, lock, make_experiments, metrics_of, open_run
from .study import Execution

CLAIMS = "claims"
"""The experiment of the ledger."""


def track_claims(folder: Path) -> str:
    """Write the ledger as a run of its own, with a parameter for each claim's verdict; returns the run's id.

    Args:
        folder: of ``claims.json``, ``findings.parquet`` and ``effects.parquet``, which the run keeps.
    """
    files = [folder / name for name in ("claims.json", "findings.parquet", "effects.parquet")]
    claims = json.loads(files[0].read_text(encoding="utf-8"))
    counts = Counter(entry["verdict"] for entry in claims.values())
    with lock(CLAIMS):
        experiment = make_experiments([CLAIMS])[CLAIMS]
        client = MlflowClient()
        known = finished_runs(client, experiment)
        digest = sha256(*(hashlib.sha256(path.read_bytes()).hexdigest() for path in files))
        name = f"{len(claims)} claims: " + ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
        with open_run(client, experiment, known, digest, name, common_tags() | {KIND: CLAIMS}) as run:
            if run.new:
                verdicts = [Param(claim, entry["verdict"]) for claim, entry in claims.items()]
                sides = {f"{claim}.{side}": entry[side] for claim, entry in claims.items() for side in SIDES}
                client.log_batch(
                    run.id, metrics_of({key.replace(" ", "_"): n for key, n in counts.items()} | sides), verdicts
                )
                for path in files:
                    client.log_artifact(run.id, str(path))
    return run.id


def track_report(report: Path, executions: Iterable[Execution], ledger: str) -> None:
    """Attach the report to the runs of what it is about.

    Args:
        report: the page.
        executions: of its studies; one that is not in MLflow is left out.
        ledger: the ledger's run, see `track_claims`.
    """
    client = MlflowClient()
    found = [ledger]
    for execution in executions:
        experiment = make_experiments([execution.name])[execution.name]
        runs = client.search_runs([experiment], f"tags.{KIND} = 'execution' AND tags.{DIGEST} = '{execution.digest}'")
        found += [run.info.run_id for run in runs]
    for run in found:
        client.log_artifact(run, str(report), "report")
