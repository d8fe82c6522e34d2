"""Trains what a ledger is about, outside of `dvc repro`: on other seeds, on more of them, or every study there is."""

from collections.abc import Callable, Mapping
from typing import Any

from ..config import Params
from ..data import Dataset
from ..experiments.transfer.run import run_transfer
from ..training.store import NetworkStore
from ..training.study import train_networks
from .claims.evidence import Evidence, Probes, StudyTables, samples_tested


def gather(params: Params, dataset_of: Callable[[str], Dataset], probes: Probes | None) -> Evidence:
    """Train every study that ``run`` names, and its transfer experiments; return what the claims are tested on.

    What was trained before is in the network store, and an interrupted run goes on from there.

    Args:
        params: all parameters.
        dataset_of: returns a study's prepared data.
        probes: the small experiments' tables.

    Raises:
        DataError: a study's data are not there.
        ParamsError: a study does not fit its data.
    """
    store, studies = NetworkStore(), {}
    for name in params.run:
        study, dataset = params.study(name), dataset_of(name)
        results = train_networks(name, study, params, dataset, study.networks(), store)
        transfer = run_transfer(name, params, dataset, params.transfer.get(name, {}), store)
        tested = samples_tested(dataset, results.networks["seed"].unique())
        studies[name] = StudyTables.of(study, results, *transfer, tested=tested)
    return Evidence(studies, probes)


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return the claims whose verdicts differ, with both; those that either ledger lacks are left out.

    Args:
        before: a ledger, see `pipeline.evaluation.claims.ledger.as_metrics`.
        after: another.
    """
    both = {name: (entry["verdict"], after[name]["verdict"]) for name, entry in before.items() if name in after}
    return {name: verdicts for name, verdicts in both.items() if verdicts[0] != verdicts[1]}


def agreed(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Return a ledger whose verdicts are those that two runs have in common; where they differ, it is inconclusive.

    Each claim has besides ``verdicts``, of either run. All else is the first run's.

    Args:
        first: a ledger, see `pipeline.evaluation.claims.ledger.as_metrics`.
        second: the same claims on other seeds and splits.
    """
    differ = changes(first, second)
    return {
        name: {
            **entry,
            "verdict": "inconclusive" if name in differ else entry["verdict"],
            "verdicts": [entry["verdict"], second[name]["verdict"]],
        }
        for name, entry in first.items()
    }
