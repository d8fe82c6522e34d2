"""Compare results with those the repository keeps, or two runs with each other.

Usage: ``make drift``, or ``python -m stages.drift [RESULTS [OTHER]]``: folders as ``results/``; by default, those kept.
Exit code 1 where a study has drifted, and with ``--exact`` also where it is within noise.
"""

import sys
from pathlib import Path

import pandas as pd

from pipeline.config import Params, load_params
from pipeline.errors import DataError
from pipeline.evaluation.golden import BEFORE, GOLDEN, TABLES, Record, compare, describe, load_record, record
from pipeline.training.platform import load_platform
from stages import RESULTS, run

EXACT = "--exact"


def main(*words: str) -> None:
    """Compare every study that both have."""
    folders = [Path(word) for word in words if word != EXACT]
    unknown = [str(folder) for folder in folders if not folder.is_dir()]
    if unknown or len(folders) > 2:
        raise DataError(
            f"{', '.join(unknown) or len(folders)}: allowed are one or two folders as results/, and {EXACT}"
        )
    ours = folders[0] if folders else RESULTS
    theirs = folders[1] if len(folders) == 2 else None
    params = load_params()
    names = [
        name
        for name in params.studies
        if _is_there(ours, name) and (_is_there(theirs, name) if theirs else _is_kept(name))
    ]
    if not names:
        raise DataError(f"{ours}: no study in it is in {theirs or GOLDEN} too; `make repro` makes results")
    failed = []
    for name in names:
        found = compare(read(ours, name, params), read(theirs, name, params) if theirs else load_record(name, GOLDEN))
        print(describe(name, found))
        if found.status == "drifted" or (EXACT in words and found.status != "equal"):
            failed.append(name)
    if failed:
        sys.exit(
            f"not as they were: {', '.join(failed)}. If the change was meant, `make golden` keeps the new results; "
            "docs/reproducibility.md says how to find where it came from"
        )


def read(folder: Path, name: str, params: Params) -> Record:
    """Return what a folder of results says of a study."""
    tables = {table: pd.read_parquet(folder / name / f"{table}.parquet") for table in (*TABLES, BEFORE)}
    return record(name, params.study(name), params, tables, load_platform(folder / name))


def _is_there(folder: Path, name: str) -> bool:
    return all((folder / name / f"{table}.parquet").is_file() for table in ("networks", BEFORE))


def _is_kept(name: str) -> bool:
    return (GOLDEN / f"{name}.json").is_file()


if __name__ == "__main__":
    run(main)
