"""Ledgers of runs in which nothing has an effect: how often is a verdict false?

Usage: ``python -m benchmarks.null_ledger [LEDGERS]``, after `dvc repro`. Writes ``results/null_ledger.json`` beside it.

The networks of the last run stay as they are, but their settings are dealt out anew among those of one seed, shape and
budget: so whatever setting differs from another does so by chance, with all that real networks have of heavy tails,
failures, and splits in common.
"""

import sys
from collections import Counter
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.config import load_params, load_study
from pipeline.evaluation.claims.entries import CLAIMS
from pipeline.evaluation.claims.evidence import BY_SHAPE, Evidence, StudyTables
from pipeline.evaluation.claims.ledger import Claim, Entry, keep_ledger
from pipeline.grid import AXES
from pipeline.strict_json import save_json

OUT = Path(__file__).parent / "results" / "null_ledger.json"
NOT_DEALT = {
    "init-gradients", "vanishing-lower-layers", "updates-before-divergence", "still-layers-learn-badly",
    "top-saturates-first", "unequal-variances-hurt", "pairing-table", "half-of-relu-dies", "dead-stay-dead",
    "prelu-learns", "selu-self-normalises", "selu-while-training",
}  # fmt: skip
"""Claims about what goes on within a network, whatever setting it is said to have; or not about a difference."""


def dealt(tables: StudyTables, generator: np.random.Generator) -> StudyTables:
    """Return a study's tables with the settings of its networks dealt out anew, within each shape and seed."""
    key = tables.key

    def names(networks: pd.DataFrame, alike: list[str]) -> pd.DataFrame:
        place = np.arange(len(networks))
        for group in networks.groupby(alike).indices.values():
            place[group] = generator.permutation(group)
        new = networks[list(AXES)].iloc[place].reset_index(drop=True).add_prefix("new_")
        return networks[key].reset_index(drop=True).join(new)

    def renamed(table: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
        own = table.merge(new, on=key).drop(columns=list(AXES))
        return own.rename(columns={f"new_{axis}": axis for axis in AXES})[table.columns]

    compared = names(tables.networks, ["hidden", "seed", "tuned"])
    found = {name: renamed(getattr(tables, name), compared) for name in BY_SHAPE if name != "tuning_layers"}
    layers = tables.tuning_layers
    if len(layers):
        chose = names(layers[key].drop_duplicates(), ["hidden", "seed", "learning_rate"])
        found["tuning_layers"] = renamed(layers, chose)
    return replace(tables, **found)


def compared(claims: tuple[Claim, ...] = CLAIMS) -> list[Claim]:
    """Return the claims whose effect is none where settings are dealt out."""
    return [claim for claim in claims if claim.kind == "effect" and claim.id not in NOT_DEALT]


def false_verdicts(ledger: list[Entry]) -> list[str]:
    """Return the claims of which a ledger without any effect says that there is one."""
    return [
        entry.claim.id
        for entry in ledger
        if entry.verdict in ("refuted", "depends") or (entry.verdict == "supported" and not entry.claim.alike)
    ]


def main(ledgers: int = 200) -> None:
    """Deal out the last run's settings again and again, and count."""
    names = [field.name for field in fields(StudyTables) if field.name not in ("study", "tested")]
    folder = Path("results")
    studies = {
        name: StudyTables(
            load_study(folder / name), *(pd.read_parquet(folder / name / f"{table}.parquet") for table in names)
        )
        for name in load_params().run
    }
    without_transfer = {
        name: replace(tables, transfer=pd.DataFrame(), transfer_history=pd.DataFrame())
        for name, tables in studies.items()
    }
    claims, counts, verdicts = compared(), Counter[str](), Counter[str]()
    wrong = 0
    for number in range(ledgers):
        generator = np.random.default_rng(number)
        null = {name: dealt(tables, generator) for name, tables in without_transfer.items()}
        ledger = [entry for entry in keep_ledger(claims, Evidence(null)) if entry.verdict != "not tested"]
        found = false_verdicts(ledger)
        wrong += bool(found)
        counts.update(found)
        verdicts.update(entry.verdict for entry in ledger)
        print(f"{number + 1} ledgers of {len(ledger)} claims: {wrong} with a false verdict {dict(counts)}", flush=True)
    save_json({"ledgers": ledgers, "claims": len(ledger), "wrong": wrong, "false": counts, "verdicts": verdicts}, OUT)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
